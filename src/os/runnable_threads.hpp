// SPDX-License-Identifier: BSL-1.0
#pragma once
// os/runnable_threads.hpp - how many threads of the whole machine run or wait for a CPU.

#include <string_view>

namespace weft::os {

/// As in /proc/loadavg, "0.20 0.18 0.12 3/80 11206": 3; -1 for anything else.
[[nodiscard]] int parse_runnable_threads(std::string_view text) noexcept;

/// Keeps a descriptor. For one thread.
class runnable_threads {
 public:
  runnable_threads() = default;
  ~runnable_threads();
  runnable_threads(const runnable_threads&) = delete;
  runnable_threads& operator=(const runnable_threads&) = delete;

  /// The caller among them; -1: not known.
  [[nodiscard]] int count() noexcept;

 private:
  int file_ = -1;
};

}  // namespace weft::os
