// SPDX-License-Identifier: BSL-1.0
#pragma once
// watch/compensator.hpp - more processors serve while fibers block for moments, again and again.
//
// A call that was not declared and takes 100 us is over before the monitor has looked twice. So its
// processor is not retaken, and others wait meanwhile. If processors are blocked a tenth of the
// time, it takes five so that two run but for rare moments. So more than options::workers serve: as
// many as leave options::workers when those that are blocked are taken off.
//
//   monitor         looks, in each round, at each processor whose fiber keeps others waiting: is it
//                   blocked (looked)? Averages, and says how many more are wanted (end_round)
//   service thread  makes them serve, and takes them out of service (resizer.hpp) [RESIZE-1]
//
// Blocked means asleep in user code (a contended std::mutex, too), with a CPU clock that stood for
// a quarter of the last millisecond or more. A fiber that computes is not, nor one whose thread
// waits for a CPU, nor anybody while a preempted fiber waits for its turn: a runtime that computes
// gets no more processors than it was given.
// One is added at a time. One goes after 250 ms in which it was not missed - nobody is blocked any
// more, or nobody waits -, and all when the runtime falls idle. They are at most twice
// options::workers, and at most 64: beyond that more is lost by switching than gained. (Requests/s
// of `tools/compare http_postgres --subjects weft-undeclared --workers 2,4,6,12,18`, two CPUs, 100
// connections, before there was this: 25, 34, 35, 33 and 33 thousand.) They take threads, which
// others may need: none is added if the runtime would then need more than half of
// options::max_threads.
// Rejected: looking sooner (a round costs 15 us of a CPU, see monitor.hpp, and each retake wakes a
// thread); to count retakes (with that server there are few, for nearly all calls are too short,
// and one long block is no reason for a processor).

#include <cstddef>
#include <cstdint>

namespace weft::detail {

class compensator {
 public:
  // ---- all by the monitor
  void looked(bool blocked) noexcept {
    ++looks_;
    blocked_ += blocked ? 1 : 0;
  }
  /// How many more than `workers` are wanted now, at most `most`.
  [[nodiscard]] std::size_t end_round(std::int64_t now, std::size_t workers,
                                      std::size_t most) noexcept;
  /// The runtime is idle.
  void reset() noexcept { *this = {}; }
  [[nodiscard]] std::size_t wanted() const noexcept { return wanted_; }

 private:
  std::int64_t sampled_ns_ = 0;
  std::int64_t missed_ns_ = 0;      // when as many as are wanted were last needed
  double looks_ = 0, blocked_ = 0;  // since the last sample
  double share_ = 0;                // of the looks that found the fiber blocked, on average
  std::size_t wanted_ = 0;
};

}  // namespace weft::detail
