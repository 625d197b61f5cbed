// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/timer_heap.hpp - the deadlines of a processor: a 4-ary heap of (when, ticket).
//
// An entry is a ticket, so nothing is ever taken out early: a wait that ended otherwise leaves a stale entry
// behind, dropped when it comes up or when the heap has doubled since the last sweep (amortised O(1) per add).
// The entries lie in one array, apart from the fibers: sifting touches none of them.
// Rejected: links in the waiting fibers (a cache miss per level), a wheel (its cascades touch every timer several
// times, and its resolution is a second clock), back pointers for cancelling (a store per sift step).

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <mutex>
#include <new>
#include <vector>

#include "base/futex_lock.hpp"
#include "fiber/record.hpp"

namespace weft::detail {

class timer_heap {
 public:
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

  void add(std::int64_t when, ticket who) {
    const std::lock_guard guard(lock_);
    if (heap_.size() >= sweep_at_) sweep();
    heap_.push_back({when, who});
    sift_up(heap_.size() - 1);
    publish();
  }

  // When the first entry is due; a moment's truth. [TIMER-1] seq_cst: see idle.cpp.
  [[nodiscard]] std::int64_t earliest() const noexcept {
    return earliest_.load(std::memory_order_seq_cst);
  }

  // Wakes what is due, at most `limit`; calls enqueue(record) for each fiber the caller now owes a queue.
  // Returns how many it took out.
  template <class Enqueue>
  std::size_t fire(std::int64_t now, std::size_t limit, Enqueue&& enqueue) {
    if (earliest() > now) return 0;
    const std::lock_guard guard(lock_);
    return fire_locked(now, limit, enqueue);
  }
  // The same, but nothing if somebody else is at it.
  template <class Enqueue>
  std::size_t try_fire(std::int64_t now, std::size_t limit, Enqueue&& enqueue) {
    if (earliest() > now || !lock_.try_lock()) return 0;
    const std::lock_guard guard(lock_, std::adopt_lock);
    return fire_locked(now, limit, enqueue);
  }

  // All entries go to `to`. Between the two locks nobody sees them: the caller tells whoever keeps `to`'s time. Without
  // memory they stay here, where only the monitor would find them late.
  void move_to(timer_heap& to) noexcept {
    std::vector<entry> all;
    {
      const std::lock_guard guard(lock_);
      all.swap(heap_);
      publish();
    }
    if (to.merge(all)) return;
    const std::lock_guard guard(lock_);
    heap_.swap(all);
    publish();
  }

  /// Calls visit(when, ticket) for every entry, stale ones too, under the lock: it must not ask for memory.
  template <class Visit>
  void look(Visit&& visit) const {
    const std::lock_guard guard(lock_);
    for (const entry& e : heap_) visit(e.when, e.who);
  }

  /// Stale ones included; a moment's truth.
  [[nodiscard]] std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

 private:
  struct entry {
    std::int64_t when;
    ticket who;
  };
  template <class Enqueue>
  std::size_t fire_locked(std::int64_t now, std::size_t limit, Enqueue&& enqueue) {
    std::size_t n = 0;
    while (n < limit && is_due(now)) {
      // Their records are cold, and a wake is a locked instruction that waits for its line: fetched while others are
      // taken out of the heap.
      std::array<ticket, 16> batch;
      std::size_t size = 0;
      for (; size < batch.size() && n < limit && is_due(now); ++n) {
        batch[size++] = heap_.front().who;
        record_of(heap_.front().who).prefetch();
        pop_front();
      }
      for (std::size_t i = 0; i < size; ++i) {
        fiber_record& r = record_of(batch[i]);
        if (r.word.wake(batch[i].epoch(), wake_code::timeout) == wake_duty::enqueue) enqueue(r);
      }
    }
    publish();
    return n;
  }
  static constexpr std::size_t arity = 4, smallest_sweep = 256;

  bool merge(std::vector<entry>& all) noexcept try {
    const std::lock_guard guard(lock_);
    (heap_.size() < all.size() ? all : heap_).reserve(heap_.size() + all.size());  // before anything changes
    if (heap_.size() < all.size()) heap_.swap(all);
    heap_.insert(heap_.end(), all.begin(), all.end());
    order();
    publish();
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
  void order() noexcept {
    if (heap_.size() > 1)
      for (std::size_t i = (heap_.size() - 2) / arity + 1; i-- > 0;) sift_down(i);
  }
  [[nodiscard]] bool is_due(std::int64_t now) const noexcept {
    return !heap_.empty() && heap_.front().when <= now;
  }
  void publish() noexcept {
    size_.store(heap_.size(), std::memory_order_relaxed);
    earliest_.store(heap_.empty() ? never : heap_.front().when, std::memory_order_seq_cst);
  }
  void sift_up(std::size_t i) noexcept {
    const entry e = heap_[i];
    while (i > 0) {
      const std::size_t parent = (i - 1) / arity;
      if (heap_[parent].when <= e.when) break;
      heap_[i] = heap_[parent];
      i = parent;
    }
    heap_[i] = e;
  }
  void sift_down(std::size_t i) noexcept {
    const std::size_t n = heap_.size();
    const entry e = heap_[i];
    for (;;) {
      const std::size_t first = i * arity + 1;
      if (first >= n) break;
      std::size_t least = first;
      if (first + arity <= n) {  // nobody can predict which: two comparisons, not branches, and a choice between their ends
        const entry* const child = &heap_[first];
        const std::size_t a = child[1].when < child[0].when, b = 2 + (child[3].when < child[2].when);
        least += child[b].when < child[a].when ? b : a;
      } else {
        for (std::size_t c = first + 1; c < n; ++c)
          if (heap_[c].when < heap_[least].when) least = c;
      }
      if (heap_[least].when >= e.when) break;
      heap_[i] = heap_[least];
      i = least;
    }
    heap_[i] = e;
  }
  void pop_front() noexcept {
    heap_.front() = heap_.back();
    heap_.pop_back();
    if (!heap_.empty()) sift_down(0);
  }
  void sweep() {
    std::erase_if(heap_, [](const entry& e) { return !record_of(e.who).word.awaits(e.who.epoch()); });
    order();
    sweep_at_ = std::max(smallest_sweep, heap_.size() * 2);
  }

  mutable base::ranked_futex_lock<base::lock_rank::timers> lock_;
  std::atomic<std::int64_t> earliest_{never};  // written under the lock
  std::atomic<std::size_t> size_{0};           // the same; relaxed
  std::size_t sweep_at_ = smallest_sweep;      // under the lock
  std::vector<entry> heap_;                    // under the lock
};

}  // namespace weft::detail
