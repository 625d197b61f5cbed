// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/timer_queue.hpp - the deadlines of a processor, in three places:
//
//   ring     those of the next 268 ms, by slots of 1.05 ms, unsorted
//   opened   the slot that is due, sorted: the next is its last
//   heap     all others, 4-ary: what is due before the ring begins, and what comes after it
//
// An entry goes in once, is read when its slot is sorted, and is taken out once; in a heap of
// 100,000 sleepers it would be sifted through nine levels. The times are exact, the ring only sorts
// late.
//
// An entry is a ticket, so nothing is ever taken out early: a wait that ended otherwise leaves a
// stale entry behind, dropped when it comes up or when the queue has doubled since the last sweep
// (amortised O(1) per add). The entries are in a few arrays, apart from the fibers: sorting touches
// none of them.
//
//   TIMER-2  every entry of the ring is of the slots [begin_, begin_ + slots), every opened one is
//            before; so the first of all is the first of `opened` or of the heap, or, without
//            opened ones, of the first slot in use.
//   TIMER-3  firing allocates and frees nothing: the monitor does it, too.
// A wait that finds no memory has its entry on its own stack: unstored_deadlines.hpp [TIMER-4].
// Rejected: links in the waiting fibers (a cache miss per level), a wheel of several levels (its
// cascades touch every timer several times), back pointers for cancelling (a store per sift step).

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

#include <weft/detail/deadline.hpp>

#include "base/futex_lock.hpp"
#include "fiber/record.hpp"
#include "sched/poll_deadline.hpp"
#include "sched/unstored_deadlines.hpp"

namespace weft::detail {

class timer_queue {
 public:
  static constexpr std::int64_t never = never_ns;

  /// False: there is no memory for it, and all is as before.
  [[nodiscard]] bool add(std::int64_t when, ticket who) noexcept try {
    const base::lock_guard guard(lock_);
    if (count() >= sweep_at_) sweep();
    const std::int64_t at = when >> slot_shift;
    if (at >= begin_ && at < begin_ + slots) {
      add_to_slot(static_cast<std::size_t>(at) % slots, {when, who});
    } else {
      heap_.push_back({when, who});
      sift_up(heap_.size() - 1);
    }
    size_.store(count(), std::memory_order_relaxed);
    earliest_.lower(when);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }

  /// The entry of a wait that found no memory: on its stack, from before the park [TIMER-4].
  using unstored = basic_unstored_deadlines<ticket>::entry;
  void add(unstored& e) noexcept {
    const base::lock_guard guard(lock_);
    unstored_.add(e);
    publish();
  }
  void remove(unstored& e) noexcept {
    const base::lock_guard guard(lock_);
    if (unstored_.remove(e)) publish();
  }

  // When the first entry is due; a moment's truth [TIMER-1].
  [[nodiscard]] std::int64_t earliest() const noexcept { return earliest_.get(); }

  // Wakes what is due, at most `limit`; calls enqueue(record) for each fiber the caller now owes a
  // queue. Returns how many it took out.
  template <class Enqueue>
  std::size_t fire(std::int64_t now, std::size_t limit, Enqueue&& enqueue) {
    if (earliest() > now) return 0;
    const base::lock_guard guard(lock_);
    return fire_locked(now, limit, enqueue);
  }
  // The same, but does nothing if another thread is at it.
  template <class Enqueue>
  std::size_t try_fire(std::int64_t now, std::size_t limit, Enqueue&& enqueue) {
    if (earliest() > now || !lock_.try_lock()) return 0;
    const base::lock_guard guard(lock_, std::adopt_lock);
    return fire_locked(now, limit, enqueue);
  }

  // All entries go to `to`. Between the two locks no thread sees them: the caller tells the thread
  // that keeps `to`'s time. Without memory they stay here, where only the monitor would find them
  // late.
  void move_to(timer_queue& to) noexcept {
    std::vector<entry> all;
    {
      const base::lock_guard guard(lock_);
      if (!empty_into_heap()) return;
      all.swap(heap_);
      publish();
    }
    if (to.merge(all)) return;
    const base::lock_guard guard(lock_);
    heap_.swap(all);
    publish();
  }

  /// Calls visit(when, ticket) for every entry, stale ones too, under the lock: it must not ask for
  /// memory.
  template <class Visit>
  void look(Visit&& visit) const {
    const base::lock_guard guard(lock_);
    const auto each = [&](const std::vector<entry>& in) {
      for (const entry& e : in) visit(e.when, e.who);
    };
    each(heap_);
    each(opened_);
    for (const auto& slot : ring_) each(slot);
    unstored_.look(visit);
  }

