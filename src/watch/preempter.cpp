// SPDX-License-Identifier: BSL-1.0
// watch/preempter.cpp - see the header.
#include "watch/preempter.hpp"

#include <string>
#include <system_error>
#include <utility>

#include "base/futex_lock.hpp"
#include "os/errno_guard.hpp"
#include "os/os.hpp"
#include "sched/preempt_trace.hpp"
#include "trace/event.hpp"
#include "watch/runtime_watch.hpp"

namespace weft::detail {
namespace {

constexpr std::int64_t longest_stand_by_ns = 5'000'000;

}  // namespace

preempter::preempter(scheduler& s, spares& spare) : s_(s), spares_(spare) {
  const options& o = s.settings();
  if (o.time_slice.count() == 0 || o.preempt_signal == 0) return;
  if (const auto ec = os::install_signal_handler(o.preempt_signal, &on_signal))
    throw std::system_error(ec, "weft: no handler for options::preempt_signal " +
                                    std::to_string(o.preempt_signal) +
                                    " could be installed; choose another, or 0 for none");
}

bool preempter::on_signal(int, siginfo_t* info, void* context) {
  const bool own = os::is_own_signal(info);
  if (!own && !os::may_be_own_signal(info)) return false;
  worker* w = this_worker();
  if (w == nullptr || !w->preemption.accept()) return own;  // [PREEMPT-2] a late one
  const int saved = os::error_number();
  if (w->gate.inside() || base::locks_held != 0)
    w->resched_requested.store(1, std::memory_order_relaxed);
  else
    static_cast<runtime_watch&>(w->home->watch()).preemption().freeze(*w, context);
  os::set_error_number(saved);
  return true;
}

bool preempter::ask(processor& p, worker& w) noexcept {
  const std::uint32_t tick = p.seen.tick;
  if (!w.can_freeze) return true;
  if (!w.preemption.provided()) {
    worker* s = spares_.reserve();
    if (s == nullptr && spares_.is_awaited()) return false;
    if (s == nullptr && (s = s_.sleeping().reserve_frozen()) == nullptr) return true;
    const bool stands_by = s->frozen;
    s->stands_by_since_ns = stands_by ? os::now_ns() : 0;
    w.preemption.provide(*s);  // a signal that is late may take it at once
    ++successors_;
    standing_by_ += stands_by;
  }
  w.preemption.ask(tick);
  if (os::send_preempt_signal(w.thread_id(), s_.settings().preempt_signal)) w.preemption.withdraw();
  return true;
}

// Successors whose worker came back to the scheduler before the signal found it; and a frozen one
// after a while, since others may have a turn for it.
void preempter::collect_successors() noexcept {
  if (successors_ == 0) return;
  int taken = std::exchange(successors_, 0);
  standing_by_ = 0;
  const std::int64_t now = os::now_ns();
  s_.for_each_worker([&](worker& w) {
    const worker* const provided = w.preemption.provided();
    if (provided == nullptr) return;
    --taken;
    const processor* p = w.gate.held();
    const std::int64_t stands_by = provided->stands_by_since_ns;
    const bool patient = stands_by == 0 || now - stands_by < longest_stand_by_ns;
    if (patient && p != nullptr && p->seen.tick == p->tick.load(std::memory_order_relaxed)) {
      ++successors_;
      standing_by_ += stands_by != 0;
      return;
    }
    if (worker* s = w.preemption.take_back()) s_.sleeping().release(*s);  // PREEMPT-1
  });
  // The next ones are made meanwhile: on a busy machine a thread needs many times a slice to come
  // up, and the fiber that computes now would have all that for itself.
  if (taken > 0) spares_.prepare(static_cast<std::size_t>(taken));
}

worker* preempter::take_back_standing_by() noexcept {
  worker* z = nullptr;
  if (standing_by_ > 0)
    s_.for_each_worker([&](worker& w) {
      const worker* const s = w.preemption.provided();
      // PREEMPT-1
      if (z == nullptr && s != nullptr && s->stands_by_since_ns != 0) z = w.preemption.take_back();
      if (z != nullptr && z->frozen_inside) s_.sleeping().release(*std::exchange(z, nullptr));
    });
  return z;
}

// In the handler, outside weft, on the worker's alternate stack.
void preempter::freeze(worker& w, const void* context) noexcept {
  processor* p = w.gate.enter();
  const fiber_record* f = w.current;
  const bool may = p != nullptr && f != nullptr && !f->has(fiber_record::unpreemptible) &&
                   f->no_preempt.load(std::memory_order_relaxed) == 0 &&
                   p->tick.load(std::memory_order_relaxed) == w.preemption.tick();
  if (!may || !w.gate.detach(p)) {
    w.gate.leave();
    return;
  }
  worker* s = w.preemption.take_spare();  // PREEMPT-1
  if (s == nullptr) {
    w.gate.attach(p);  // no other thread could reach it meanwhile
    w.gate.leave();
    return;
  }
  w.held = nullptr;
  p->holder.store(nullptr, std::memory_order_relaxed);
  if (trace::listened_to()) trace_interrupted_stack(*f, context);
  trace::emit(trace::event::preempt, f->id);
  count_.fetch_add(1, std::memory_order_relaxed);
  s->froze = &w;
  const frozen_context::stay here(w.frozen_at, registers::of(context));
  s_.sleeping().assign(*s, *p);
  if (!s_.wait_for_turn(w)) w.detached.store(true, std::memory_order_relaxed);  // thaw_detached
  trace::emit(trace::event::thaw, f->id);
  w.gate.leave();
}

}  // namespace weft::detail
