// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/offload_line.hpp - the calls in line for a pool's threads, and the threads that have none.
//
//   POOL-1  a job's fields, and its waiter, change under the lock; a thread's job and word are
//           changed by others only after it was taken off the idle ones, so by one of them.
//   POOL-2  while a job is in line, no thread is idle and all that may exist do. If the system
//           gives no thread, those that exist come to the line when they are done; the last caller
//           that gets none, while there is none, refuses what is in line.
//   POOL-3  a thread that is given a job, or called to the line, is awake: `given` is exchanged in;
//           `asleep` it has put there itself by a CAS, and a caller that finds it wakes the thread.
// A job that was refused is `done`, without a waiter.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/intrusive_list.hpp"
#include "base/lock_guard.hpp"

namespace weft::detail {

/// What the line knows of a thread.
template <class Sync, class Job>
class basic_offload_thread : public base::list_hook<> {
 public:
  // ---- its thread. Relaxed until await_given, which comes last: nothing is read before.
  /// As long as there is nothing for it and `patient()`; it sleeps from then on.
  template <class Patient>
  void spin(Patient&& patient) noexcept {
    while (word_.load(std::memory_order_relaxed) == spinning) {
      if (patient()) continue;
      std::uint32_t expected = spinning;
      word_.compare_exchange_strong(expected, asleep, std::memory_order_relaxed,
                                    std::memory_order_relaxed);
    }
  }
  [[nodiscard]] bool is_asleep() const noexcept {
    return word_.load(std::memory_order_relaxed) == asleep;
  }
  /// `sleep(word, value)` as futex_wait_until.
  template <class Sleep>
  bool sleep(Sleep&& sleep) noexcept {
    return sleep(word_, asleep);
  }
  /// It was taken off the idle ones: what it is given is on its way.
  [[nodiscard]] Job* await_given() noexcept {
    while (word_.load(std::memory_order_acquire) != given) Sync::pause();  // [POOL-3] give
    return job_;
  }
  [[nodiscard]] Job* job() const noexcept { return job_; }

  // ---- who has taken it off the idle ones, or is about to start its thread
  void give(Job* job) noexcept {
    job_ = job;
    // [POOL-3] await_given. Release: the job, and what its caller did before.
    if (word_.exchange(given, std::memory_order_release) == asleep) Sync::futex_wake(word_, 1);
  }

  bool ended = false;  // under the lock: it may be used again

 private:
  template <class, class, class, class>
  friend class basic_offload_line;

  enum : std::uint32_t { asleep, spinning, given };
  typename Sync::template atomic<std::uint32_t> word_{given};  // futex
  Job* job_ = nullptr;                                         // null: it is called to the line
};

template <class Sync, class Lock, class Thread, class Job>
class basic_offload_line {
 public:
  explicit basic_offload_line(std::size_t most) noexcept : most_(most) {}

  // ---- callers
  enum class place : std::uint8_t { ended, given, in_line, needs_thread };
  /// needs_thread: one is counted that the caller starts, or takes back by no_thread.
  [[nodiscard]] place submit(Job& job, std::uint64_t who) noexcept {
    Thread* t = nullptr;
    {
      const base::lock_guard guard(lock);
      if (ending_) return place::ended;
      job.waiter = who;
      t = idle_.pop_front();
      if (t == nullptr) {
        if (live_ == most_) {
          line_up(job);
          return place::in_line;
        }
        ++live_;
      } else {
        --idle_count_;
      }
      job.where = Job::state::running;
    }
    if (t == nullptr) return place::needs_thread;
    t->give(&job);
    return place::given;
  }
  /// The thread that was counted for the job cannot be made. False: there is no other.
  [[nodiscard]] bool no_thread(Job& job, Thread* counted) noexcept {
    Thread* up = nullptr;
    {
      const base::lock_guard guard(lock);
      if (counted != nullptr) counted->ended = true;
      if (--live_ == 0) return false;
      line_up(job);
      up = idle_.pop_front();  // one that lay down just now
      if (up != nullptr) --idle_count_;
    }
    if (up != nullptr) up->give(nullptr);
    return true;
  }
  /// Nobody comes to the line [POOL-2]: takes the first out, refused. Its waiter, for the caller to
  /// wake; 0: there is none, or somebody comes.
  [[nodiscard]] std::uint64_t refuse_one() noexcept {
    const base::lock_guard guard(lock);
    if (live_ != 0) return 0;
    Job* const job = next_in_line();
    if (job == nullptr) return 0;
    const std::uint64_t who = job->waiter;
    job->waiter = 0;
    job->where = Job::state::done;
    return who;
  }
  enum class late : std::uint8_t { withdrawn, refused, done, keep_waiting };
  /// The wait ended early. `wait_again`: for a job that runs; what to wake at its end.
  template <class WaitAgain>
  [[nodiscard]] late withdraw(Job& job, WaitAgain&& wait_again) noexcept {
    const base::lock_guard guard(lock);
    switch (static_cast<typename Job::state>(job.where)) {
      case Job::state::queued:
        take_out(job);
        return late::withdrawn;
      case Job::state::running:
        job.waiter = wait_again();
        return late::keep_waiting;
      case Job::state::done:
        break;
    }
    return was_refused(job) ? late::refused : late::done;
  }
  /// Of a job whose wait has ended.
  [[nodiscard]] static bool was_refused(const Job& job) noexcept { return job.waiter == 0; }

