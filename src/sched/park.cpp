// SPDX-License-Identifier: BSL-1.0
// sched/park.cpp - the slow halves of park.hpp: leaving the stack, sleeping a plain thread,
// queueing the woken.
#include "sched/park.hpp"

#include <cstdlib>
#include <stop_token>
#include <string>
#include <utility>

#include <sched.h>

#include <weft/detail/waiting.hpp>

#include "base/check.hpp"
#include "base/futex_lock.hpp"
#include "base/one_line.hpp"
#include "os/os.hpp"
#include "sched/callback_runners.hpp"
#include "sched/fork.hpp"
#include "sched/runtime_entry.hpp"
#include "trace/event.hpp"

namespace weft::detail {

constinit std::atomic<void (*)(fiber_record&) noexcept> before_park{nullptr};

namespace {

// CB-1  A fiber does not wait in the std::stop_callbacks that its stop request runs. That class
//       recognises the caller by its thread, and while the fiber waits, others run on that thread;
//       one of them that destroys the callback would not wait for its end. So a wait there ends the
//       process, with a report. A fiber with a thread of its own may wait. If the processor was
//       taken meanwhile (a retake, block_in_place), the fiber does not queue up for one at its next
//       call: its thread waits for one together with it, frozen (enter_slow).
constinit basic_callback_runners<base::real_sync, base::futex_lock, fiber_record> runners{};

class running_callbacks {
 public:
  running_callbacks() noexcept {
    worker* w = enter();
    if (w == nullptr) return;  // a plain thread waits as it likes
    self_ = w->current;
    if (self_ != nullptr && self_->has(fiber_record::pinned)) self_ = nullptr;  // nobody else's
    if (self_ != nullptr) runners.add(me_, *self_);
    leave(*w);
  }
  ~running_callbacks() {
    if (self_ == nullptr) return;
    worker* w = enter();
    runners.remove(me_);
    leave(*w);
  }
  running_callbacks(const running_callbacks&) = delete;
  running_callbacks& operator=(const running_callbacks&) = delete;

  [[nodiscard]] static bool any() noexcept { return runners.any(); }
  // Inside weft. A child that runs on the stack of its joiner would take that along.
  [[nodiscard]] static bool of(const fiber_record& self) noexcept {
    if (!runners.any()) [[likely]]
      return false;
    const fiber_record* f = &self;
    while (!runners.has(*f)) {
      if (!f->has(fiber_record::inlined)) return false;
      f = f->outer;
    }
    return true;
  }

 private:
  fiber_record* self_ = nullptr;
  decltype(runners)::runner me_;
};

[[noreturn, gnu::noinline, gnu::cold]] void refuse_to_wait(const fiber_record& self) noexcept {
  std::string text = "weft: fiber " + std::to_string(self.id);
  if (const fiber_extras* x = self.extras.load(std::memory_order_relaxed);
      x != nullptr && !x->name.empty())
    text += " \"" + one_line(x->name) + "\"";
  text += std::string(" waits (") + to_text(self.reason.load(std::memory_order_relaxed)) +
          ") in a std::stop_callback that its stop request runs. That class knows who runs it by "
          "the thread, on which other "
          "fibers run meanwhile: one that destroys it would not wait for its end.\nweft: use "
          "weft::stop_callback, whose "
          "function may wait, or let the callback only tell somebody (spawn, event, try_send); "
          "aborting\n";
  os::write_stderr(text);
  std::abort();
}

// A worker that destroys a callable it had no stack for waits as a plain thread does. Not inside
// weft, where nobody could take its processor.
class outside_weft {
 public:
  outside_weft() noexcept {
    worker* const w = this_worker();
    if (w == nullptr || !w->gate.inside()) return;
    was_inside_ = true;
    leave(*w);
  }
  ~outside_weft() {
    if (was_inside_) static_cast<void>(enter_to_park());
  }
  outside_weft(const outside_weft&) = delete;
  outside_weft& operator=(const outside_weft&) = delete;

