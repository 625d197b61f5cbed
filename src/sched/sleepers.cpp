// SPDX-License-Identifier: BSL-1.0
// sched/sleepers.cpp - see the header.
#include "sched/sleepers.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "os/os.hpp"
#include "trace/event.hpp"

namespace weft::detail {

void sleepers::reserve(std::size_t processors) {
  processors_.reserve(processors);
  inactive_.reserve(processors);
}

void sleepers::attach(worker& w, processor& p) noexcept {
  w.held = &p;
  p.holder.store(&w, std::memory_order_release);  // [LIFE-5] watch_processor
  p.checked_ns = os::now_ns();                    // idle time says nothing of its steps
  p.round_ns.store(p.checked_ns, std::memory_order_relaxed);
  if (w.own_fiber != nullptr) [[unlikely]]
    p.ask_to_check();  // [OWN-1] pick_local finds nothing here
  w.gate.attach(&p);
  monitor_.wake();
}

// The caller has claimed one.
void sleepers::attach_idle(worker& w) noexcept {
  attach(w, *processors_.back());
  processors_.pop_back();
}

bool sleepers::take_idle(worker& w) noexcept {
  if (!idle_.try_claim_idle()) return false;
  const base::lock_guard guard(lock_);
  attach_idle(w);
  return true;
}

void sleepers::wake(sleeper s) noexcept {
  if (s.in_poller)
    poller_.interrupt();
  else
    wake(*s.w);
}

// The role ends with its worker, not with its wake-up: an interrupt addresses whoever waits, and
// the next one would swallow what was meant for the first.
bool sleepers::wakeable_in_poller() const noexcept {
  return in_poller_ != nullptr && !in_poller_->reserved &&
         in_poller_->assigned.load(std::memory_order_relaxed) == nullptr;
}

void sleepers::wake_one() noexcept {
  if (!idle_.try_claim_wake()) return;
  sleeper s;
  {
    const base::lock_guard guard(lock_);
    const bool last = processors_.size() == 1;
    s.in_poller = wakeable_in_poller() && (last || parked_.empty());
    s.w = s.in_poller ? in_poller_ : parked_.pop_back();
    if (s.w != nullptr) {
      WEFT_ASSERT(!processors_.empty(), "a claimed idle processor is not in the list");
      s.w->assigned.store(processors_.back(), std::memory_order_release);  // [WAKE-1] take_assigned
      processors_.pop_back();
    } else {
      // Every thread is in user code, detached, or about to sleep: the next to come takes the
      // processor [SLEEP-4]. So it must be counted again before that thread can look.
      idle_.undo_claim_wake();
    }
  }
  if (s.w == nullptr) return;
  trace::emit(trace::event::worker_wake, 0, s.w->index);
  wake(s);
}

// `f` must run on its own thread: give that thread our processor, or leave it the fiber if it has
// one already.
void sleepers::send_bound(worker& w, fiber_record& f) noexcept {
  worker& to = *f.bound;
  const std::uint64_t id = f.id;  // in the queue it is another thread's: it may run and end
  sleeper s{&to, false};
  {
    const base::lock_guard guard(lock_);
    f.link = nullptr;
    fiber_record** end = &to.bound_queue;
    while (*end != nullptr) end = &(*end)->link;
    *end = &f;
    to.resched_requested.store(1, std::memory_order_release);  // [SLEEP-3] find
    const bool asleep = (to.linked() && !to.frozen) || (in_poller_ == &to && wakeable_in_poller());
    if (!asleep) return;
    s.in_poller = in_poller_ == &to;
    if (!s.in_poller) to.unlink();
    // [WAKE-1] take_assigned
    to.assigned.store(&detach(w), std::memory_order_release);
    idle_.begin_search_for_sleeper();
  }
  trace::emit(trace::event::send_to_bound_worker, id, to.index);
  wake(s);
}

fiber_record* sleepers::take_bound(worker& w) noexcept {
  const base::lock_guard guard(lock_);
  fiber_record* f = w.bound_queue;
  if (f != nullptr) w.bound_queue = f->link;
  w.resched_requested.store(w.bound_queue != nullptr, std::memory_order_relaxed);
  return f;
}

bool sleepers::give_away(worker& w, worker*& made) noexcept {
  sleeper s;
  {
    const base::lock_guard guard(lock_);
    if (!parked_.empty()) {
      s.w = parked_.pop_back();
    } else if (made != nullptr) {
      s.w = std::exchange(made, nullptr);
    } else if (wakeable_in_poller()) {
      s = {in_poller_, true};
    } else {
      return false;
    }
    processor& p = detach(w);
    p.order.thaw_first = frozen_hint() > 0;
    idle_.begin_search_for_sleeper();
    s.w->assigned.store(&p, std::memory_order_release);  // [WAKE-1] take_assigned
  }
  trace::emit(trace::event::handoff_processor, 0, s.w->index);
  wake(s);
  return true;
}

bool sleepers::take_assigned(worker& w) noexcept {
  // What a waker left for us [WAKE-1]: wake_one, send_bound, give_away, give.
  processor* p = w.assigned.load(std::memory_order_acquire);
  if (p == nullptr) return false;
  w.assigned.store(nullptr, std::memory_order_relaxed);
  w.reserved = false;
  w.searching = true;
  attach(w, *p);
  // Its last fiber has kept others waiting, those outside, too.
  if (p->has_waiting()) {
    p->bump_tick();
    p->ask_to_check();
  }
  if (worker* frozen = std::exchange(w.froze, nullptr)) line_up_frozen(*p, *frozen);
  return true;
}

void sleepers::lie_down(worker& w) noexcept {
  processor& p = detach(w);
  const bool searching = std::exchange(w.searching, false);
  {
    const base::lock_guard guard(lock_);
    processors_.push_back(&p);
    (w.own_fiber != nullptr ? own_asleep_ : parked_).push_back(w);
  }
  idle_.retire(searching);
}

bool sleepers::rise(worker& w) noexcept {
  if (!idle_.try_unretire()) return false;
  {
    const base::lock_guard guard(lock_);
    // Reserved meanwhile: the monitor counts on us, and its rounds see the work we saw
    // (watch_idle).
    if (w.assigned.load(std::memory_order_acquire) == nullptr && !w.reserved) {
      w.unlink();
      attach_idle(w);
      w.searching = true;
      return true;
    }
    idle_.undo_claim_wake();  // somebody has woken us meanwhile, with a processor
  }
  base::real_sync::heavy_fence();  // [TIMER-1] begin_poll
  return false;
}

// It was not needed for long. More sleepers than there are idle processors [RESIZE-3] and, once
// over, processors that may block are a burst's leftovers: those end, the ones that sleep longest
// first.
bool sleepers::may_end(worker& w, std::size_t serving) noexcept {
  const base::lock_guard guard(lock_);
  // Woken or reserved just now; a fiber that lives needs this very thread.
  if (!w.linked() || w.reserved || w.bound_queue != nullptr || w.own_fiber != nullptr) return false;
  std::size_t parked = 0;
  for ([[maybe_unused]] worker& s : parked_) ++parked;
  if (parked <= processors_.size() + serving) return false;
  w.unlink();
  if (own_ended_ > 0) --own_ended_;               // [OWN-2] it may be one of those
  w.started.store(0, std::memory_order_release);  // [MON-2] nobody asks its thread any more
  return true;
}

// An unpark, or an interrupt, that brings nothing: the sleeper looks, and sleeps again.
void sleepers::ask_to_tidy() noexcept {
  // Relaxed: before the wake-ups. A worker that is awake may see it late, when it next sleeps.
  tidy_requests_.fetch_add(1, std::memory_order_relaxed);
  bool polls = false;
  {
    const base::lock_guard guard(lock_);
    for (worker& w : parked_) wake(w);
    for (worker& w : own_asleep_) wake(w);
    polls = in_poller_ != nullptr;
  }
  if (polls) poller_.interrupt();
}

bool sleepers::leave_poller(worker& w, bool wants_one) noexcept {
  const base::lock_guard guard(lock_);
  in_poller_ = nullptr;
  if (take_assigned(w)) return true;
  if (!wants_one || w.reserved || !idle_.try_claim_idle()) return false;
  if (w.linked()) w.unlink();  // put back meanwhile (release)
  attach_idle(w);
  return true;
}

void sleepers::appoint_poller() noexcept {
  const base::lock_guard guard(lock_);
  if (in_poller_ == nullptr && !parked_.empty()) wake(*parked_.back());
}

worker* sleepers::reserve_parked() noexcept {
  const base::lock_guard guard(lock_);
  worker* s = parked_.pop_back();
  if (s != nullptr) s->reserved = true;
  return s;
}

// Until another takes up the role the monitor polls [SLEEP-2].
worker* sleepers::reserve_in_poller() noexcept {
  worker* s = nullptr;
  {
    const base::lock_guard guard(lock_);
    if (!wakeable_in_poller()) return nullptr;
    s = in_poller_;
    s->reserved = true;
  }
  poller_.interrupt();
  return s;
}

void sleepers::release(worker& s) noexcept {
  const base::lock_guard guard(lock_);
  s.reserved = false;
  if (s.frozen) {  // in its handler; it is still the oldest
    frozen_.push_front(s);
    frozen_count_.fetch_add(1, std::memory_order_release);
    return;
  }
  if (in_poller_ == &s) return;  // on its way out: it finds its place by itself
  if (s.linked()) return;
  if (has_ended()) return;  // [LIFE-3] its thread has ended, or will in find_place, by end_threads
  parked_.push_back(s);
  // What could not reach it while it was reserved: bound fibers, the poller's role.
  if (s.bound_queue != nullptr || in_poller_ == nullptr) wake(s);
}

bool sleepers::any_parked() noexcept {
  const base::lock_guard guard(lock_);
  return !parked_.empty();
}

void sleepers::line_up_frozen(worker& z) noexcept {
  frozen_.push_back(z);
  z.frozen = true;
  frozen_count_.fetch_add(1, std::memory_order_release);  // [IDLE-1] work_in_sight
}

void sleepers::line_up_frozen(processor& p, worker& z) noexcept {
  line_up_frozen(z);
  p.order.delay_frozen(os::now_ns(), frozen_slice_ns_);  // it has had its turn
}

bool sleepers::line_up(worker& w) noexcept {
  {
    const base::lock_guard guard(lock_);
    if (has_ended()) return false;
    w.frozen_inside = true;
    line_up_frozen(w);
  }
  wake_one_if_needed();  // [IDLE-1]
  return true;
}

void sleepers::leave_line(worker& z) noexcept {
  z.unlink();
  z.frozen = z.frozen_inside = false;
  frozen_count_.fetch_sub(1, std::memory_order_relaxed);
}

worker* sleepers::take_frozen() noexcept {
  const base::lock_guard guard(lock_);
  if (frozen_.empty()) return nullptr;
  worker& z = *frozen_.begin();
  leave_line(z);
  return &z;
}

worker* sleepers::take_frozen_outside() noexcept {
  const base::lock_guard guard(lock_);
  for (worker& z : frozen_)
    if (!z.frozen_inside) {
      leave_line(z);
      return &z;
    }
  return nullptr;
}

// It stays `frozen`: what is reserved so goes back to the line (release), not to bed.
worker* sleepers::reserve_frozen() noexcept {
  const base::lock_guard guard(lock_);
  worker* z = frozen_.pop_front();
  if (z == nullptr) return nullptr;
  frozen_count_.fetch_sub(1, std::memory_order_relaxed);
  z->reserved = true;
  return z;
}

void sleepers::unfreeze(worker& z) noexcept {
  const base::lock_guard guard(lock_);
  z.frozen = z.reserved = false;
}

// In a handler, perhaps. The lock is safe there: a thread that holds one of weft's is never frozen.
void sleepers::take_turn(worker& w, processor& p) noexcept {
  const base::lock_guard guard(lock_);
  w.reserved = w.frozen = w.frozen_inside = false;
  if (worker* other = std::exchange(w.froze, nullptr)) line_up_frozen(p, *other);
}

bool sleepers::replace_by_ended_own() noexcept {
  const base::lock_guard guard(lock_);
  if (own_ended_ == 0) return false;
  --own_ended_;
  return true;
}

void sleepers::end_own(worker& w) noexcept {
  const base::lock_guard guard(lock_);
  w.own_fiber = nullptr;
  ++own_ended_;
}

// [IDLE-1] It is uncounted by a claim, as if it had been woken. A submitter that finds no idle
// processor now finds every other holder busy, and each looks before it retires.
processor* sleepers::deactivate_idle(processor_counts& counts) noexcept {
  const base::lock_guard guard(lock_);
  const auto it = std::find_if(processors_.begin(), processors_.end(),
                               [](const processor* q) { return q->index != 0; });
  if (it == processors_.end() || !counts.try_claim()) return nullptr;
  if (!idle_.try_claim_idle()) {  // all of them have been promised to sleepers
    counts.undo_claim();
    return nullptr;
  }
  processor* p = *it;
  *it = processors_.back();
  processors_.pop_back();
  inactive_.push_back(p);
  return p;
}

void sleepers::add_inactive(processor& p) noexcept {
  const base::lock_guard guard(lock_);
  inactive_.push_back(&p);
}

processor* sleepers::take_inactive() noexcept {
  const base::lock_guard guard(lock_);
  if (inactive_.empty()) return nullptr;
  processor* p = inactive_.back();
  inactive_.pop_back();
  return p;
}

void sleepers::add_idle(processor& p, processor_counts& counts) noexcept {
  {
    const base::lock_guard guard(lock_);
    processors_.push_back(&p);
    counts.grow();
  }
  idle_.retire(false);  // [IDLE-1] counts it, and fences
}

bool sleepers::has_sleeper_for_one_more() noexcept {
  const base::lock_guard guard(lock_);
  std::size_t asleep = wakeable_in_poller() ? 1 : 0;
  for ([[maybe_unused]] worker& s : parked_) ++asleep;
  return asleep > processors_.size();
}

void sleepers::end() noexcept {
  const base::lock_guard guard(lock_);
  ended_.store(true, std::memory_order_release);  // [LIFE-3] find_place
}

}  // namespace weft::detail