  /// Stale ones included; a moment's truth.
  [[nodiscard]] std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

 private:
  struct entry {
    std::int64_t when;
    ticket who;
  };
  template <class Enqueue>
  std::size_t fire_locked(std::int64_t now, std::size_t limit, Enqueue&& enqueue)
      WEFT_REQUIRES(lock_) {
    std::size_t n = 0;
    for (bool more = true; more && n < limit;) {
      // Their records are cold, and a wake is a locked instruction that waits for its line: fetched
      // while others are taken out.
      std::array<ticket, 16> batch;
      std::size_t size = 0;
      while (size < batch.size() && n < limit && (more = take_due(now, batch[size]))) {
        record_of(batch[size++]).prefetch();
        ++n;
      }
      for (std::size_t i = 0; i < size; ++i) {
        fiber_record& r = record_of(batch[i]);
        if (r.word.wake(batch[i].epoch(), wake_code::timeout) == wake_duty::enqueue) enqueue(r);
      }
    }
    if (!unstored_.empty()) [[unlikely]]
      n += unstored_.fire(now, limit - n, [&](ticket who) {
        fiber_record& r = record_of(who);
        if (r.word.wake(who.epoch(), wake_code::timeout) == wake_duty::enqueue) enqueue(r);
      });
    publish();
    return n;
  }
  static constexpr std::size_t arity = 4, smallest_sweep = 256;
  static constexpr int slot_shift = 20;  // 1.05 ms
  static constexpr std::int64_t slots = 256;
  // entries in a slot that is empty
  static constexpr std::size_t room_worth_keeping = std::size_t{1} << 15;

  [[nodiscard]] std::size_t count() const noexcept WEFT_REQUIRES(lock_) {
    return heap_.size() + opened_.size() + in_ring_;
  }

  void add_to_slot(std::size_t slot, const entry& e) WEFT_REQUIRES(lock_) {
    std::vector<entry>& in = ring_[slot];
    if (in.empty()) {
      if (in.capacity() > room_worth_keeping) std::vector<entry>().swap(in);
      first_[slot] = e.when;
    }
    in.push_back(e);
    first_[slot] = std::min(first_[slot], e.when);
    used_[slot / 64] |= std::uint64_t{1} << slot % 64;
    ++in_ring_;
  }
  // Of the ring, in slots of time; begin_ + slots if it is empty.
  [[nodiscard]] std::int64_t first_in_use() const noexcept WEFT_REQUIRES(lock_) {
    if (in_ring_ == 0) return begin_ + slots;              // TIMER-2
    for (std::int64_t at = begin_;; at = (at | 63) + 1) {  // at most round once
      const auto slot = static_cast<std::size_t>(at) % slots;
      if (const std::uint64_t here = used_[slot / 64] >> slot % 64)
        return at + std::countr_zero(here);
    }
  }
  // With nothing opened: the first slot in use, if it has begun.
  void open(std::int64_t now) noexcept WEFT_REQUIRES(lock_) {
    const std::int64_t first = first_in_use(), at_now = now >> slot_shift;
    if (first > at_now || in_ring_ == 0) {
      begin_ = std::max(begin_, at_now + 1);
      return;
    }
    const auto slot = static_cast<std::size_t>(first) % slots;
    opened_.swap(ring_[slot]);  // TIMER-3
    used_[slot / 64] &= ~(std::uint64_t{1} << slot % 64);
    in_ring_ -= opened_.size();
    begin_ = first + 1;
    std::sort(opened_.begin(), opened_.end(),
              [](const entry& a, const entry& b) { return a.when > b.when; });
  }
  bool take_due(std::int64_t now, ticket& who) noexcept WEFT_REQUIRES(lock_) {
    if (opened_.empty()) open(now);
    if (!opened_.empty() && (heap_.empty() || opened_.back().when <= heap_.front().when)) {
      if (opened_.back().when > now) return false;
      who = opened_.back().who;
      opened_.pop_back();
      return true;
    }
    if (heap_.empty() || heap_.front().when > now) return false;
    who = heap_.front().who;
    pop_front();
    return true;
  }
  // False: there is no memory for it, and all is as before.
  bool empty_into_heap() noexcept WEFT_REQUIRES(lock_) try {
    heap_.reserve(count());
    const auto append = [](std::vector<entry>& to, std::vector<entry>& from) {
      to.insert(to.end(), from.begin(), from.end());
      from.clear();
    };
    append(heap_, opened_);
    for (auto& slot : ring_) append(heap_, slot);
    used_ = {};
    in_ring_ = 0;
    order();
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }

