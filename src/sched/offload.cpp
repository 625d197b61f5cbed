// SPDX-License-Identifier: BSL-1.0
// sched/offload.cpp - see offload.hpp.
#include "sched/offload.hpp"

#include <mutex>
#include <system_error>
#include <utility>

#include "os/os.hpp"
#include "sched/park.hpp"
#include "trace/recorder.hpp"

namespace weft::detail {
namespace {

// Two round trips of an empty call, so that a fiber that calls again at once finds its thread awake
// (bench/compare offload). Longer does not help and takes a CPU from the workers.
constexpr std::int64_t spin_ns = 10'000;

constinit thread_local bool serves_a_pool = false;

}  // namespace

bool offload_pool::on_pool_thread() noexcept { return serves_a_pool; }

void offload_pool::line_up(offload_job& job) noexcept {
  job.where = offload_job::state::queued;
  job.next = nullptr;
  job.prev = last_;
  (last_ != nullptr ? last_->next : first_) = &job;
  last_ = &job;
  ++queued_;
}

offload_job* offload_pool::next_in_line() noexcept {
  offload_job* job = first_;
  if (job == nullptr) return nullptr;
  first_ = job->next;
  (first_ != nullptr ? first_->prev : last_) = nullptr;
  job->where = offload_job::state::running;
  --queued_;
  return job;
}

std::error_code offload_pool::submit(offload_job& job, ticket who) noexcept {
  pool_thread* t = nullptr;
  {
    const std::lock_guard guard(lock_);
    if (ending_) return std::make_error_code(std::errc::operation_not_permitted);
    job.waiter = who.bits;
    t = idle_.pop_front();
    if (t == nullptr) {
      if (live_ == most_) {
        line_up(job);
        return {};
      }
      ++live_;
    } else {
      --idle_count_;
    }
    job.where = offload_job::state::running;
  }
  if (t == nullptr) return start(job);
  t->job = &job;
  // [POOL-3] wait
  if (t->wake.exchange(given, std::memory_order_acq_rel) == asleep) os::futex_wake(t->wake, 1);
  return {};
}

// A new thread; its place is counted already. If there can be none, the job waits for one of those
// there are.
std::error_code offload_pool::start(offload_job& job) noexcept {
  pool_thread* t = nullptr;
  std::error_code why = os::check_thread_limit();
  try {
    std::unique_lock guard(lock_);
    for (const auto& old : threads_)
      if (old->ended) t = old.get();
    if (t == nullptr && !why) {
      threads_.push_back(std::make_unique<pool_thread>());
      t = threads_.back().get();
    }
    if (t != nullptr) t->ended = false;
    guard.unlock();
    if (!why) {
      t->job = &job;
      t->wake.store(given, std::memory_order_relaxed);
      const os::block_signals blocked;
      std::thread made([this, t] { main(*t); });
      guard.lock();  // it may have done the job and want to end
      t->thread = std::move(made);
      return {};
    }
  } catch (const std::system_error& e) {
    why = e.code();
  } catch (...) {
    why = std::make_error_code(std::errc::not_enough_memory);
  }
  const std::lock_guard guard(lock_);
  if (t != nullptr) t->ended = true;
  if (--live_ == 0) return why;
  // POOL-2 with fewer threads than allowed: those that exist come to the line when they are done -
  // or one lay down just now, and is got up again.
  line_up(job);
  if (pool_thread* up = idle_.pop_front()) {
    --idle_count_;
    up->job = nullptr;
    if (up->wake.exchange(given, std::memory_order_acq_rel) == asleep) os::futex_wake(up->wake, 1);
  }
  return {};
}

void offload_pool::main(pool_thread& t) noexcept {
  os::inherit_signal_mask(signals_);
  serves_a_pool = true;
  os::set_thread_name(name_, "-off");
  trace::thread_begins(trace::thread_role::offload, runtime_, 0);
  offload_job* job = t.job;
  for (;;) {
    std::uint64_t who = 0;
    bool ends = false;  // once told, the slot may have another owner
    if (job != nullptr) {
      const std::uint64_t fiber = job->fiber;
      trace::emit(trace::event::offload_begin, fiber, 0, reinterpret_cast<std::uintptr_t>(job));
      job->run(*job);
      trace::emit(trace::event::offload_end, fiber, 0, reinterpret_cast<std::uintptr_t>(job));
    }
    {
      const std::lock_guard guard(lock_);
      if (job != nullptr) {
        job->where = offload_job::state::done;
        who = job->waiter;
        ++completed_;
      }
      job = next_in_line();
      if (job != nullptr) {
        // POOL-2
      } else if (ending_) {
        ends = t.ended = true;
        --live_;
      } else {
        t.wake.store(spinning, std::memory_order_relaxed);
        idle_.push_front(t);
        ++idle_count_;
      }
    }
    if (who != 0) wake(ticket{who});  // the job may be gone already
    if (job != nullptr) continue;
    std::thread before;
    if (ends || wait(t, before) == waited::ends) {
      trace::thread_ends();
      if (before.joinable()) before.join();  // POOL-4
      return;
    }
    job = t.job;
  }
}

offload_pool::waited offload_pool::wait(pool_thread& t, std::thread& before) noexcept {
  const std::int64_t began = os::now_ns();
  while (t.wake.load(std::memory_order_acquire) == spinning) {  // [POOL-3] submit
    for (int i = 0; i < 16; ++i) os::cpu_relax();
    if (os::now_ns() - began < spin_ns) continue;
    std::uint32_t expected = spinning;
    t.wake.compare_exchange_strong(expected, asleep, std::memory_order_acq_rel,
                                   std::memory_order_acquire);
  }
  const auto until = steady_at(began + idle_ns_.load(std::memory_order_relaxed));
  while (t.wake.load(std::memory_order_acquire) == asleep) {  // [POOL-3] submit
    if (os::futex_wait_until(t.wake, asleep, until)) continue;
    const std::lock_guard guard(lock_);
    if (!t.linked()) break;              // a caller has claimed us: `given` is on its way
    if (!t.thread.joinable()) continue;  // our maker has not stored it yet
    // POOL-4; before end(), which finds us in the list otherwise
    before = std::exchange(last_ended_, std::move(t.thread));
    t.unlink();
    --idle_count_;
    --live_;
    t.ended = true;
    return waited::ends;
  }
  while (t.wake.load(std::memory_order_acquire) != given) os::cpu_relax();  // [POOL-3]
  return waited::has_job;
}

offload_pool::late offload_pool::withdraw(offload_job& job, fiber_record& self) noexcept {
  const std::lock_guard guard(lock_);
  switch (job.where) {
    case offload_job::state::queued:
      (job.prev != nullptr ? job.prev->next : first_) = job.next;
      (job.next != nullptr ? job.next->prev : last_) = job.prev;
      --queued_;
      return late::withdrawn;
    case offload_job::state::running:
      job.waiter = begin_park(self, park_reason::offload, &job).bits;
      return late::keep_waiting;
    case offload_job::state::done:
      break;
  }
  return late::done;
}

void offload_pool::end(leftovers how) noexcept {
  {
    const std::lock_guard guard(lock_);
    ending_ = true;
    while (pool_thread* t = idle_.pop_front()) {
      --idle_count_;
      t->job = nullptr;
      if (t->wake.exchange(given, std::memory_order_acq_rel) == asleep) os::futex_wake(t->wake, 1);
    }
  }
  for (const auto& t : threads_) {  // none are added any more
    if (!t->thread.joinable()) continue;
    if (how == leftovers::join)
      t->thread.join();
    else
      t->thread.detach();
  }
  if (last_ended_.joinable()) last_ended_.join();
}

offload_statistics offload_pool::look() const noexcept {
  const std::lock_guard guard(lock_);
  return {live_, idle_count_, live_ - idle_count_, queued_, completed_};
}

}  // namespace weft::detail
