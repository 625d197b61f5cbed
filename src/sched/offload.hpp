// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/offload.hpp - the threads that run calls known to block, and the line in front of them.
//
//   caller   1 begin_park   2 to the idle thread that worked last, or a new one, or into the line
//            3 parks
//   thread   runs the call and takes the next of the line; if there is none, it goes on top of the
//            idle ones, spins for a moment, sleeps, and ends after ten seconds of that
//
// Last in, first out keeps few threads warm and lets the others end. A call that comes while its
// thread still spins needs no system call for the hand-over, which is most of a round trip of small
// calls.
//
// The line, and who is idle: offload_line.hpp [POOL-1..3].
//   POOL-4  a thread that was idle for too long leaves its slot, and joins the one that did so
//           before: at most one is not joined.
// Rejected: a lock-free queue (the lock is held for 20 ns, the cheapest job takes 2 us); a queue
// with a limit of its own (each entry is a parked fiber: a fiber that would wait for a place in it
// waits in it).

#include <atomic>
#include <csignal>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <weft/offload.hpp>

#include "base/futex_lock.hpp"
#include "base/sync_policy.hpp"
#include "fiber/record.hpp"
#include "sched/offload_line.hpp"

namespace weft::detail {

class offload_pool {
  struct pool_thread : basic_offload_thread<base::real_sync, offload_job> {
    std::thread thread;          // under the lock
    bool is_being_made = false;  // `thread` is not stored yet; the same
  };
  using line =
      basic_offload_line<base::real_sync, base::ranked_futex_lock<base::lock_rank::scheduler>,
                         pool_thread, offload_job>;

 public:
  using late = line::late;

  offload_pool(std::size_t most_threads, std::string name, std::uint32_t runtime,
               const sigset_t& signals)
      : name_(std::move(name)), runtime_(runtime), signals_(signals), line_(most_threads) {}
  ~offload_pool() { end(leftovers::join); }
  offload_pool(const offload_pool&) = delete;
  offload_pool& operator=(const offload_pool&) = delete;

  /// `who` is woken when it has run. Returns an error if there is no thread and none can be made.
  [[nodiscard]] std::error_code submit(offload_job& job, ticket who) noexcept;
  /// After submit has returned an error: those who waited for that thread are told, too.
  void refuse_line_without_threads() noexcept;
  [[nodiscard]] static bool was_refused(const offload_job& job) noexcept;
  /// The wait ended early. keep_waiting: it runs; `self` has begun another park for its end.
  [[nodiscard]] late withdraw(offload_job& job, fiber_record& self) noexcept;
  /// Runs what is in line and ends the threads. `leave`: those that are stuck in a call are left
  /// behind, with the pool.
  enum class leftovers : std::uint8_t { join, leave };
  /// True if the caller is a thread of a runtime's pool, where a call may block anyway. Not
  /// inlined: it reads this thread's variables.
  [[nodiscard, gnu::noinline]] static bool on_pool_thread() noexcept;
  void end(leftovers how) noexcept;
  [[nodiscard]] offload_statistics look() const noexcept;
  /// How long a thread is idle before it ends; tests shorten it.
  void end_idle_after(std::int64_t ns) noexcept { idle_ns_.store(ns, std::memory_order_relaxed); }
  /// Calls that have a waiter; a hint. The waiters count.
  [[nodiscard]] bool awaited() const noexcept {
    return awaited_.load(std::memory_order_relaxed) > 0;
  }
  struct awaiting {
    explicit awaiting(offload_pool& p) noexcept : pool(p) {
      pool.awaited_.fetch_add(1, std::memory_order_relaxed);
    }
    ~awaiting() { pool.awaited_.fetch_sub(1, std::memory_order_relaxed); }
    awaiting(const awaiting&) = delete;
    awaiting& operator=(const awaiting&) = delete;
    offload_pool& pool;
  };

 private:
  void main(pool_thread& t) noexcept;
  enum class waited : std::uint8_t { has_job, ends };
  // ends: then `before` is the caller's to join
  waited wait(pool_thread& t, std::thread& before) noexcept;
  std::error_code start(offload_job& job) noexcept;

  std::atomic<std::int32_t> awaited_{0};
  std::atomic<std::int64_t> idle_ns_{10'000'000'000};  // relaxed
  const std::string name_;
  const std::uint32_t runtime_;  // its number, for the tracer
  const sigset_t signals_;       // blocked, as where the runtime was made
  line line_;
  std::vector<std::unique_ptr<pool_thread>> threads_ WEFT_GUARDED_BY(line_.lock);
  // of those that lay idle for too long; each joins the one before [POOL-4]
  std::thread last_ended_ WEFT_GUARDED_BY(line_.lock);
};

}  // namespace weft::detail
