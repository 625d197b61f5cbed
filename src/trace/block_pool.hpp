// SPDX-License-Identifier: BSL-1.0
#pragma once
// trace/block_pool.hpp - the memory of the rings: blocks, each of them in one place at a time
// [TRACE-3].
//
//   free    -> current   a writer takes it               (exchange)
//   current -> full      its writer is done with it      (exchange)
//   full    -> taken     the collector writes it         (take; alone with it, no lock)
//   taken   -> free      it is in the file               (give_back), or -> saved: of a flight
//           recorder, to be kept
//   saved, full -> current   a flight recorder overwrites what it has saved, then what is oldest
// A writer appends to its current block without a lock and publishes how far it has come. Others
// may read what is published, under the lock.
//   TRACE-2  bytes below `used` never change while a block lives; a life begins under the lock. So
//            a holder of the lock (peek), or of the block, reads what was written.
//   TRACE-3  a block is in one list, or one writer's, or the collector's.
// Rejected: one byte ring per thread with a reader's and a writer's index (an overwriting writer
// races with its reader, and memory that a quiet thread does not need helps no busy one).

#include <atomic>
#include <cstdint>
#include <utility>

#include "base/lock_guard.hpp"

namespace weft::detail::trace {

enum class block_owner : std::uint8_t { spare, free, current, full, taken, saved };
enum class when_none : std::uint8_t { refuse, overwrite };

/// What the pool needs of a block; all under the lock but `used`.
template <class Block, class Sync>
struct block_links {
  typename Sync::template atomic<std::uint32_t> used{0};
  block_owner place = block_owner::spare;
  std::uint32_t peeked = 0;   // bytes that a peek has seen
  std::uint64_t session = 0;  // what is in it belongs to
  Block* link = nullptr;
  Block* in_all = nullptr;  // constant
};

/// The writer, about its current block: what it wrote up to `n` may be looked at.
template <class Block>
void publish(Block& b, std::uint32_t n) noexcept {
  b.used.store(n, std::memory_order_release);  // [TRACE-2] pairs with the acquire in peek
}

template <class Block, class Lock>
class block_pool {
 public:
  constexpr block_pool() = default;

  void add(Block& b) noexcept {
    const base::lock_guard guard(lock_);
    b.in_all = all_;
    all_ = &b;
    ++count_;
  }
  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }

  /// Whatever is not in a writer's or the collector's hands is free again; `most` of them are used.
  void begin(std::uint64_t session, when_none policy, std::uint32_t most) noexcept {
    const base::lock_guard guard(lock_);
    session_ = session;
    policy_ = policy;
    free_ = saved_ = full_ = {};
    std::uint32_t n = 0;
    for (Block* b = all_; b != nullptr; b = b->in_all) {
      if (b->place == block_owner::current || b->place == block_owner::taken) continue;
      b->place = block_owner::spare;
      if (n++ < most) put_free(*b);
    }
    open_ = true;
  }
  /// No writer gets a block any more.
  void close() noexcept {
    const base::lock_guard guard(lock_);
    open_ = false;
  }

  /// The writer is done with `done` (or has none) and gets another block; null if there is none, or
  /// the session is over. `overwritten` hears of a block of this session that is used again without
  /// having been written; under the lock.
  template <class Overwritten>
  Block* exchange(Block* done, Overwritten&& overwritten) noexcept {
    const base::lock_guard guard(lock_);
    if (done != nullptr) retire(*done);
    if (!open_) return nullptr;
    Block* b = get(free_);
    if (b == nullptr) b = get(saved_);
    if (b == nullptr && policy_ == when_none::overwrite) {
      b = get(full_);
      if (b != nullptr) overwritten(*b);
    }
    if (b == nullptr) return nullptr;
    b->place = block_owner::current;
    b->session = session_;
    b->peeked = 0;
    b->used.store(0, std::memory_order_relaxed);  // the lock orders it
    return b;
  }
  /// The writer ends, or gives its block up.
  void release(Block& done) noexcept {
    const base::lock_guard guard(lock_);
    retire(done);
  }

