// SPDX-License-Identifier: BSL-1.0
// sched/stack_look.cpp - see the header.
#include "sched/stack_check.hpp"

#include <csignal>
#include <cstdlib>

#include "os/os.hpp"
#include "sched/hooks.hpp"
#include "sched/park.hpp"

namespace weft::detail {

namespace {

// what had before_park; release [PARK-4]
std::atomic<void (*)(fiber_record&) noexcept> looked_before{nullptr};

void report_ran_off(const fiber_record& f) noexcept {
  upper.report_overflow(f);
  std::abort();
}

void look_at_park(fiber_record& f) noexcept {
  const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
  const fiber_record* owner = &f;
  while (owner->has(fiber_record::inlined)) owner = owner->outer;
  const auto limit = reinterpret_cast<std::uintptr_t>(owner->stack_limit);
  // the difference may be negative by now
  const bool deep = here < limit + slot_size(owner->stack) / 4;
  if (deep && ran_off(owner->stack_limit)) report_ran_off(f);
  if (auto* next = looked_before.load(std::memory_order_acquire)) next(f);
}

}  // namespace

void look_at_end(const fiber_record& f) noexcept {
  if (ran_off(f.stack_limit)) report_ran_off(f);
}

// By each taking of a stack, so before any fiber can park on it.
void look_at_parks() noexcept {
  auto* now = before_park.load(std::memory_order_acquire);
  while (now != &look_at_park) {
    looked_before.store(now, std::memory_order_release);
    if (before_park.compare_exchange_weak(now, &look_at_park, std::memory_order_acq_rel,
                                          std::memory_order_acquire))
      return;
  }
}

// The fiber may go on meanwhile: what was found out about the stack is true all the same, and its
// thread looks again.
void snapshot_running(processor& p, worker& w) noexcept {
  if (!w.gate.try_take(&p)) return;
  const std::byte* const limit = w.current != nullptr ? w.current->stack_limit : nullptr;
  w.gate.give_back(&p);
  if (limit != nullptr && ran_off(limit))
    static_cast<void>(os::send_preempt_signal(w.thread_id(), SIGBUS));
}

}  // namespace weft::detail
