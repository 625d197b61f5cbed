// SPDX-License-Identifier: BSL-1.0
// tools/weft-trace/reader/model.cpp - one pass over the events, by time, with a state per fiber and
// per thread.
//
// Clocks of two processors agree to some ten nanoseconds, and a resume that follows another fiber's
// park on the same thread has that one's time: so a wake may stand a moment behind the resume it
// caused. A resume without a wake is remembered, and the wake that comes late is put where it
// belongs.
#include "reader/model.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "base/one_line.hpp"
#include "reader/histogram.hpp"
#include "reader/rows.hpp"

namespace weft::tools {

using detail::one_line;

namespace {

class builder : rows {
 public:
  explicit builder(trace t) : rows(std::move(t)) {}

  model build() {
    trace& t = m_.source;
    for (std::uint32_t i = 0; i < t.threads.size(); ++i)
      if (t.threads[i].role == thread_role::worker)
        workers_[{t.threads[i].runtime, t.threads[i].index}] = i;
    const auto first =
        std::partition_point(t.events.begin(), t.events.end(),
                             [&](const trace_event& e) { return e.ns < t.complete_since; });
    for (auto e = t.events.begin(); e != first; ++e) names_only(*e);
    if (first != t.events.end())
      m_.begin = first->ns;
    else if (t.complete_since != INT64_MIN)
      m_.begin = t.complete_since;
    // where all are parked, time passes, too
    m_.end = std::max(first != t.events.end() ? t.events.back().ns : m_.begin, t.known_until);
    for (auto e = first; e != t.events.end(); ++e) take(*e);
    finish();
    return std::move(m_);
  }

 private:
  std::uint32_t fiber_of(std::uint64_t id) {
    if (id == 0) return none;
    const auto [at, added] =
        m_.fiber_by_id.try_emplace(id, static_cast<std::uint32_t>(m_.fibers.size()));
    if (added) {
      m_.fibers.emplace_back();
      m_.fibers.back().id = id;
      fiber_states_.emplace_back();
      const auto known = m_.source.fibers.find(id);
      if (known != m_.source.fibers.end()) m_.fibers.back().name = one_line(known->second.name);
    }
    return at->second;
  }

  void names_only(const trace_event& e) {
    if (e.fiber == 0) return;
    if (e.what() == event::fiber_name)
      m_.fibers[fiber_of(e.fiber)].name = one_line(m_.source.texts[e.text]);
    if (e.what() == event::fiber_create) note_birth(fiber_of(e.fiber), e);
  }
  void note_birth(std::uint32_t f, const trace_event& e) {
    const std::uint32_t parent = fiber_of(e.other);  // may move the fibers
    const auto place = m_.source.places.find(e.number);
    if (place != m_.source.places.end()) m_.fibers[f].spawned_at = place->second;
    m_.fibers[f].parent = parent;
  }

  // `f` is said to have been running on `thread` until now; after a cut, nobody said so before.
  void was_running(std::uint32_t thread, std::uint32_t f, std::int64_t at) {
    const std::uint32_t i = thread_states_[thread].slice;
    if (i != none && m_.slices[i].fiber == f) return;
    close_slice(thread, at, slice_end::cut_off);
    if (fiber_states_[f].now == phase::unknown)
      open_slice(thread, f, thread_states_[thread].seen ? at : m_.begin);
  }

  void starts_running(std::uint32_t thread, std::uint32_t f, std::int64_t at) {
    fiber_state& s = fiber_states_[f];
    if (s.now == phase::queued) {
      const std::int64_t end = std::max(at, s.since);
      m_.turns.push_back({f, s.since, end, s.fresh});
      add_time(m_.fibers[f].queued, end - s.since);
    } else if (s.now == phase::parked) {
      end_wait(f, at);
      s.unexplained = s.open_wait;
      s.open_wait = none;
    }
    if (!m_.fibers[f].waits.empty()) {
      wait& w = m_.waits[m_.fibers[f].waits.back()];
      if (w.over && w.resumed == 0) w.resumed = std::max(at, w.end);
    }
    s.fresh = false;
    close_slice(thread, at, slice_end::cut_off);
    open_slice(thread, f, at);
  }

  void end_wait(std::uint32_t f, std::int64_t at) {
    wait& w = m_.waits[fiber_states_[f].open_wait];
    w.end = std::max(at, w.begin);
    w.over = true;
    add_time(m_.fibers[f].waited, w.end - w.begin);
  }

