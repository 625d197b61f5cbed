// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/worker_threads.hpp - a runtime's workers and their threads: made, left to the next, joined.
//
// There is room for options::max_threads workers from the start, for they are read while they grow
// [LIFE-5]. A thread that ends leaves its worker to the next one that is made [POOL-4].

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include <weft/options.hpp>

#include "base/futex_lock.hpp"
#include "sched/worker.hpp"

namespace weft::detail {

class worker_threads {
 public:
  // So many workers keep a descriptor by which the monitor asks whether they sleep.
  static constexpr std::uint32_t most_kept_stats = 32;

  /// `run`: what a thread does, until its end (scheduler::worker_main).
  worker_threads(const options& o, scheduler& home, void (*run)(worker&) noexcept) noexcept
      : options_(o), home_(home), run_(run) {}
  void reserve() { workers_.resize(options_.max_threads); }

  /// Null at options::max_threads, or without memory. `start_first` gives it a thread.
  [[nodiscard]] worker* make_first() noexcept;
  void start_first(worker& w);  // throws std::system_error
  /// A new thread, reserved for the caller (sleepers::release), which has come up. Null: there is
  /// none. Blocks; not by the monitor [MON-3].
  [[nodiscard]] worker* make_spare() noexcept;
  /// The last thing a thread does with its worker, which is another one's afterwards.
  void vacate(worker& w) noexcept;
  /// The thread is gone but for its return [LIFE-3].
  void count_out() noexcept { running_.fetch_sub(1, std::memory_order_release); }

  [[nodiscard]] std::size_t running() const noexcept {
    return running_.load(std::memory_order_acquire);  // [LIFE-3] count_out
  }
  [[nodiscard]] std::size_t made() const noexcept {
    return count_.load(std::memory_order_acquire);  // [LIFE-5] make_worker
  }
  [[nodiscard]] worker& at(std::size_t i) const noexcept { return *workers_[i]; }
  template <class Visit>
  void for_each(Visit&& visit) const {
    const std::size_t n = made();
    for (std::size_t i = 0; i < n; ++i) visit(*workers_[i]);
  }

  void end() noexcept;  // no new ones, and none vacates from now on
  enum class ending : std::uint8_t { join, leave };
  void join_or_leave(ending how) noexcept;

 private:
  friend struct debug_offsets;

  worker* make_worker() noexcept WEFT_REQUIRES(lock_);
  // With the lock, so that the thread does not leave its worker before its handle is stored there.
  void start(worker& w) WEFT_REQUIRES(lock_);  // throws std::system_error

  const options& options_;
  scheduler& home_;
  void (*const run_)(worker&) noexcept;
  std::vector<std::unique_ptr<worker>> workers_;  // [0, count_)
  std::atomic<std::size_t> count_{0};             // release by make_worker [LIFE-5]
  std::atomic<std::size_t> running_{0};           // have not left their loop [LIFE-3]
  base::ranked_futex_lock<base::lock_rank::scheduler> lock_;
  bool ended_ WEFT_GUARDED_BY(lock_) = false;
  bool limit_reported_ WEFT_GUARDED_BY(lock_) = false;
  worker* unstarted_ WEFT_GUARDED_BY(lock_) = nullptr;  // the system gave no thread for it
  // their threads have ended, by `next_ended`
  worker* vacant_ WEFT_GUARDED_BY(lock_) = nullptr;
  // that of the last of them, not joined yet
  std::thread last_vacated_ WEFT_GUARDED_BY(lock_);
};

}  // namespace weft::detail
