// SPDX-License-Identifier: BSL-1.0
#pragma once
// watch/block_patience.hpp - whether a thread that blocks keeps its processor for a moment.
//
// A retake costs two switches of threads, and finding the block some quick rounds. It is worth that
// if a CPU would idle meanwhile. If every CPU of the machine has a thread to run, another worker
// would only wait for one: so a step that blocks is left alone for its first millisecond, and
// rounds are a millisecond apart. If steps turn out to block for longer, they are retaken at once
// for 50 ms, and one is tried again then: that costs a fiftieth.
//   a query to PostgreSQL on the same two CPUs, libpq blocking undeclared, 100 connections: the
//   rounds were 27 % of the server's CPU
// Whether CPUs idle is asked of /proc/loadavg: the whole machine's. It counts at a moment, and CPUs
// idle for moments beside any server, so half of the last sixteen answers must say so. A quota, or
// a mask of fewer CPUs, is not seen, and blocks are retaken at once there. The monitor's thread
// only.

#include <algorithm>
#include <cstdint>

#include "os/os.hpp"
#include "os/runnable_threads.hpp"

namespace weft::detail {

class block_patience {
 public:
  /// One is blocked, in a step that began so long ago. True: leave it alone, and look again.
  [[nodiscard]] bool waits(std::int64_t now, std::int64_t held_for) noexcept {
    if (now < hurries_until_ns_ || !all_cpus_busy(now)) return false;
    if (held_for < longest_ns) return true;
    if (--credit_ > 0) return false;
    credit_ = 1;
    hurries_until_ns_ = now + hurry_ns;
    return false;
  }
  /// A thread that was left alone has come back by itself.
  void came_back() noexcept { credit_ = std::min(credit_ + 1, most_credit); }

  static constexpr std::int64_t longest_ns = 1'000'000, hurry_ns = 50'000'000,
                                ask_again_ns = 500'000;

 private:
  static constexpr int most_credit = 4, answers = 16;
  static constexpr std::int64_t forget_after_ns = 100'000'000;

  // The caller is one of those that run.
  bool all_cpus_busy(std::int64_t now) noexcept {
    if (now >= ask_ns_) {
      if (now - ask_ns_ > forget_after_ns) busy_answers_ = 0;
      const int step = runnable_.count() > cpus_ ? 1 : -1;
      busy_answers_ = std::clamp(busy_answers_ + step, 0, answers);
      ask_ns_ = now + ask_again_ns;
    }
    return busy_answers_ >= answers / 2;
  }

  os::runnable_threads runnable_;
  const int cpus_ = static_cast<int>(os::online_cpus());
  int credit_ = 2, busy_answers_ = 0;
  std::int64_t hurries_until_ns_ = 0, ask_ns_ = 0;
};

}  // namespace weft::detail
