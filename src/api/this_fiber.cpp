// SPDX-License-Identifier: BSL-1.0
// api/this_fiber.cpp - yield, sleep, and what a fiber knows about itself.
#include <weft/no_preempt.hpp>
#include <weft/this_fiber.hpp>

#include <stop_token>

#include "api/inline_join.hpp"
#include "base/lock_guard.hpp"
#include "sched/park.hpp"
#include "sched/runtime_entry.hpp"
#include "trace/event.hpp"

namespace weft::detail {

wait_result sleep_until(std::chrono::steady_clock::time_point deadline) {
  fiber_record& self = this_agent();
  if (self.stop_requested.load(std::memory_order_relaxed)) return wait_result::stopped;
  const std::int64_t until = steady_ns(deadline);
  // The processor's last look at the clock was not long ago, so a moment well after it is in the
  // future; if not, it is found due at the next look.
  constexpr std::int64_t well_after_ns = 1'000'000;
  if (worker* w = enter(); w != nullptr) {
    if (w->current != nullptr && until > w->held->checked_ns + well_after_ns) {
      static_cast<void>(begin_park(self, park_reason::sleep, nullptr, stoppable::yes));
      const wake_code code = finish_park_inside(self, w, until);
      leave(*w);
      return code == wake_code::stop ? wait_result::stopped : wait_result::timeout;
    }
    leave(*w);
  }
  if (until <= os::now_ns()) {
    yield();
    return wait_result::timeout;
  }
  static_cast<void>(begin_park(self, park_reason::sleep, nullptr, stoppable::yes));
  return finish_park(self, until) == wake_code::stop ? wait_result::stopped : wait_result::timeout;
}

wait_result sleep_until(const std::stop_token& stop,
                        std::chrono::steady_clock::time_point deadline) {
  if (!stop.stop_possible()) return sleep_until(deadline);
  fiber_record& self = this_agent();
  if (self.stop_requested.load(std::memory_order_relaxed) || stop.stop_requested())
    return wait_result::stopped;
  const std::int64_t until = steady_ns(deadline);
  if (until <= os::now_ns()) {
    yield();
    return wait_result::timeout;
  }
  const ticket mine = begin_park(self, park_reason::sleep, nullptr, stoppable::yes);
  const std::stop_callback callback(
      stop, [mine]() noexcept { wake_from_callback(mine, wake_code::stop); });
  return finish_park(self, until) == wake_code::stop ? wait_result::stopped : wait_result::timeout;
}

// Only the fiber itself writes; its own thread's signal handler reads.
void forbid_preemption() noexcept {
  auto& n = this_agent().no_preempt;
  n.store(n.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}
void allow_preemption() noexcept {
  auto& n = this_agent().no_preempt;
  n.store(n.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
}

}  // namespace weft::detail

namespace weft::this_fiber {

fiber_id get_id() noexcept { return fiber_id(detail::this_agent().id); }

std::string_view name() noexcept {
  const detail::fiber_extras* x = detail::this_agent().extras.load(std::memory_order_relaxed);
  return x != nullptr ? std::string_view(x->name) : std::string_view();
}

bool is_fiber() noexcept { return !detail::this_agent().has(detail::fiber_record::is_thread); }

bool stop_requested() noexcept {
  return detail::this_agent().stop_requested.load(std::memory_order_acquire);
}

std::stop_token stop_token() {
  detail::fiber_record& self = detail::this_agent();
  detail::fiber_extras& x = self.need_extras();
  base::unique_lock guard(self.lock);  // against request_stop
  if (!x.stop.stop_possible()) {
    std::stop_source made;
    if (self.stop_requested.load(std::memory_order_relaxed)) made.request_stop();
    x.stop = std::move(made);
  }
  return x.stop.get_token();
}

}  // namespace weft::this_fiber
