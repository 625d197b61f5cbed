// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/callback_runners.hpp - which fibers run std::stop_callbacks now: CB-1 (park.cpp) as a
// template. They are few, and in a list; the count is for all the others, which look at it only.
//
// Relaxed suffices for the count: a fiber looks for itself only, on the thread that has counted it,
// for it does not change its thread meanwhile. It reads its own addition or a later value, and each
// later subtraction is by a fiber that has added before.

#include <atomic>
#include <cstdint>
#include <utility>

#include "base/lock_guard.hpp"
#include "base/sync_policy.hpp"

namespace weft::detail {

template <class Sync, class Lock, class Fiber>
class basic_callback_runners {
 public:
  class runner {
   public:
    runner() = default;
    runner(const runner&) = delete;
    runner& operator=(const runner&) = delete;

   private:
    friend class basic_callback_runners;
    const Fiber* who_ = nullptr;
    runner* next_ = nullptr;
    runner** link_ = nullptr;
  };

  /// By the fiber itself, inside weft: no thread is stopped with the lock.
  void add(runner& r, const Fiber& self) noexcept {
    const base::lock_guard guard(lock_);
    r.who_ = &self;
    r.link_ = &first_;
    r.next_ = std::exchange(first_, &r);
    if (r.next_ != nullptr) r.next_->link_ = &r.next_;
    count_.fetch_add(1, std::memory_order_relaxed);
  }
  void remove(runner& r) noexcept {
    const base::lock_guard guard(lock_);
    *r.link_ = r.next_;
    if (r.next_ != nullptr) r.next_->link_ = r.link_;
    count_.fetch_sub(1, std::memory_order_relaxed);
  }
  /// False: the calling fiber does not. A look that costs little.
  [[nodiscard]] bool any() const noexcept { return count_.load(std::memory_order_relaxed) != 0; }
  /// The calling fiber, inside weft.
  [[nodiscard]] bool has(const Fiber& self) noexcept {
    if (!any()) [[likely]]
      return false;
    const base::lock_guard guard(lock_);
    const runner* r = first_;
    while (r != nullptr && r->who_ != &self) r = r->next_;
    return r != nullptr;
  }

 private:
  typename Sync::template atomic<std::uint32_t> count_{0};
  Lock lock_;
  runner* first_ WEFT_GUARDED_BY(lock_) = nullptr;
};

}  // namespace weft::detail