  void take(const trace_event& e) {
    ++m_.counts[e.id];
    ++m_.threads[e.thread].events;
    const event what = e.what();
    if (!thread_states_[e.thread].seen && what != event::fiber_park && what != event::fiber_yield &&
        what != event::fiber_end)
      turn_to(e.thread, doing::searching, e.ns);
    if (what != event::thaw) come_back(e.thread, e.ns);
    const std::uint32_t f = fiber_of(e.fiber);
    thread_row& row = m_.threads[e.thread];
    switch (what) {
      case event::fiber_create: {
        if (f == none) return;
        note_birth(f, e);
        m_.fibers[f].created = e.ns;
        fiber_state& s = fiber_states_[f];
        if (s.now != phase::unknown) return;  // it has started already
        s.now = phase::queued;
        s.fresh = true;
        s.since = e.ns;
        return;
      }
      case event::fiber_start:
        if (f == none) return;
        m_.fibers[f].started = e.ns;
        return starts_running(e.thread, f, e.ns);
      case event::inline_join: {
        if (f == none) return;
        const std::uint32_t joiner = fiber_of(e.other);
        if (joiner != none) was_running(e.thread, joiner, e.ns);
        close_slice(e.thread, e.ns, slice_end::inline_join);
        m_.fibers[f].started = e.ns;
        return starts_running(e.thread, f, e.ns);
      }
      case event::inline_end: {
        if (f == none) return;
        was_running(e.thread, f, e.ns);
        end_fiber(e.thread, f, e.ns);
        if (const std::uint32_t joiner = fiber_of(e.other); joiner != none)
          open_slice(e.thread, joiner, e.ns);
        return;
      }
      case event::fiber_resume:
        if (f != none) starts_running(e.thread, f, e.ns);
        return;
      case event::fiber_yield:
      case event::fiber_park:
      case event::preempt:
      case event::requeue:
        if (f == none) return;
        return stops_running(e, f);
      case event::fiber_end:
        if (f == none) return;
        was_running(e.thread, f, e.ns);
        end_fiber(e.thread, f, e.ns);
        return turn_to(e.thread, doing::searching, e.ns);
      case event::thaw:
        if (f == none) return;
        thread_states_[e.thread].away = false;
        close_slice(e.thread, e.ns, slice_end::cut_off);
        return starts_running(e.thread, f, e.ns);
      case event::fiber_ready:
        if (f != none) ready(e, f);
        return;
      case event::retake: {
        ++row.wakes;
        const std::uint32_t w = worker_of(e.thread, e.number);
        if (w == none) return;
        ++m_.threads[w].retaken;
        return goes_away(w, e.ns, false);
      }
      case event::handoff_processor:
        return goes_away(e.thread, e.ns, true);
      case event::worker_sleep:
        close_slice(e.thread, e.ns, slice_end::cut_off);
        return turn_to(e.thread, doing::idle, e.ns);
      case event::worker_awake:
        return turn_to(e.thread, doing::searching, e.ns);
      case event::steal:
        ++row.steals;
        row.stolen += e.number;
        return;
      case event::worker_wake:
        ++row.wakes;
        return;
      case event::poll:
        ++row.polls;
        return;
      case event::fiber_name:
        if (f != none) m_.fibers[f].name = one_line(m_.source.texts[e.text]);
        return;
      case event::region_begin:
        regions_[key_of(e)].push_back(static_cast<std::uint32_t>(m_.regions.size()));
        m_.regions.push_back({f, e.thread, e.ns, INT64_MIN, one_line(m_.source.texts[e.text])});
        return;
      case event::region_end:
        if (auto& open = regions_[key_of(e)]; !open.empty()) {
          m_.regions[open.back()].end = e.ns;
          open.pop_back();
        }
        return;
      case event::fiber_stack:
        if (const std::uint32_t i = thread_states_[e.thread].slice;
            i != none && m_.slices[i].fiber == f)
          m_.slices[i].stack = e.text;
        return;
      case event::log:
        m_.logs.push_back({e.ns, f, e.thread, one_line(m_.source.texts[e.text])});
        return;
      case event::stall:
        m_.stalls.push_back({e.ns, f, e.thread, e.number == 0 ? "computing" : "blocked"});
        return;
      case event::offload_begin:
        m_.offloads.push_back({f, e.thread, e.ns, INT64_MIN});
        offload_[e.thread] = static_cast<std::uint32_t>(m_.offloads.size() - 1);
        return;
      case event::offload_end:
        if (const auto open = offload_.find(e.thread); open != offload_.end()) {
          m_.offloads[open->second].end = e.ns;
          offload_.erase(open);
        }
        return;
      default:
        return;
    }
  }

  void stops_running(const trace_event& e, std::uint32_t f) {
    was_running(e.thread, f, e.ns);
    fiber_state& s = fiber_states_[f];
    switch (e.what()) {
      case event::fiber_park: {
        close_slice(e.thread, e.ns, slice_end::park);
        s.now = phase::parked;
        s.open_wait = static_cast<std::uint32_t>(m_.waits.size());
        m_.fibers[f].waits.push_back(s.open_wait);
        wait w;
        w.fiber = f;
        w.reason = static_cast<std::uint8_t>(e.number);
        w.object = e.other;
        w.begin = w.end = e.ns;
        m_.waits.push_back(w);
        break;
      }
      case event::preempt:
        close_slice(e.thread, e.ns, slice_end::preempted);
        ++m_.threads[e.thread].preempted;
        s.now = phase::queued;
        break;
      default:
        close_slice(e.thread, e.ns,
                    e.what() == event::requeue ? slice_end::blocked : slice_end::yield);
        s.now = phase::queued;
    }
    s.since = e.ns;
    s.unexplained = none;
    turn_to(e.thread, e.what() == event::preempt ? doing::blocked : doing::searching, e.ns);
  }

