// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/service_order.hpp - which fiber a processor serves next (ORDER-1..6, README).
//
//   next      the slot: made ready last, by the fiber that ran before; what it touches is warm
//   ready     fibers whose wait has ended: by a timer, a descriptor, another thread, or displaced
//             from the slot
//   local     fibers that yielded, were spawned, or had lost their processor
//   bound     fibers that only this thread may run
//   outside   due timers, the poller, the inject queue, the monitor's chain: not served, but
//             brought to `ready` and `local`
//   frozen    preempted threads: they take the whole processor
//
// Fibers that have waited go before those that merely let others go first; of each kind the oldest
// goes first. The rest is bounds, so that no source can keep out another, however busy it is:
//
//   slot       at most `longest_streak` in a row; then its fiber goes to the end of `ready`
//   local      after `longest_streak` steps of others, or `longest_wait_ns` of them at the next
//              check
//   outside    checked every 61 steps at least, more often while they come more than 0.1 ms apart
//              (find.cpp); what a check brings goes before the slot. A new fiber goes ahead of the
//              local queue at every second check, the others to its end
//   bound      every second step
//   frozen     a slice after the processor last had one or saw none, two while others are ready;
//              first after a retake; and when there is nothing else
//
// How long a step may be is ORDER-7's (step_budget.hpp) and the monitor's.
// Rejected: one queue for all (a timer's fiber waits for every fiber that yielded: 50 ms behind a
// thousand of 60 us); a clock in every step (20 ns, as much as the step); ready ones always first
// (fibers that wake each other keep out the rest for ever).

#include <cstdint>
#include <utility>

namespace weft::detail {

enum class service : std::uint8_t { next, ready, local };

/// A processor's record of what it served; its holder's. The model makes the bounds small.
template <std::uint32_t Streak = 16, std::int64_t WaitNs = 10'000'000>
struct basic_service_order {
  static constexpr std::uint32_t longest_streak = Streak;
  static constexpr std::int64_t longest_wait_ns = WaitNs;

  bool ready_waits = false;  // there may be some; false: there are none
  // after a retake: a frozen thread may hold the lock the others wait for
  bool thaw_first = false;
  bool bound_last = false;    // the step before was one of the bound ones
  bool new_last = false;      // the check before let a new one ahead
  std::uint32_t ahead = 0;    // steps in a row that were not of `local`
  std::uint32_t streak = 0;   // steps of the slot since one of `ready`, or since there was none
  std::int64_t local_ns = 0;  // when a check last found `local` just served
  std::int64_t thaw_ns = 0;   // a frozen thread's turn is then

  /// The source that the next step serves.
  [[nodiscard]] service choose(bool next) noexcept {
    if (!next && !ready_waits) [[likely]] {
      nobody_waits();
      return service::local;
    }
    if (ahead >= longest_streak && streak < longest_streak) [[unlikely]] {  // ORDER-3
      ahead = 0;
      return service::local;
    }
    ++ahead;
    if (next && streak < longest_streak) {  // ORDER-1
      ++streak;
      return service::next;
    }
    streak = 0;
    return service::ready;  // ORDER-2
  }
  void nobody_waits() noexcept { ahead = streak = 0; }
  /// What a check brought goes before the slot, unless it is the turn of `local`.
  void prefer_ready() noexcept {
    if (ahead < longest_streak) streak = longest_streak;
  }
  void checked(std::int64_t now) noexcept {
    if (ahead == 0)
      local_ns = now;
    else if (now - local_ns >= longest_wait_ns && ahead < longest_streak)
      ahead = longest_streak;  // ORDER-3
  }
  /// True if a new fiber may go ahead of the local queue. Called at each check that finds one.
  [[nodiscard]] bool new_goes_ahead() noexcept { return new_last = !new_last; }    // ORDER-4
  [[nodiscard]] bool bound_may_go() noexcept { return bound_last = !bound_last; }  // ORDER-5
  /// A frozen thread has had its turn, or there is none: the others have a slice from now on.
  void delay_frozen(std::int64_t now, std::int64_t slice) noexcept { thaw_ns = now + slice; }
  // ORDER-6
  [[nodiscard]] bool frozen_is_due(std::int64_t now, std::int64_t slice) const noexcept {
    return thaw_first || now - thaw_ns >= (ready_waits ? slice : 0);
  }
};

using service_order = basic_service_order<>;

/// The next fiber of the processor's own queues, or null.
template <class Order, class Queues>
[[gnu::always_inline]] inline auto take_own(Order& order, Queues& q) noexcept {
  auto next = q.slot();
  switch (order.choose(next != nullptr)) {
    case service::next:
      q.empty_slot();
      return next;
    case service::ready:
      if (next != nullptr) {
        q.empty_slot();
        q.push_ready(next);
        next = nullptr;
      }
      if (auto f = q.take_ready()) return f;
      order.ready_waits = false;  // thieves
      order.nobody_waits();
      break;
    case service::local:
      break;
  }
  if (auto f = q.take_local()) return f;
  if (next != nullptr) {
    q.empty_slot();
    return next;
  }
  if (order.ready_waits) {
    if (auto f = q.take_ready()) return f;
    order.ready_waits = false;
  }
  return next;
}

/// A step on the worker's own stack: checks what comes from outside, if it is time or was
/// requested, and serves. Null: the processor's own queues are empty, or it belongs to a frozen
/// thread now (`Env::has_processor`).
template <class Order, class Env>
auto take_checked(Order& order, Env& env) noexcept {
  using fiber = decltype(env.take_bound());
  if (order.thaw_first && env.some_frozen() && env.thaw()) return fiber{};  // ORDER-6
  const bool asked = env.asked();
  if (asked || env.check_is_due()) {
    const std::int64_t now = env.begin_check();
    order.checked(now);
    if (env.bring_ready(now)) order.prefer_ready();
    env.bring_injected();
    if (!env.some_frozen())
      order.delay_frozen(now, env.slice());
    else if (order.frozen_is_due(now, env.slice()) && env.thaw())
      return fiber{};
  }
  if (asked && order.bound_may_go())
    if (auto f = env.take_bound()) return f;
  order.bound_last = false;
  return take_own(order, env.queues());
}

}  // namespace weft::detail
