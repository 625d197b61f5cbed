// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/watcher.hpp - what a runtime's start and end ask of its watch (src/watch implements it):
// the threads that look after processors, and hold none.

#include <cstddef>

namespace weft::detail {

class watcher {
 public:
  virtual ~watcher() = default;
  /// Its threads. Throws std::system_error; then end() is still due.
  virtual void start() = 0;
  /// Of its threads, none is there any more.
  virtual void end() noexcept = 0;
  [[nodiscard]] virtual std::size_t threads() const noexcept = 0;
  /// After the end: one of its threads is in a hook that ended the runtime, and comes back.
  [[nodiscard]] virtual bool is_still_used() const noexcept = 0;
};

}  // namespace weft::detail
