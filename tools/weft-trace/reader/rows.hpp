// SPDX-License-Identifier: BSL-1.0
#pragma once
// tools/weft-trace/reader/rows.hpp - what the model's builder knows while it goes through the
// events: a state per fiber and per thread, and the two rows that follow from it, of slices and of
// what a thread does.

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "reader/histogram.hpp"
#include "reader/model.hpp"

namespace weft::tools {

enum class phase : std::uint8_t { unknown, queued, running, parked, ended };

struct fiber_state {
  phase now = phase::unknown;
  std::int64_t since = 0;
  bool fresh = false;  // queued for the first time
  std::uint32_t open_wait = none;
  std::uint32_t unexplained = none;  // a wait that ended without a wake being seen
  std::uint32_t open_slice = none;
};

struct thread_state {
  std::uint32_t slice = none;  // the fiber that runs on it
  bool away = false;           // its processor was taken
  bool seen = false;
  doing now = doing::searching;
  std::int64_t since = 0;
};

class rows {
 protected:
  explicit rows(trace t) {
    m_.source = std::move(t);
    m_.threads.resize(m_.source.threads.size());
    thread_states_.resize(m_.source.threads.size());
  }

  // ---- threads
  void turn_to(std::uint32_t thread, doing what, std::int64_t at) {
    thread_state& s = thread_states_[thread];
    if (m_.source.threads[thread].role != thread_role::worker) return;
    if (!s.seen) {
      s.seen = true;
    } else if (at > s.since) {
      m_.threads[thread].stretches.push_back({s.since, at, s.now});
      add_time(m_.threads[thread].total[static_cast<int>(s.now)], at - s.since);
    }
    s.now = what;
    s.since = at;
  }
  // A thread whose processor was taken is back: what it did meanwhile was to be blocked.
  void come_back(std::uint32_t thread, std::int64_t at) {
    thread_state& s = thread_states_[thread];
    if (!std::exchange(s.away, false)) return;
    if (s.slice == none) return turn_to(thread, doing::searching, at);
    const std::uint32_t f = m_.slices[s.slice].fiber;
    close_slice(thread, at, slice_end::blocked);
    open_slice(thread, f, at);
  }

  // ---- slices
  void open_slice(std::uint32_t thread, std::uint32_t f, std::int64_t at, bool in_kernel = false) {
    const auto i = static_cast<std::uint32_t>(m_.slices.size());
    m_.slices.push_back({f, thread, at, at, slice_end::cut_off, in_kernel, false, 0});
    m_.fibers[f].slices.push_back(i);
    fiber_states_[f].open_slice = i;
    fiber_states_[f].now = phase::running;
    fiber_states_[f].since = at;
    thread_states_[thread].slice = i;
    turn_to(thread, in_kernel ? doing::blocked : doing::running, at);
  }
  void close_slice(std::uint32_t thread, std::int64_t at, slice_end how) {
    const std::uint32_t i = std::exchange(thread_states_[thread].slice, none);
    if (i == none) return;
    slice& s = m_.slices[i];
    s.end = std::max(at, s.begin);
    s.how = how;
    fiber& f = m_.fibers[s.fiber];
    add_time(s.in_kernel ? f.blocked : f.ran, s.end - s.begin);
    fiber_states_[s.fiber].open_slice = none;
  }
  void goes_away(std::uint32_t thread, std::int64_t at, bool declared) {
    thread_state& s = thread_states_[thread];
    s.away = true;
    if (s.slice == none) return turn_to(thread, doing::blocked, at);
    const std::uint32_t f = m_.slices[s.slice].fiber;
    close_slice(thread, at, slice_end::blocked);
    open_slice(thread, f, at, true);
    m_.slices.back().declared = declared;
  }

  model m_;
  std::vector<fiber_state> fiber_states_;    // as the model's fibers
  std::vector<thread_state> thread_states_;  // as the trace's threads
};

}  // namespace weft::tools