  bool merge(std::vector<entry>& all) noexcept try {
    const base::lock_guard guard(lock_);
    // before anything changes
    (heap_.size() < all.size() ? all : heap_).reserve(heap_.size() + all.size());
    if (heap_.size() < all.size()) heap_.swap(all);
    heap_.insert(heap_.end(), all.begin(), all.end());
    order();
    publish();
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
  void order() noexcept WEFT_REQUIRES(lock_) {
    if (heap_.size() > 1)
      for (std::size_t i = (heap_.size() - 2) / arity + 1; i-- > 0;) sift_down(i);
  }
  void publish() noexcept WEFT_REQUIRES(lock_) {
    size_.store(count(), std::memory_order_relaxed);
    std::int64_t first = heap_.empty() ? never : heap_.front().when;
    if (!opened_.empty())
      first = std::min(first, opened_.back().when);
    else if (in_ring_ != 0)
      first = std::min(first, first_[static_cast<std::size_t>(first_in_use()) % slots]);
    first = std::min(first, unstored_.first());
    earliest_.set(first);
  }
  void sift_up(std::size_t i) noexcept WEFT_REQUIRES(lock_) {
    const entry e = heap_[i];
    while (i > 0) {
      const std::size_t parent = (i - 1) / arity;
      if (heap_[parent].when <= e.when) break;
      heap_[i] = heap_[parent];
      i = parent;
    }
    heap_[i] = e;
  }
  void sift_down(std::size_t i) noexcept WEFT_REQUIRES(lock_) {
    const std::size_t n = heap_.size();
    const entry e = heap_[i];
    for (;;) {
      const std::size_t first = i * arity + 1;
      if (first >= n) break;
      std::size_t least = first;
      // unpredictable: two comparisons, not branches, and a choice between their ends
      if (first + arity <= n) {
        const entry* const child = &heap_[first];
        const std::size_t a = child[1].when < child[0].when,
                          b = 2 + (child[3].when < child[2].when);
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
  void pop_front() noexcept WEFT_REQUIRES(lock_) {
    heap_.front() = heap_.back();
    heap_.pop_back();
    if (!heap_.empty()) sift_down(0);
  }
  void sweep() WEFT_REQUIRES(lock_) {
    const auto stale = [](const entry& e) { return !record_of(e.who).word.awaits(e.who.epoch()); };
    std::erase_if(heap_, stale);
    order();
    std::erase_if(opened_, stale);
    in_ring_ = 0;
    for (std::size_t slot = 0; slot < ring_.size(); ++slot) {
      std::vector<entry>& in = ring_[slot];
      if (in.empty()) continue;
      std::erase_if(in, stale);
      in_ring_ += in.size();
      if (in.empty()) {
        used_[slot / 64] &= ~(std::uint64_t{1} << slot % 64);
        continue;
      }
      first_[slot] = never;
      for (const entry& e : in) first_[slot] = std::min(first_[slot], e.when);
    }
    publish();
    sweep_at_ = std::max(smallest_sweep, count() * 2);
  }

  mutable base::ranked_futex_lock<base::lock_rank::timers> lock_;
  first_deadline earliest_;           // written under the lock
  std::atomic<std::size_t> size_{0};  // the same; relaxed
  std::size_t sweep_at_ WEFT_GUARDED_BY(lock_) = smallest_sweep;
  std::vector<entry> heap_ WEFT_GUARDED_BY(lock_);
  std::vector<entry> opened_ WEFT_GUARDED_BY(lock_);  // the last is the first
  std::int64_t begin_ WEFT_GUARDED_BY(lock_) = 0;     // of the ring, in slots of time
  std::array<std::vector<entry>, slots> ring_ WEFT_GUARDED_BY(lock_);
  // of a slot in use: its earliest entry
  std::array<std::int64_t, slots> first_ WEFT_GUARDED_BY(lock_){};
  std::array<std::uint64_t, slots / 64> used_ WEFT_GUARDED_BY(lock_){};
  std::size_t in_ring_ WEFT_GUARDED_BY(lock_) = 0;
  basic_unstored_deadlines<ticket> unstored_ WEFT_GUARDED_BY(lock_);
};

}  // namespace weft::detail