  // ---- threads
  struct turn {
    std::uint64_t woken = 0;  // of the job that is done, which may be gone then
    Job* job = nullptr;
    bool ends = false;  // the record may have another owner
  };
  /// `done`, if any, was run. The next of the line; without one the thread is idle, or the thread
  /// ends.
  [[nodiscard]] turn next(Thread& t, Job* done) noexcept {
    turn now;
    const base::lock_guard guard(lock);
    if (done != nullptr) {
      done->where = Job::state::done;
      now.woken = done->waiter;
      ++completed_;
    }
    now.job = next_in_line();
    if (now.job != nullptr) {
      now.job->where = Job::state::running;
    } else if (ending_) {
      now.ends = t.ended = true;
      --live_;
    } else {
      t.word_.store(Thread::spinning, std::memory_order_relaxed);  // [POOL-1] the lock, to give
      idle_.push_front(t);
      ++idle_count_;
    }
    return now;
  }
  enum class leaving : std::uint8_t { left, stays, is_given };
  /// It was idle for too long. stays: `may_end`, called under the lock, says no.
  template <class MayEnd>
  [[nodiscard]] leaving leave(Thread& t, MayEnd&& may_end) noexcept {
    const base::lock_guard guard(lock);
    if (!t.linked()) return leaving::is_given;
    if (!may_end()) return leaving::stays;
    t.unlink();
    --idle_count_;
    --live_;
    t.ended = true;
    return leaving::left;
  }

  /// No job is taken any more; threads end when the line is empty.
  void end() noexcept {
    const base::lock_guard guard(lock);
    ending_ = true;
    while (Thread* t = idle_.pop_front()) {
      --idle_count_;
      t->give(nullptr);
    }
  }

  [[nodiscard]] std::size_t live() const noexcept WEFT_REQUIRES(lock) { return live_; }
  [[nodiscard]] std::size_t idle() const noexcept WEFT_REQUIRES(lock) { return idle_count_; }
  [[nodiscard]] std::size_t queued() const noexcept WEFT_REQUIRES(lock) { return queued_; }
  [[nodiscard]] std::uint64_t completed() const noexcept WEFT_REQUIRES(lock) { return completed_; }

  mutable Lock lock{};

 private:
  void line_up(Job& job) noexcept WEFT_REQUIRES(lock) {
    job.where = Job::state::queued;
    job.next = nullptr;
    job.prev = last_;
    if (last_ != nullptr)
      last_->next = &job;
    else
      first_ = &job;
    last_ = &job;
    ++queued_;
  }
  [[nodiscard]] Job* next_in_line() noexcept WEFT_REQUIRES(lock) {
    Job* const job = first_;
    if (job != nullptr) take_out(*job);
    return job;
  }
  void take_out(Job& job) noexcept WEFT_REQUIRES(lock) {
    Job *const before = job.prev, *const after = job.next;
    if (before != nullptr)
      before->next = after;
    else
      first_ = after;
    if (after != nullptr)
      after->prev = before;
    else
      last_ = before;
    --queued_;
  }

  const std::size_t most_;
  // the one that worked last in front
  base::intrusive_list<Thread> idle_ WEFT_GUARDED_BY(lock);
  Job* first_ WEFT_GUARDED_BY(lock) = nullptr;  // the line
  Job* last_ WEFT_GUARDED_BY(lock) = nullptr;
  std::size_t live_ WEFT_GUARDED_BY(lock) = 0;
  std::size_t idle_count_ WEFT_GUARDED_BY(lock) = 0;
  std::size_t queued_ WEFT_GUARDED_BY(lock) = 0;
  std::uint64_t completed_ WEFT_GUARDED_BY(lock) = 0;
  bool ending_ WEFT_GUARDED_BY(lock) = false;
};

}  // namespace weft::detail
