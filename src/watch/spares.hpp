// SPDX-License-Identifier: BSL-1.0
#pragma once
// watch/spares.hpp - the workers that the monitor gives processors to: asleep, reserved, or new.
//
// Threads take 100 us to be made and to come up, and allocate; so the service thread makes them,
// and after a retake some are made in advance.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sched/scheduler.hpp"
#include "watch/service_thread.hpp"

namespace weft::detail {

class spares {
 public:
  spares(scheduler& s, service_thread& service);

  // ---- by the monitor
  /// A sleeping worker that nobody else will wake. Null if there is none: one is being made, if
  /// options::max_threads and the system allow it (is_awaited), and the next round tries again.
  [[nodiscard]] worker* reserve() noexcept;
  [[nodiscard]] bool is_awaited() const noexcept {
    return asked_.load(std::memory_order_acquire) > 0;  // make_asked_for: it is in made_ then
  }
  void prepare(std::size_t wanted) noexcept;  // where one blocks, the next one will
  void release_prepared() noexcept;

  // ---- by the service thread
  void make_asked_for() noexcept;

 private:
  bool ask_for(std::size_t n) noexcept;  // false: there is no hope at present
  void take_made() noexcept;

  scheduler& s_;
  service_thread& service_;
  // monitor: reserved before it needs them; has room for all
  std::vector<worker*> prepared_;
  std::atomic<worker*> made_{nullptr};  // by `next_made`: on their way there
  std::atomic<std::uint32_t> asked_{0};
  std::atomic<std::int64_t> hopeless_until_{0};
};

}  // namespace weft::detail