 private:
  bool was_inside_ = false;
};

// A plain thread sleeps on its own word.
wake_code park_thread(fiber_record& self, std::int64_t deadline_ns) {
  refuse_in_forked_child();
  const outside_weft here;
  const epoch_t e = self.word.epoch();
  self.parked_ns.store(os::now_ns(), std::memory_order_relaxed);
  self.thread_deadline.store(deadline_ns != timer_queue::never, std::memory_order_relaxed);
  const auto stop = [&] { return self.stop_requested.load(std::memory_order_seq_cst); };
  if (self.word.commit(stop) == commit_duty::none) {
    // Acquire [PARK-1]: what the waker did before enqueue().
    while (self.thread_wake.load(std::memory_order_acquire) == 0) {
      if (deadline_ns == timer_queue::never) {
        os::futex_wait(self.thread_wake, 0);
      } else if (!os::futex_wait_until(self.thread_wake, 0, steady_at(deadline_ns))) {
        deadline_ns = timer_queue::never;
        // Won: no other thread will set the word. Lost: the winner is about to.
        if (self.word.wake(e, wake_code::timeout) == wake_duty::enqueue) break;
      }
    }
    self.thread_wake.store(0, std::memory_order_relaxed);
  }
  self.word.set(fiber_state::running);
  return self.word.code();
}

// There is no memory for the deadline: its entry stays here, on the stack that parks [TIMER-4].
[[gnu::noinline, gnu::cold]] worker* leave_unstored(worker* w, fiber_record& self,
                                                    std::int64_t deadline_ns,
                                                    timer_queue& timers) noexcept {
  timer_queue::unstored mine(deadline_ns, self.make_ticket(self.word.epoch()));
  timers.add(mine);
  if (w->held == nullptr) w->home->tell_of_timer(deadline_ns);
  fiber_record* const next = w->held != nullptr ? pick_prepared(*w) : nullptr;
  w = switch_stack(*w, self, next, switch_action::park);
  timers.remove(mine);
  return w;
}

// Off the stack; comes and goes inside weft.
[[gnu::always_inline]] inline worker* switch_to_park(worker* w, fiber_record& self,
                                                     std::int64_t deadline_ns) {
  trace::emit(trace::event::fiber_park, self.id,
              static_cast<std::uint64_t>(self.reason.load(std::memory_order_relaxed)),
              reinterpret_cast<std::uintptr_t>(self.wait_object.load(std::memory_order_relaxed)));
  w->counters.parks.add();
  if (running_callbacks::of(self)) [[unlikely]]
    refuse_to_wait(self);  // CB-1
  // [PARK-4]
  if (auto* look = before_park.load(std::memory_order_acquire)) [[unlikely]]
    look(self);
  fiber_record* next = nullptr;
  if (w->held != nullptr) [[likely]] {
    self.parked_ns.store(w->held->round_ns.load(std::memory_order_relaxed),
                         std::memory_order_relaxed);
    if (deadline_ns != timer_queue::never &&
        !w->held->timers.add(deadline_ns, self.make_ticket(self.word.epoch()))) [[unlikely]]
      return leave_unstored(w, self, deadline_ns, w->held->timers);
    next = pick_prepared(*w);
  } else {
    self.parked_ns.store(os::now_ns(), std::memory_order_relaxed);
    if (deadline_ns != timer_queue::never) {
      timer_queue& timers = w->home->timers_for_outside();
      if (!timers.add(deadline_ns, self.make_ticket(self.word.epoch())))
        return leave_unstored(w, self, deadline_ns, timers);
      w->home->tell_of_timer(deadline_ns);
    }
  }
  return switch_stack(*w, self, next, switch_action::park);
}

}  // namespace

wake_code finish_park(fiber_record& self, std::int64_t deadline_ns) {
  wake_code code;
  if (self.has(fiber_record::is_thread)) {
    code = park_thread(self, deadline_ns);
  } else if (self.word.woken_early()) {
    self.word.set(fiber_state::running);
    code = self.word.code();
  } else {
    leave(*switch_to_park(enter_to_park(), self, deadline_ns));
    code = self.word.code();
  }
  self.reason.store(park_reason::none, std::memory_order_relaxed);
  return code;
}

wake_code finish_park_if_stored(fiber_record& self, std::int64_t deadline_ns, bool& starved) {
  if (deadline_ns == timer_queue::never || self.has(fiber_record::is_thread) ||
      self.word.woken_early())
    return finish_park(self, deadline_ns);
  worker* w = enter_to_park();
  if (w->held != nullptr) [[likely]] {
    if (!w->held->timers.add(deadline_ns, self.make_ticket(self.word.epoch()))) [[unlikely]] {
      starved = cancel_park(self);
      leave(*w);
      return starved ? wake_code::timeout : self.word.code();
    }
    deadline_ns = timer_queue::never;  // it is stored already
  }
  leave(*switch_to_park(w, self, deadline_ns));
  self.reason.store(park_reason::none, std::memory_order_relaxed);
  return self.word.code();
}

wake_code finish_park_inside(fiber_record& self, worker*& w, std::int64_t deadline_ns) {
  if (self.has(fiber_record::is_thread)) {
    const wake_code code = park_thread(self, deadline_ns);
    self.reason.store(park_reason::none, std::memory_order_relaxed);
    return code;
  }
  if (self.word.woken_early())
    self.word.set(fiber_state::running);
  else
    w = switch_to_park(w, self, deadline_ns);
  self.reason.store(park_reason::none, std::memory_order_relaxed);
  return self.word.code();
}

bool runs_stop_callbacks(const fiber_record& self) noexcept { return running_callbacks::of(self); }

namespace {
bool in_a_callback() noexcept {
  const worker* w = this_worker();
  return w != nullptr && w->current != nullptr && running_callbacks::of(*w->current);  // CB-1
}
}  // namespace

void yield() noexcept {
  if (running_callbacks::any() && in_a_callback()) [[unlikely]] {
    ::sched_yield();
    return;
  }
  worker* w = this_worker();
  // a thread; a worker that destroys a callable it had no stack for
  if (w == nullptr || w->current == nullptr) {
    ::sched_yield();
    return;
  }
  w = enter(w);
  fiber_record& self = *w->current;
  fiber_record* f = pick_prepared(*w);
  if (f != nullptr || w->held->check_is_due() ||
      w->resched_requested.load(std::memory_order_relaxed) != 0) {
    trace::emit(trace::event::fiber_yield, self.id);
    w = switch_stack(*w, self, f, switch_action::yield);
  }
  leave(*w);
}

constinit std::atomic<std::uint32_t> resched_requests{0};

void yield_if_requested() noexcept {
  if (running_callbacks::any() && in_a_callback()) [[unlikely]]
    return;
  const worker* w = this_worker();
  if (w == nullptr || w->current == nullptr) return;
  WEFT_ASSERT(base::locks_held == 0, "a fiber gives way with a lock of weft's");
  yield();
}

void resched_if_requested() noexcept { yield_if_requested_slow(); }

bool wake(ticket t, wake_code code) noexcept {
  fiber_record& f = record_of(t);
  const wake_duty duty = f.word.wake(t.epoch(), code);
  if (duty == wake_duty::enqueue) enqueue(f);
  return duty != wake_duty::stale;
}

// CB-2  A std::stop_callback of weft's own, which ends a wait with a token, does not move the fiber
//       that runs it, whoever made the request: the application's own is not in the list of CB-1.
//       Without a processor, and with none idle, that fiber does not queue up for one: it goes on
//       as after a retake, and what it wakes goes to the inject queue.
// Rejected: the same for every wake (a fiber that computes, and calls nothing but set and release,
// would go on beside the processors for ever).
void wake_from_callback(ticket t, wake_code code) noexcept {
  const worker* const me = this_worker();
  if (me == nullptr || me->current == nullptr || me->gate.inside()) {
    wake(t, code);
    return;
  }
  static_cast<void>(enter_to_park());
  wake(t, code);  // inside: make_runnable
  worker& w = *this_worker();
  if (w.held == nullptr) w.detached.store(true, std::memory_order_relaxed);
  leave(w);
}

void enqueue(fiber_record& f) noexcept {
  if (f.has(fiber_record::is_thread)) {
    f.thread_wake.store(1, std::memory_order_release);  // [PARK-1] park_thread
    os::futex_wake(f.thread_wake, 1);
  } else {
    f.home->make_runnable(f);
  }
}

void stop_work::run() noexcept {
  if (woken != nullptr) enqueue(*woken);
  if (source.stop_possible()) {
    const running_callbacks now;
    source.request_stop();
  }
  if (listener != nullptr) listener->tell();
}

stop_work begin_stop(fiber_record& f) noexcept {
  stop_work work;
  const base::lock_guard guard(f.lock);
  // [REC-2]
  if (const fiber_extras* x = f.extras.load(std::memory_order_acquire)) work.source = x->stop;
  return work;
}

stop_work mark_stopped(fiber_record& f) noexcept {
  stop_work work;
  {
    const base::lock_guard guard(f.lock);
    work.listener = stop_listener::request(f.stop_requested, f.on_stop);
    // [REC-2]
    if (const fiber_extras* x = f.extras.load(std::memory_order_acquire)) work.source = x->stop;
  }
  if (f.word.wake_for_stop() == wake_duty::enqueue) work.woken = &f;
  return work;
}

// The user's callbacks run before the wait ends, or the woken fiber could take them back unrun. The
// second half has them again, for a token that was made in between.
void request_stop(fiber_record& f) noexcept {
  begin_stop(f).run();
  mark_stopped(f).run();
}

// The woken fiber runs next, on what its waker left warm. The fiber that was to run next goes
// behind the others, where idle processors find it. One fiber in the slot wakes nobody: it runs
// when the waker parks, in a moment, and the monitor sees to it that "a moment" holds
// (share_out). A wake-up costs 12 us, and 30 until the sleeper runs.
void scheduler::make_runnable_inside(worker& w, fiber_record& f) noexcept {
  trace_ready(&w, f, id_of_current(w));
  put_next(w, f);
}

void scheduler::put_next(worker& w, fiber_record& f) noexcept {
  processor& p = *w.held;
  fiber_record* displaced = p.next.load(std::memory_order_relaxed);
  p.next.store(&f, std::memory_order_relaxed);
  if (displaced != nullptr) {
    p.push_ready(displaced);
    wake_one_if_needed();
  }
}

void scheduler::make_runnable(fiber_record& f) noexcept {
  worker* w = this_worker();
  if (w == nullptr || w->home != this || (w->gate.inside() && w->held == nullptr))
    trace_ready(w, f, w != nullptr ? id_of_current(*w) : 0);
  if (w == nullptr) {
    inject_from_outside(f);
    return;
  }
  if (w->home != this) {
    // Inside weft all the same: a thread that is stopped with the locks of a foreign runtime would
    // stop that, too.
    if (w->gate.inside()) {
      inject_from_outside(f);
      return;
    }
    w = enter();
    inject_from_outside(f);
    if (w != nullptr) leave(*w);
    return;
  }
  if (w->gate.inside()) {  // the scheduler itself, below us on this stack
    if (w->held != nullptr)
      make_runnable_inside(*w, f);
    else
      inject(f);
    return;
  }
  w = enter();
  if (w == nullptr) [[unlikely]] {
    trace_ready(nullptr, f, 0);
    return inject(f);
  }
  make_runnable_inside(*w, f);
  leave(*w);
}

}  // namespace weft::detail
