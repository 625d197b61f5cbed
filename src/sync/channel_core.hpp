// SPDX-License-Identifier: BSL-1.0
#pragma once
// sync/channel_core.hpp - a ring of values and two queues of waiters; every step under one lock.
//
//   put(value)  a receiver waits: claim it, move the value to its destination  -> done
//               there is room: into the ring                                   -> done
//               closed                                                         -> closed
//               else                                                           -> blocked
//   get(to)     the oldest of the ring, and the first waiting sender's value
//               into the freed room                                            -> done
//               the ring is empty: from the first waiting sender               -> done
//               closed                                                         -> closed
//               else                                                           -> blocked
//   blocked     begin_park and into the queue under the same lock; the claim brings the value, or
//               takes it
//
//   CHAN-1  senders_ or receivers_ has no waiter that can still be claimed, except one select that
//           is in both.
//   CHAN-2  size_ > 0 implies that no waiter in receivers_ can be claimed; size_ < capacity_, that
//           none in senders_ can.
//   CHAN-3  a value moves after its waiter is claimed, and under the lock: a claim that fails moves
//           nothing.
//   CHAN-4  once closed, senders_ stays empty; so does receivers_, because closing finds a ring
//           that is empty or no receiver.
//   CHAN-5  once the last of the waiters it has claimed is finished, a call does not touch the
//           channel: the served agent may destroy it, before the lock is released. This does not
//           hold for a waiter that is told to try again: it comes back to the lock first.
//   CHAN-6  a claimed waiter is queued, however the claimer's call ends: a move may throw.
//
// A waiter that has given up (another case of its select, time, stop) may still be linked; a claim
// of it fails, and it is skipped. The lock is not in the channel (CHAN-5), but one of a few,
// assigned in turn.
// Rejected: a lock-free ring (closing, select and the direct hand-over all need both queues and the
// ring in one step); waking the waiter for a value without giving it the value (it may find it
// gone); moving before the claim (select).

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <weft/detail/channel.hpp>

#include "base/check.hpp"
#include "sched/park.hpp"
#include "sched/runtime_entry.hpp"
#include "sync/biased_lock.hpp"

namespace weft::detail {

struct alignas(base::cache_line) channel_lock : basic_biased_lock<> {};

/// What the calling worker, inside weft, is to a biased lock; null: a plain thread, or without a
/// processor.
inline base::bias_owner* bias_owner_of(const worker* w) noexcept {
  return w != nullptr && w->held != nullptr ? w->held->bias.owner() : nullptr;
}

/// What became of a waiter that was claimed.
enum class outcome : std::uint8_t {
  open,   // not known yet: the claimer still has the lock
  moved,  // its value was taken, or it got one
  closed,
  again,  // the move threw, in the claimer's hands: as if nothing had happened
};

/// On the waiter's stack; in a queue under the channel's lock.
struct channel_waiter {
  channel_waiter* next = nullptr;
  channel_waiter* prev = nullptr;
  bool linked = false;
  wake_code code = wake_code::first_free;
  std::atomic<outcome> end{outcome::open};
  fiber_record* self = nullptr;
  epoch_t epoch = 0;
  void* value = nullptr;  // a sender's T, where a receiver's arrives
};

class waiter_queue {
 public:
  // a hint without the lock
  [[nodiscard]] bool empty() const noexcept {
    return first_.load(std::memory_order_relaxed) == nullptr;
  }
  [[nodiscard]] channel_waiter* first() const noexcept {
    return first_.load(std::memory_order_relaxed);
  }
  void push_back(channel_waiter& w) noexcept {
    w.next = nullptr;
    w.prev = last_;
    w.linked = true;
    if (last_ != nullptr)
      last_->next = &w;
    else
      first_.store(&w, std::memory_order_relaxed);
    last_ = &w;
  }
  void unlink(channel_waiter& w) noexcept {
    if (w.prev != nullptr)
      w.prev->next = w.next;
    else
      first_.store(w.next, std::memory_order_relaxed);
    if (w.next != nullptr)
      w.next->prev = w.prev;
    else
      last_ = w.prev;
    w.linked = false;
  }
  channel_waiter* pop_front() noexcept {
    channel_waiter* w = first();
    if (w != nullptr) unlink(*w);
    return w;
  }

 private:
  friend struct debug_offsets;

  std::atomic<channel_waiter*> first_{nullptr};  // written under the lock
  channel_waiter* last_ = nullptr;
};

/// Waiters whose wake was won under the lock, to be queued after it [CHAN-6].
class claimed_list {
 public:
  claimed_list() = default;
  claimed_list(const claimed_list&) = delete;
  claimed_list& operator=(const claimed_list&) = delete;
  ~claimed_list() { WEFT_ASSERT(first_ == nullptr, "somebody was claimed, and never queued"); }

  /// False: it had given up.
  bool claim(channel_waiter& w) noexcept {
    fiber_record& f = *w.self;
    const wake_duty duty = f.word.wake(w.epoch, w.code);
    if (duty == wake_duty::enqueue) {
      f.link = first_;
      first_ = &f;
    }
    return duty != wake_duty::stale;
  }
  /// The last word about a claimed waiter: it may be gone after this.
  static void publish_outcome(channel_waiter& w, outcome o) noexcept {
    w.end.store(o, std::memory_order_release);  // [CHAN-3] outcome_of
  }
  /// `w`: the calling worker, inside weft if it has a processor; or null.
  void flush(worker* w) noexcept {
    while (first_ != nullptr) {
      fiber_record& f = *first_;
      first_ = f.link;
      if (w != nullptr && w->held != nullptr && f.home == w->home) [[likely]]
        f.home->make_runnable_inside(*w, f);
      else
        enqueue(f);
    }
  }