  /// The oldest full one, for the caller alone until give_back.
  Block* take() noexcept {
    const base::lock_guard guard(lock_);
    Block* b = get(full_);
    if (b != nullptr) b->place = block_owner::taken;
    return b;
  }
  void give_back(Block& b, block_owner to) noexcept {
    const base::lock_guard guard(lock_);
    if (b.session != session_) to = block_owner::free;
    if (to == block_owner::saved)
      put(saved_, b, to);
    else
      put_free(b);
  }
  /// What was saved is what is oldest among the full, again.
  void keep_saved() noexcept {
    const base::lock_guard guard(lock_);
    if (saved_.first == nullptr) return;
    for (Block* b = saved_.first; b != nullptr; b = b->link) b->place = block_owner::full;
    saved_.last->link = full_.first;
    if (full_.first == nullptr) full_.last = saved_.last;
    full_.first = saved_.first;
    full_.count += saved_.count;
    saved_ = {};
  }
  /// For each that a writer is writing and that has grown: copy(block, used), under the lock; then
  /// use(), without it.
  template <class Copy, class Use>
  void peek(Copy&& copy, Use&& use) noexcept {
    for (Block* b = all_; b != nullptr; b = b->in_all) {
      {
        const base::lock_guard guard(lock_);
        if (b->place != block_owner::current || b->session != session_) continue;
        const std::uint32_t used = b->used.load(std::memory_order_acquire);  // [TRACE-2] publish
        if (used == b->peeked) continue;
        copy(*b, used);
        b->peeked = used;
      }
      use();
    }
  }
  /// The next peek sees all of every block again: another file.
  void forget_peeks() noexcept {
    const base::lock_guard guard(lock_);
    for (Block* b = all_; b != nullptr; b = b->in_all) b->peeked = 0;
  }
  [[nodiscard]] std::uint32_t full() const noexcept {
    const base::lock_guard guard(lock_);
    return full_.count;
  }
  /// In the handler of a crash: it cannot wait for other threads, so it takes no lock and looks at
  /// everything. What is given to another writer meanwhile fails its checksum.
  template <class Visit>
  void look_anyway(Visit&& visit) noexcept WEFT_NO_THREAD_SAFETY_ANALYSIS {
    for (Block* b = all_; b != nullptr; b = b->in_all)
      if (b->session == session_ && b->place != block_owner::free && b->place != block_owner::spare)
        visit(*b, b->used.load(std::memory_order_acquire));
  }

 private:
  struct list {
    Block* first = nullptr;
    Block* last = nullptr;
    std::uint32_t count = 0;
  };

  static void put(list& l, Block& b, block_owner place) noexcept {
    b.place = place;
    b.link = nullptr;
    (l.first != nullptr ? l.last->link : l.first) = &b;
    l.last = &b;
    ++l.count;
  }
  // The last one used comes first: its memory is there, and warm.
  void put_free(Block& b) noexcept WEFT_REQUIRES(lock_) {
    b.place = block_owner::free;
    b.link = free_.first;
    if (free_.first == nullptr) free_.last = &b;
    free_.first = &b;
    ++free_.count;
  }
  static Block* get(list& l) noexcept {
    Block* b = l.first;
    if (b == nullptr) return nullptr;
    l.first = b->link;
    --l.count;
    return b;
  }
  void retire(Block& b) noexcept WEFT_REQUIRES(lock_) {
    const bool ours = b.session == session_ && b.used.load(std::memory_order_relaxed) > 0;
    if (ours)
      put(full_, b, block_owner::full);
    else
      put_free(b);
  }

  mutable Lock lock_;
  list free_ WEFT_GUARDED_BY(lock_);
  list full_ WEFT_GUARDED_BY(lock_);
  list saved_ WEFT_GUARDED_BY(lock_);
  std::uint64_t session_ WEFT_GUARDED_BY(lock_) = 0;
  when_none policy_ WEFT_GUARDED_BY(lock_) = when_none::refuse;
  bool open_ WEFT_GUARDED_BY(lock_) = false;
  // Grow before a session begins, while none is there; read without the lock.
  Block* all_ = nullptr;
  std::uint32_t count_ = 0;
};

}  // namespace weft::detail::trace