  void end_fiber(std::uint32_t thread, std::uint32_t f, std::int64_t at) {
    close_slice(thread, at, slice_end::end);
    m_.fibers[f].ended = at;
    fiber_states_[f].now = phase::ended;
  }

  void explain(wait& w, const trace_event& e) {
    w.waker = fiber_of(e.other);
    w.waker_thread = e.thread;
  }
  void ready(const trace_event& e, std::uint32_t f) {
    const std::uint32_t waker = fiber_of(e.other);  // may move the states: before the next line
    fiber_state& s = fiber_states_[f];
    if (s.now == phase::parked) {
      end_wait(f, e.ns);
      m_.waits[s.open_wait].waker = waker;
      m_.waits[s.open_wait].waker_thread = e.thread;
      s.open_wait = none;
    } else if (s.unexplained != none) {  // it runs already
      explain(m_.waits[std::exchange(s.unexplained, none)], e);
      return;
    } else if (s.now == phase::unknown) {  // it was parked when the trace began
      wait w;
      w.fiber = f;
      w.reason = static_cast<std::uint8_t>(e.number);
      w.begin = m_.begin;
      w.end = e.ns;
      w.over = true;
      w.begun = false;
      w.waker = waker;
      w.waker_thread = e.thread;
      m_.fibers[f].waits.push_back(static_cast<std::uint32_t>(m_.waits.size()));
      add_time(m_.fibers[f].waited, w.end - w.begin);
      m_.waits.push_back(w);
    } else {
      return;
    }
    s.now = phase::queued;
    s.since = e.ns;
  }

  std::uint32_t worker_of(std::uint32_t thread, std::uint64_t index) const {
    const auto found =
        workers_.find({m_.source.threads[thread].runtime, static_cast<std::uint32_t>(index)});
    return found != workers_.end() ? found->second : none;
  }
  [[nodiscard]] static std::uint64_t key_of(const trace_event& e) {
    return e.fiber != 0 ? e.fiber : std::uint64_t{e.thread} | std::uint64_t{1} << 62U;
  }

  void finish() {
    for (std::uint32_t i = 0; i < thread_states_.size(); ++i) {
      close_slice(i, m_.end, slice_end::cut_off);
      if (thread_states_[i].seen) turn_to(i, doing::searching, m_.end);
    }
    for (std::uint32_t f = 0; f < fiber_states_.size(); ++f) {
      if (fiber_states_[f].now != phase::parked) continue;
      wait& w = m_.waits[fiber_states_[f].open_wait];
      w.end = m_.end;
      add_time(m_.fibers[f].waited, w.end - w.begin);
    }
    for (region& r : m_.regions)
      if (r.end == INT64_MIN) r.end = m_.end;
    for (offload_run& r : m_.offloads)
      if (r.end == INT64_MIN) r.end = m_.end;
    for (const auto& [id, known] : m_.source.fibers)
      if (known.state == 5 && !m_.fiber_by_id.contains(id)) note_sleeper(known);
  }
  // Parked all the time: no event speaks of it.
  void note_sleeper(const trace_fiber& known) {
    const std::uint32_t f = fiber_of(known.id);
    wait w;
    w.fiber = f;
    w.reason = known.reason;
    w.object = known.object;
    w.begin = m_.begin;
    w.end = m_.end;
    w.begun = false;
    m_.fibers[f].waits.push_back(static_cast<std::uint32_t>(m_.waits.size()));
    add_time(m_.fibers[f].waited, w.end - w.begin);
    m_.waits.push_back(w);
  }

  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> workers_;  // (runtime, index)
  // open ones, by fiber or thread
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> regions_;
  // open ones, by thread
  std::unordered_map<std::uint32_t, std::uint32_t> offload_;
};

}  // namespace

std::string_view in_kernel_text(const slice& s) {
  return s.declared ? "in block_in_place" : "in the kernel undeclared";
}

std::string model::fiber_label(std::uint32_t f) const {
  if (f == none) return "-";
  const fiber& x = fibers[f];
  return "fiber " + std::to_string(x.id) + (x.name.empty() ? "" : " \"" + x.name + "\"");
}
std::string model::thread_label(std::uint32_t t) const {
  if (t == none) return "-";
  const trace_thread& x = source.threads[t];
  return x.name.empty() ? "thread " + std::to_string(x.id) : one_line(x.name);
}

model make_model(trace t) { return builder(std::move(t)).build(); }

}  // namespace weft::tools