 private:
  fiber_record* first_ = nullptr;
};

enum class channel_step : std::uint8_t { done, closed, blocked };

class channel_core {
 public:
  channel_core(const element_type& type, std::size_t capacity, std::byte* ring) noexcept;
  ~channel_core();
  channel_core(const channel_core&) = delete;
  channel_core& operator=(const channel_core&) = delete;

  // ---- may throw what T's move throws
  [[nodiscard]] channel_step put(void* value, claimed_list& out) WEFT_REQUIRES(lock_);
  [[nodiscard]] channel_step get(void* to, claimed_list& out) WEFT_REQUIRES(lock_);
  bool close(claimed_list& out) noexcept WEFT_REQUIRES(lock_);
  waiter_queue& senders() noexcept WEFT_REQUIRES(lock_) { return senders_; }
  waiter_queue& receivers() noexcept WEFT_REQUIRES(lock_) { return receivers_; }

  // ---- without it: a moment's truth, but nothing that happened before is missed
  [[nodiscard]] bool may_put() const noexcept {
    return size() < capacity_ || !receivers_.empty() || is_closed();
  }
  [[nodiscard]] bool may_get() const noexcept {
    return size() > 0 || !senders_.empty() || is_closed();
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  // [CHAN-4] close
  [[nodiscard]] bool is_closed() const noexcept { return closed_.load(std::memory_order_acquire); }

  channel_lock& lock() const noexcept WEFT_RETURN_CAPABILITY(lock_) { return lock_; }
  const element_type& type() const noexcept { return type_; }

 private:
  friend struct debug_offsets;

  void* slot(std::size_t i) noexcept { return ring_ + i * type_.size; }
  static void copy_word(void* to, const void* from) noexcept {
    std::memcpy(to, from, sizeof(std::uint64_t));
  }
  void push(void* value) WEFT_REQUIRES(lock_);
  void pop(void* to) WEFT_REQUIRES(lock_);
  void deliver(void* to, void* from);

  const element_type& type_;
  const bool is_word_;  // the same as type_'s, where it is at hand
  channel_lock& lock_;
  const std::size_t capacity_;
  std::byte* const ring_;
  std::size_t head_ WEFT_GUARDED_BY(lock_) = 0;
  std::size_t tail_ WEFT_GUARDED_BY(lock_) = 0;
  // written under the lock, and all below
  std::atomic<std::size_t> size_{0};
  std::atomic<bool> closed_{false};
  waiter_queue senders_;
  waiter_queue receivers_;
};

/// The lock of one channel, and the processor: its holder is neither preempted nor retaken.
/// Afterwards it queues the waiters it claimed.
class WEFT_SCOPED_CAPABILITY channel_guard {
 public:
  explicit channel_guard(channel_core& c) noexcept WEFT_ACQUIRE(c.lock())
      : lock_(&c.lock()), worker_(enter()), owner_(bias_owner_of(worker_)) {
    enter_channel_rank();
    how_ = lock_->lock(owner_);
  }
  channel_guard(const channel_guard&) = delete;
  channel_guard& operator=(const channel_guard&) = delete;
  ~channel_guard() WEFT_RELEASE() {
    if (lock_ != nullptr) static_cast<void>(unlock_and_leave());
  }
  /// What the destructor does. True if the monitor has requested the calling worker to yield: then
  /// call yield_if_requested.
  [[nodiscard, gnu::always_inline]] bool unlock_and_leave() noexcept WEFT_RELEASE() {
    release();
    out.flush(worker_);
    if (worker_ == nullptr) return false;
    // relaxed: a hint, and asked before the processor can be taken
    const bool asked = worker_->resched_requested.load(std::memory_order_relaxed) != 0;
    detail::leave(*worker_);
    return asked;
  }
  /// Releases the lock, but stays inside weft: between begin_park and finish_park the processor
  /// must not be taken, because a fiber that comes back without one is queued, and loses the word's
  /// state. Returns the calling worker, or null.
  [[nodiscard]] worker* unlock_to_park() noexcept WEFT_RELEASE() {
    release();
    return worker_;
  }

  [[nodiscard]] fiber_record& self() const {
    return worker_ != nullptr && worker_->current != nullptr ? *worker_->current : this_agent();
  }

  claimed_list out;

 private:
  void release() noexcept WEFT_RELEASE() {
    lock_->unlock(how_, owner_);
    lock_ = nullptr;
    leave_channel_rank();
  }

  channel_lock* lock_;
  worker* const worker_;
  base::bias_owner* const owner_;
  held_by how_;
};

[[nodiscard]] outcome await_outcome(const channel_waiter& w, channel_lock& lock) noexcept;

/// For a waiter that was claimed: waits for the claimer to publish_outcome it, if it has not yet.
inline outcome outcome_of(const channel_waiter& w, channel_lock& lock) noexcept {
  const outcome o = w.end.load(std::memory_order_acquire);  // [CHAN-3] publish_outcome
  return o != outcome::open ? o : await_outcome(w, lock);
}

}  // namespace weft::detail
