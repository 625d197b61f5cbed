// SPDX-License-Identifier: BSL-1.0
// sched/runtime_entry.cpp - thread-local state, and coming back without a processor.
#include "sched/runtime_entry.hpp"

#include <cxxabi.h>

#include <atomic>

#include "base/lock_guard.hpp"
#include "fiber/record.hpp"
#include "sched/fork.hpp"
#include "sched/park.hpp"

extern "C" void* __dso_handle;

namespace weft::detail {

#if defined(__x86_64__)
[[gnu::used]] thread_local constinit worker* current_worker = nullptr;  // named in an instruction
#else
namespace {
[[gnu::tls_model("initial-exec")]] thread_local constinit worker* current_worker = nullptr;
}  // namespace
worker* this_worker() noexcept {
  worker* w = current_worker;
  asm volatile("" : "+r"(w));  // opaque: not to be inlined, cloned or hoisted over a switch
  return w;
}
#endif

namespace {

[[gnu::tls_model("initial-exec")]] thread_local constinit bool is_monitor = false;

// A plain thread's record, for as long as the thread lives. Destructors of other thread-locals may
// run after the record was given back and wait once more: then the thread gets another one,
// registered in its turn. So this is no object with a destructor, which would run once.
thread_local constinit fiber_record* agent = nullptr;
std::atomic<std::uint64_t> threads_seen{0};  // relaxed: only uniqueness matters

void end_agent(void*) noexcept {
  fiber_record& r = *agent;
  if (fiber_extras* x = r.extras.load(std::memory_order_relaxed)) {
    upper.drop_locals(r);
    const base::lock_guard guard(r.lock);
    r.extras.store(nullptr, std::memory_order_relaxed);
    delete x;
  }
  agent = nullptr;
  r.word.set(fiber_state::unused);
  r.flags.store(0, std::memory_order_relaxed);
  give_record(r);
}

[[gnu::noinline]] fiber_record& thread_record() {
  if (agent == nullptr) {
    // the lock of the free records may be held by a thread that is not here
    refuse_in_forked_child();
    fiber_record& r = take_record();
    r.flags.store(fiber_record::is_thread, std::memory_order_relaxed);
    r.set_home(nullptr);
    r.stop_requested.store(false, std::memory_order_relaxed);
    // Not the kernel's number: that is used again.
    r.id = (std::uint64_t{1} << 63) | (threads_seen.fetch_add(1, std::memory_order_relaxed) + 1);
    r.word.set(fiber_state::running);
    agent = &r;
    abi::__cxa_thread_atexit(&end_agent, nullptr, &__dso_handle);
  }
  return *agent;
}

}  // namespace

// Only ever asked and set on threads that run no fibers, or by fibers that do not care which thread
// they ask for.
bool on_monitor() noexcept {
  bool is = is_monitor;
  asm volatile("" : "+r"(is));
  return is;
}
void set_on_monitor() noexcept { is_monitor = true; }

void set_this_worker(worker* w) noexcept { current_worker = w; }

fiber_record& this_agent() {
  const worker* w = this_worker();
  // `current` is the thread's own: no gate needed to read it.
  if (w != nullptr && w->current != nullptr) return *w->current;
  return thread_record();
}

worker* enter_slow(worker* w) noexcept {
  // Taken for good: detached. Any idle processor will do; else this fiber queues up for one.
  if (enter_to_park_slow(w)->held != nullptr) return w;
  fiber_record* self = w->current;
  if (self == nullptr) {  // nothing to queue up; on, as any other thread
    leave(*w);
    return nullptr;
  }
  // Its thread waits for a processor, instead of the fiber. False: the runtime ends, and the fiber
  // never continues.
  if (runs_stop_callbacks(*self) && w->home->wait_frozen(*w)) return w;  // CB-1
  return switch_stack(*w, *self, nullptr, switch_action::requeue);
}

worker* enter_to_park_slow(worker* w) noexcept {
  refuse_in_forked_child();
  w->held = w->gate.await_taker();
  w->detached.store(false, std::memory_order_relaxed);
  if (w->held == nullptr) static_cast<void>(w->home->sleeping().take_idle(*w));
  return w;
}

}  // namespace weft::detail
