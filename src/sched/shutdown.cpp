// SPDX-License-Identifier: BSL-1.0
// sched/shutdown.cpp - the end of a runtime, in the numbered steps of runtime.hpp, and what becomes
// of fibers that do not end.
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <system_error>

#include "base/lock_guard.hpp"
#include "base/one_line.hpp"
#include "sched/fork.hpp"
#include "sched/hooks.hpp"
#include "sched/park.hpp"
#include "sched/runtime_entry.hpp"

namespace weft::detail {

std::size_t scheduler::shutdown() {
  refuse_in_forked_child();
  if (const worker* w = this_worker(); w != nullptr && w->home == this)
    throw std::system_error(
        std::make_error_code(std::errc::resource_deadlock_would_occur),
        "weft: a fiber cannot shut down the runtime it runs on; return from it, or ask "
        "another thread");
  const base::lock_guard guard(shutdown_lock_);
  if (phase_.load(std::memory_order_relaxed) == phase::ended) return stragglers_;
  phase_.store(phase::stopping, std::memory_order_seq_cst);  // 1; [LIFE-1] accepts_spawns
  const std::int64_t deadline = os::now_ns() + span_ns(options_.shutdown_timeout);
  if (live_fibers() > 0) ask_all_to_stop();  // 2
  if (!wait_until_empty(deadline)) {         // 3
    stragglers_ = find_stragglers();         // 4
    if (stragglers_ > 0 && options_.on_stragglers == straggler_policy::abort) std::abort();
  }
  phase_.store(phase::ended, std::memory_order_seq_cst);
  end_threads();  // 5
  // Those who made the last fibers runnable may be on their way out. [LIFE-7] With fibers left
  // behind the memory stays.
  if (stragglers_ == 0) visitors_.wait_for_none([] { ::sched_yield(); });
  if (stragglers_ > 0) {                                      // 6
    stragglers_left_.store(true, std::memory_order_seq_cst);  // [LEFT-1] worker_main
    leave_behind();
  }
  return stragglers_;
}

// [LEFT-1] Those left behind take nothing more. Their waits are won here, and enqueued nowhere: to
// a giver of a value, a permit, a lock or a notification each of them has given up (WAIT-1,
// CHAN-3), and the next one is tried. A join of one fails, now or later (join_word). One that is
// still on its stack, in user code on a thread that was left, has no wait yet: when it parks, its
// thread ends, and comes by here (worker_main).
void scheduler::leave_behind() noexcept {
  constexpr std::uint32_t at_once = 1024;
  const std::uint32_t count = record_count();
  for (std::uint32_t first = 1; first < count; first += at_once) {
    fiber_record* joiners = nullptr;
    {
      const records_held hold;
      for (std::uint32_t i = first; i < std::min(count, first + at_once); ++i) {
        fiber_record& f = record_at(i);
        if (!f.lives_in(this)) continue;
        f.word.leave_behind();
        const ticket joiner{f.join.leave_behind()};
        if (!joiner) continue;
        fiber_record& r = record_of(joiner);
        if (r.word.wake(joiner.epoch(), wake_code::ready) != wake_duty::enqueue || r.lives_in(this))
          continue;
        r.link = joiners;
        joiners = &r;
      }
    }
    while (joiners != nullptr) enqueue(*std::exchange(joiners, joiners->link));
  }
  pass_on_wakes();
}

// One that was woken and never runs: a mutex goes to the next waiter. After the others have given
// up, for none of ours is to get it.
void scheduler::pass_on_wakes() noexcept {
  constexpr std::uint32_t at_once = 256;
  const std::uint32_t count = record_count();
  for (std::uint32_t first = 1; first < count; first += at_once) {
    const void* mutexes[at_once];
    std::size_t n = 0;
    {
      const records_held hold;
      for (std::uint32_t i = first; i < std::min(count, first + at_once); ++i) {
        fiber_record& f = record_at(i);
        // the reason is that of its wait until it has run again
        if (f.lives_in(this) && f.reason.load(std::memory_order_relaxed) == park_reason::mutex &&
            f.word.take_back_wake())
          mutexes[n++] = f.wait_object.load(std::memory_order_relaxed);
      }
    }
    for (std::size_t i = 0; i < n; ++i) upper.pass_on_mutex(mutexes[i]);
  }
}

void scheduler::refuse_outsiders() noexcept {
  phase running = phase::running;
  // [LIFE-1] accepts_spawns
  phase_.compare_exchange_strong(running, phase::stopping, std::memory_order_seq_cst);
}

// As request_stop: callbacks, then flags and waits. Fibers of other runtimes are among the records,
// and ours end meanwhile: what is ours and alive is marked while the records are held, and what
// that brings is run after it.
void scheduler::ask_all_to_stop() noexcept {
  constexpr std::uint32_t at_once = 1024;
  for (auto* half : {&begin_stop, &mark_stopped}) {
    const std::uint32_t count = record_count();
    for (std::uint32_t i = 1; i < count;) {
      stop_batch batch;  // no memory is asked for: a stop request has to get through
      {
        const records_held hold;
        for (const std::uint32_t end = std::min(count, i + at_once); i < end && !batch.full();
             ++i) {
          fiber_record& f = record_at(i);
          if (f.lives_in(this)) batch.add(half(f));
        }
      }
      batch.run();
    }
  }
}

// Zero stays zero: outsiders are refused by now, and only a fiber could spawn another one.
bool scheduler::wait_until_empty(std::int64_t deadline_ns) noexcept {
  for (;;) {
    const std::uint32_t seen = drained_.load(std::memory_order_acquire);  // [LIFE-2] end_fiber
    if (live_fibers() == 0) return true;
    const std::int64_t now = os::now_ns();
    if (now >= deadline_ns) return false;
    // The bound: a fiber spawned by one that had passed the stop request must be asked, too.
    const std::int64_t read_again = std::min(deadline_ns, now + 10'000'000);
    static_cast<void>(os::futex_wait_until(drained_, seen, steady_at(read_again)));
    if (os::now_ns() >= read_again) ask_all_to_stop();
  }
}

bool is_left_behind(const fiber_record& f) noexcept {
  // A dump asks of records that it does not own: set_home.
  const scheduler* const s = std::atomic_ref<scheduler*>(const_cast<fiber_record&>(f).home)
                                 .load(std::memory_order_relaxed);
  return s != nullptr && s->has_left_fibers_behind();
}

void scheduler::keep_for_ever() noexcept {
  static base::futex_lock lock;
  static scheduler* kept = nullptr;  // reachable, for leak checkers
  const base::lock_guard guard(lock);
  next_kept_ = std::exchange(kept, this);
}

// They may still run, park and end while we look; a torn line is the worst that comes of it.
std::size_t scheduler::report_stragglers() noexcept {
  constexpr std::size_t most_described = 20;
  std::string text;
  std::size_t n = 0;
  for_each_record([&](fiber_record& f) { n += f.lives_in(this) ? 1 : 0; });
  if (n == 0) return 0;
  try {
    n = 0;
    for_each_record([&](fiber_record& f) {
      if (f.lives_in(this) && ++n <= most_described) text += "  " + upper.describe_fiber(f);
    });
    if (n == 0) return 0;
    os::write_stderr(
        "weft: runtime \"" + one_line(options_.name) + "\" ends, and " + std::to_string(n) +
        " of its fibers did not within " + std::to_string(options_.shutdown_timeout.count()) +
        " ms of being asked to stop. They are left behind and will not be resumed; let them end on "
        "this_fiber::stop_token(), or raise options::shutdown_timeout:\n" +
        text +
        (n > most_described ? "  and " + std::to_string(n - most_described) + " more\n" : ""));
  } catch (const std::bad_alloc&) {
    os::write_stderr(
        "weft: a runtime ends, and leaves fibers behind; there is no memory to name them\n");
  }
  return n;
}

// None is said only if none lives: a fiber that starts the next one and ends, and that one again,
// may be behind the look all the time.
std::size_t scheduler::find_stragglers() noexcept {
  constexpr int most_looks = 16;
  for (int i = 0; i < most_looks; ++i) {
    if (const std::size_t n = report_stragglers(); n > 0) return n;
    if (wait_until_empty(os::now_ns() + 1'000'000)) return 0;
  }
  os::write_stderr(
      "weft: a runtime ends, and fibers that start each other go on; they are left behind\n");
  return std::max<std::size_t>(live_fibers(), 1);
}

void scheduler::end_threads() noexcept {
  threads_.end();
  sleepers_.end();
  offloads_.end(stragglers_ == 0 ? offload_pool::leftovers::join : offload_pool::leftovers::leave);
  watch_->end();
  poller_->interrupt();
  for_each_worker([&](worker& w) {
    // [PREEMPT-3] A frozen straggler may hold a lock that those left need. There is no thread left
    // to thaw it, so all frozen ones, and all that freeze on a late request, continue: to the end
    // of what they are in, or for ever.
    w.runs_detached.store(1, std::memory_order_release);  // freeze
    // stragglers that still run: out at the next step
    w.resched_requested.store(1, std::memory_order_release);
    sleepers::wake(w);
  });
  // A straggler in an endless loop, or in the kernel, never takes that step. Its thread is left
  // behind with it.
  const std::int64_t patience = os::now_ns() + 1'000'000'000;
  while (stragglers_ > 0 && threads_.running() > 0 &&  // [LIFE-3]
         os::now_ns() < patience) {
    const std::uint32_t seen = drained_.load(std::memory_order_acquire);
    if (threads_.running() == 0) break;
    static_cast<void>(os::futex_wait_until(drained_, seen, steady_at(patience)));
  }
  const bool all_ended = threads_.running() == 0;
  threads_.join_or_leave(stragglers_ == 0 || all_ended ? worker_threads::ending::join
                                                       : worker_threads::ending::leave);
  poller_->let_go();
  if (stragglers_ == 0 || all_ended) runtime_lost_threads();
}

}  // namespace weft::detail
