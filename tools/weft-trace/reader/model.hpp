// SPDX-License-Identifier: BSL-1.0
#pragma once
// tools/weft-trace/reader/model.hpp - a trace as what happened: fibers that ran, waited and were
// woken; threads that ran, searched, slept and were blocked. What report, convert, flame and the
// timeline work on.
//
//   fiber    created -> [waits for a turn] -> slice -> wait (reason, object) -> woken by -> [waits
//            for a turn] -> slice ... ended
//   thread   a row of stretches without gaps, from its first event to its last
// A trace may begin anywhere: what was going on then is made up from the first event that tells.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "reader/reader.hpp"

namespace weft::tools {

inline constexpr std::uint32_t none = UINT32_MAX;

/// Why a fiber stopped running, for the moment or for good.
enum class slice_end : std::uint8_t { park, yield, end, preempted, inline_join, blocked, cut_off };

/// A stretch in which a fiber was on a thread.
struct slice {
  std::uint32_t fiber = none, thread = none;  // indices
  std::int64_t begin = 0, end = 0;
  slice_end how = slice_end::cut_off;
  bool in_kernel = false;  // its processor had been taken away: it was blocked in a system call
  bool declared = false;   // by block_in_place; else weft found it blocked, and retook
  // in source.texts: where it was when it was preempted (trace/stack_sample.hpp); 0: not known
  std::uint32_t stack = 0;
};

/// A stretch in which a fiber was parked, and what ended it.
struct wait {
  std::uint32_t fiber = none;
  std::uint8_t reason = 0;
  std::uint64_t object = 0;
  std::int64_t begin = 0, end = 0;  // of the park; when it was readied
  std::int64_t resumed = 0;         // when it ran again
  // fiber; none: a timer, the poller, or a thread that is no fiber
  std::uint32_t waker = none;
  std::uint32_t waker_thread = none;  // on which the waking happened
  bool over = false;                  // false: the trace ended first
  bool begun = true;                  // false: it waited already when the trace began
};

struct marker {  // log lines, stalls
  std::int64_t at = 0;
  std::uint32_t fiber = none, thread = none;
  std::string text;
};
struct region {
  std::uint32_t fiber = none, thread = none;
  std::int64_t begin = 0, end = 0;
  std::string name;
};
struct offload_run {
  std::uint32_t fiber = none, thread = none;
  std::int64_t begin = 0, end = 0;
};

struct fiber {
  std::uint64_t id = 0;
  std::string name;              // empty: none is known
  std::uint64_t spawned_at = 0;  // code address; 0: unknown
  std::uint32_t parent = none;
  // INT64_MIN: not in the trace
  std::int64_t created = INT64_MIN, started = INT64_MIN, ended = INT64_MIN;
  // ns: running, parked, waiting for a turn, in the kernel
  std::int64_t ran = 0, waited = 0, queued = 0, blocked = 0;
  std::vector<std::uint32_t> slices;  // indices, by time
  std::vector<std::uint32_t> waits;
};

/// For a slice that is in_kernel.
[[nodiscard]] std::string_view in_kernel_text(const slice& s);

enum class doing : std::uint8_t { running, searching, idle, blocked };
struct stretch {
  std::int64_t begin = 0, end = 0;
  doing what = doing::searching;
};

struct thread_row {
  std::vector<stretch> stretches;  // workers only
  std::int64_t total[4] = {};      // by `doing`
  std::uint64_t events = 0, steals = 0, stolen = 0, preempted = 0, retaken = 0, wakes = 0,
                polls = 0;
};

/// From ready to running.
struct turn {
  std::uint32_t fiber = none;
  std::int64_t begin = 0, end = 0;
  bool first = false;  // after its creation
};

struct model {
  trace source;
  std::int64_t begin = 0, end = 0;
  std::vector<fiber> fibers;  // in the order of their first event
  std::vector<slice> slices;  // by begin, nearly
  std::vector<wait> waits;
  std::vector<turn> turns;
  std::vector<region> regions;
  std::vector<marker> logs, stalls;
  std::vector<offload_run> offloads;
  std::vector<thread_row> threads;  // as source.threads
  std::unordered_map<std::uint64_t, std::uint32_t> fiber_by_id;
  std::uint64_t counts[256] = {};  // of events, by id

  [[nodiscard]] std::string fiber_label(std::uint32_t f) const;  // "fiber 12 \"name\""
  [[nodiscard]] std::string thread_label(std::uint32_t t) const;
};

/// Everything from `complete_since` on; what is before is only used to know names.
[[nodiscard]] model make_model(trace t);

}  // namespace weft::tools
