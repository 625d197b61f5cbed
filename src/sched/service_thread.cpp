// SPDX-License-Identifier: BSL-1.0
// sched/service_thread.cpp - one thread that does for the monitor what may allocate, block, or run
// the user's code: it makes spare threads and calls on_stall.
//
// [MON-3] The monitor never allocates, and never waits for a lock under which another thread may.
// The thread that holds malloc's lock may be a frozen one, and only the monitor makes a frozen
// thread continue when all others wait for it. So:
//
//   what it readies       goes to a chain of records, not to the inject queue (inject, bring_late)
//   timers                are fired if their lock is free; a worker may be in malloc under it
//                         (timer_queue::add)
//   affinity and quota    are read here (resize.cpp)
//   a spare it lacks      is requested here; the next round, 50 us later, looks again
//   memory of idle stacks goes back to the kernel from here, in pieces (fiber/stack_trim.hpp)
//   a stall it sees       is left in the worker's slot, which is this thread's until it has told
//                         the user
//
// Signal handlers call it, too, for what a handler must not do (wake_word.hpp; debug/inspect.cpp).
// If the service thread itself waits for a frozen thread's lock, the monitor thaws that thread as
// for a worker [PREEMPT-3].
// Rejected: reserving memory for each of these beforehand (pthread_create alone allocates in five
// places).
#include <algorithm>

#include "fiber/stack_trim.hpp"
#include "sched/runtime_entry.hpp"
#include "trace/session.hpp"

namespace weft::detail {
namespace {
// no thread to be had, or at the limit: not every round
constexpr std::int64_t pause_after_failure_ns = 5'000'000;
}  // namespace

void scheduler::service_main() noexcept {
  os::set_thread_name(options_.name, "-service_thread");
  service_thread_id_.store(os::thread_id(), std::memory_order_relaxed);
  aide_stat_.open(os::thread_id());
  for (;;) {
    // [SERVICE-1] wake_service_thread
    const std::uint32_t heard = wake_word_.calls.load(std::memory_order_acquire);
    if (service_ends_.load(std::memory_order_acquire)) return;
    service_busy_since_.store(os::now_ns(), std::memory_order_relaxed);
    make_spares_asked_for();
    if (options_.workers == 0) resize();
    report_stalls();
    if (idle_too_long_.exchange(false, std::memory_order_acquire)) check_idle_(*this);
    if (auto* const callback = service_callback.load(std::memory_order_acquire)) callback();
    if (schedtrace_every_ns_ != 0) schedtrace_at_ns_ = print_schedtrace();
    const std::int64_t next = std::min(schedtrace_at_ns_, trim_idle_stacks());
    service_busy_since_.store(0, std::memory_order_relaxed);
    if (next == INT64_MAX)
      os::futex_wait(wake_word_.calls, heard);
    else
      static_cast<void>(os::futex_wait_until(wake_word_.calls, heard, steady_at(next)));
  }
}

// [SERVICE-1] What is asked is stored first, then the count changes: the service thread sees it in
// this turn, or does not sleep.
void scheduler::wake_service_thread() noexcept { wake_word_.ring(); }

// False: there is no hope at present.
bool scheduler::ask_for_spares(std::size_t n) noexcept {
  if (os::now_ns() < spares_hopeless_until_.load(std::memory_order_relaxed)) return false;
  if (spares_asked_.exchange(static_cast<std::uint32_t>(n), std::memory_order_relaxed) < n)
    wake_service_thread();
  return true;
}

void scheduler::make_spares_asked_for() noexcept {
  for (;;) {
    const std::uint32_t n = spares_asked_.load(std::memory_order_relaxed);
    if (n == 0) return;
    worker* s = make_spare();
    if (s == nullptr) {
      spares_hopeless_until_.store(os::now_ns() + pause_after_failure_ns,
                                   std::memory_order_relaxed);
      spares_asked_.store(0, std::memory_order_relaxed);  // asked again if one is still needed
      return;
    }
    s->next_made = made_.load(std::memory_order_relaxed);
    // take_made_spares
    while (!made_.compare_exchange_weak(s->next_made, s, std::memory_order_release,
                                        std::memory_order_relaxed)) {
    }
    std::uint32_t expected = n;
    spares_asked_.compare_exchange_strong(expected, n - 1, std::memory_order_relaxed);
  }
}

// The monitor's, reserved for it.
void scheduler::take_made_spares() noexcept {
  for (worker* s = made_.exchange(nullptr, std::memory_order_acquire); s != nullptr;
       s = s->next_made)
    prepared_.push_back(s);
}

void scheduler::report_stalls() noexcept {
  for_each_worker([&](worker& w) {
    if (!w.stall.to_report.load(std::memory_order_acquire)) return;  // [SERVICE-2] report_stall
    trace::note_stall(w.stall.told_fiber, static_cast<std::uint64_t>(w.stall.told_kind), w.index);
    if (options_.on_stall) {
      fiber_record* const f = w.stall.told_record;
      stall_report report{
          w.stall.told_fiber, {}, std::chrono::nanoseconds(w.stall.told_ns), w.stall.told_kind, {}};
      try {
        report.fiber_name = w.stall.told_name;
        if (f != nullptr) report.calls = calls_of_(*f, w.stall.told_fiber);
      } catch (const std::bad_alloc&) {  // reported without it
      }
      options_.on_stall(report);
    }
    // [SERVICE-2] the slot is the monitor's again
    w.stall.to_report.store(false, std::memory_order_release);
  });
}

void scheduler::watch_idle_stacks() noexcept {
  if (!claim_trim()) return;
  trims_.store(true, std::memory_order_relaxed);
  wake_service_thread();
}

std::int64_t scheduler::trim_idle_stacks() noexcept {
  // Taken back first: when trim_stacks has ended our claim, the next one may be the monitor's
  // before we are here again.
  if (!trims_.exchange(false, std::memory_order_relaxed)) return INT64_MAX;
  const std::int64_t next = trim_stacks(os::now_ns());
  if (next != INT64_MAX) trims_.store(true, std::memory_order_relaxed);
  return next;
}

void scheduler::end_service_thread() noexcept {
  service_ends_.store(true, std::memory_order_release);
  wake_service_thread();
  if (service_thread_.joinable()) service_thread_.join();
  if (trims_.exchange(false, std::memory_order_relaxed)) unclaim_trim();
  if (std::exchange(has_wake_word_, false)) take_down(wake_word_);
}

}  // namespace weft::detail
