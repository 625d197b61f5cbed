// SPDX-License-Identifier: BSL-1.0
// sched/door.cpp - thread-local state, and coming back without a processor.
#include "sched/door.hpp"

#include <mutex>

#include "fiber/record.hpp"
#include "sched/park.hpp"

namespace weft::detail {
namespace {

// initial-exec: one load in a shared library, too, where the default model is a call.
[[gnu::tls_model("initial-exec")]] thread_local constinit worker* current_worker = nullptr;

// A plain thread's record, for as long as the thread lives.
struct thread_strand {
  fiber_record* record = nullptr;
  ~thread_strand() {
    if (record == nullptr) return;
    if (fiber_extras* x = record->extras.load(std::memory_order_relaxed)) {
      drop_locals(*record);
      const std::lock_guard guard(record->lock);
      record->extras.store(nullptr, std::memory_order_relaxed);
      delete x;
    }
    record->word.set(fiber_state::unused);
    record->flags.store(0, std::memory_order_relaxed);
    give_record(*record);
  }
};
thread_local thread_strand strand;

[[gnu::noinline]] fiber_record& thread_record() {
  if (strand.record == nullptr) {
    fiber_record& r = take_record();
    r.flags.store(fiber_record::is_thread, std::memory_order_relaxed);
    r.home = nullptr;
    r.stop_requested.store(false, std::memory_order_relaxed);
    r.id = (std::uint64_t{1} << 63) | static_cast<std::uint64_t>(os::thread_id());
    r.word.set(fiber_state::running);
    strand.record = &r;
  }
  return *strand.record;
}

}  // namespace

worker* this_worker() noexcept {
  worker* w = current_worker;
  asm volatile("" : "+r"(w));  // opaque: not to be inlined, cloned or hoisted over a switch
  return w;
}

void set_this_worker(worker* w) noexcept { current_worker = w; }

fiber_record& this_strand() {
  const worker* w = this_worker();
  // `current` is the thread's own: no gate needed to read it.
  if (w != nullptr && w->current != nullptr) return *w->current;
  return thread_record();
}

worker* enter_slow(worker* w) noexcept {
  processor* p = w->gate.settle();
  if (p != nullptr) {
    w->held = p;
    return w;
  }
  // Taken for good: detached. Any idle processor will do; else this fiber queues up for one.
  w->held = nullptr;
  if (w->home->take_idle_processor(*w)) return w;
  fiber_record* self = w->current;
  if (self == nullptr) return w;
  return leave_stack(*w, *self, nullptr, leave_action::requeue);
}

}  // namespace weft::detail
