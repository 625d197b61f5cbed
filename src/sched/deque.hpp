// SPDX-License-Identifier: BSL-1.0
// sched/deque.hpp - the run queue of a processor: Chase-Lev, served from both ends.
//
//   owner   push            at the bottom            one release store
//           pop             the newest, at the       nothing, while no thief has announced a steal
//                           bottom (joins)           session
//           take            the oldest, at the top   one CAS for a whole run
//                           (scheduling)
//   thief   steal session   announces thieves        a membarrier, if the last session is long ago
//           steal           the oldest, at the top   fence and CAS
//
// After Le, Pop, Cohen, Zappa Nardelli (PPoPP'13) with the known repair: a grown ring is published
// with release and loaded by thieves with acquire. `take` is ours. Only the owner moves `bottom`,
// so it knows what is below and may move `top` over several entries with one CAS. The run it has
// claimed that way, [claim_, claim_end_), is its own and costs one plain load per entry. A claim is
// at most half of the entries, rounded up, so thieves find the rest unless there is only one; and
// fewer where steps are long (limit_claims).
//
// A pop and a steal each need a full fence between their two accesses. Fork-join pops at every join
// and is stolen from once in a thousand, so the owner's fence is asymmetric: a thief announces
// itself and runs a membarrier, and only then the owner's pops need their fences. The announcement
// outlasts the steal session, so that sessions in a row pay one membarrier (7-8 us). The owner
// takes it back after `pops_per_announcement` pops (5 ns each) [DEQ-4].
// Rejected: stealing several entries with one CAS (the owner pops without a CAS, so an entry would
// be run twice); a bounded ring with overflow (its limit turns into a stall); taking one at a time
// (a CAS per scheduling step is a third of the whole step).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "base/cache_line.hpp"
#include "base/sync_policy.hpp"

namespace weft::detail {

enum class steal_status : std::uint8_t { empty, lost_race, stolen };

// DEQ-1  an entry is handed out exactly once.
// DEQ-2  the receiver of an entry sees all that was written before its push.
// DEQ-3  a slot is not reused while its entry is claimed and not yet taken.
// DEQ-4  from the end of a steal session's construction to its destruction, every pop that begins
//        sees a thief announced.
template <class T, class Sync = base::real_sync, std::uint32_t pops_per_announcement = 4096>
class deque {
  template <class U>
  using atomic = typename Sync::template atomic<U>;

 public:
  static constexpr std::int64_t longest_claim = 16;

  explicit deque(std::size_t capacity = 256) : rings_(std::make_unique<ring>(capacity)) {
    ring_.store(rings_.get(), std::memory_order_relaxed);
  }
  deque(const deque&) = delete;
  deque& operator=(const deque&) = delete;

  // ---- owner
  // False: there is no room, and no memory for more, or none was to be asked for; nothing has
  // changed.
  enum class when_full : std::uint8_t { grow, refuse };
  [[nodiscard]] bool try_push(T entry, when_full how = when_full::grow) noexcept {
    const std::int64_t bottom = bottom_.load(std::memory_order_relaxed);
    ring* r = rings_.get();
    if (bottom - floor_ >= r->size()) [[unlikely]] {
      r = make_room(bottom, how);
      if (r == nullptr) return false;
    }
    r->slot(bottom).store(entry, std::memory_order_relaxed);
    // [DEQ-2] acquire load of bottom_ in steal
    bottom_.store(bottom + 1, std::memory_order_release);
    return true;
  }
  void push(T entry) {
    if (!try_push(entry)) throw std::bad_alloc();
  }

  // The newest entry, or a null T.
  T pop() {
    const std::int64_t bottom = bottom_.load(std::memory_order_relaxed) - 1;
    const T entry = rings_->slot(bottom).load(std::memory_order_relaxed);
    return take_newest(bottom) ? entry : T{};
  }
  // Takes `entry` if it is the newest.
  bool pop(T entry) {
    const std::int64_t bottom = bottom_.load(std::memory_order_relaxed) - 1;
    // What was stolen still stands in its slot: a match says nothing yet.
    return rings_->slot(bottom).load(std::memory_order_relaxed) == entry && take_newest(bottom);
  }

  // The oldest entry, or a null T.
  T take() {
    if (claim_ == claim_end_ && !claim()) return T{};
    const std::int64_t at = claim_++;
    if (claim_ == claim_end_) claim_waits_.store(0, std::memory_order_relaxed);
    return rings_->slot(at).load(std::memory_order_relaxed);
  }

  // The entry that the next take returns, and the one after it. A thief may have one that is not
  // claimed: to prefetch, nothing else.
  T peek() const { return peek_at(claimed() > 0 ? claim_ : first_unclaimed()); }
  T peek_further() const {
    return peek_at(claimed() > 1 ? claim_ + 1 : first_unclaimed() + 1 - claimed());
  }

  // If the last take has begun a run: each(entry) looks ahead over the rest of it, which no other
  // thread has.
  bool begun_run() const { return claim_ != claim_end_ && claimed() == claimed_hint(); }
  template <class Each>
  void for_claimed(Each&& each) const {
    for (std::int64_t i = claim_; i != claim_end_; ++i)
      each(rings_->slot(i).load(std::memory_order_relaxed));
  }

  // Claims from now on have at most so many entries, 1 to longest_claim.
  void limit_claims(std::int64_t n) { claim_limit_ = static_cast<std::int32_t>(n); }

  // Puts the claimed run back where thieves reach it: the holder is stuck (share_out).
  void unclaim() {
    while (claim_ != claim_end_) {
      const T entry = rings_->slot(claim_++).load(std::memory_order_relaxed);
      // DEQ-3: into the room that has just become free, at least
      static_cast<void>(try_push(entry, when_full::refuse));
    }
    claim_waits_.store(0, std::memory_order_relaxed);
  }

  // Entries claimed and not yet taken. Thieves cannot reach them.
  std::int64_t claimed() const { return claim_end_ - claim_; }
  // The same for others, a hint: what waited in the claim when it was made; 0 from the take of its
  // last entry on.
  std::int64_t claimed_hint() const { return claim_waits_.load(std::memory_order_relaxed); }

  // ---- anyone
  // The right to steal, for a short while: the owner's pops are dearer meanwhile.
  class steal_session {
   public:
    explicit steal_session(deque& victim) : victim_(victim) {
      // The bit `fenced` was set after a heavy fence and under a count, and is taken back only by
      // the owner itself: a thief that finds it set knows that the owner has not seen zero since
      // then, and will not.
      if (!(victim_.thieves_.fetch_add(one_thief, std::memory_order_acq_rel) & fenced)) {
        Sync::heavy_fence();  // [DEQ-4] light_fence in pop
        victim_.thieves_.fetch_or(fenced, std::memory_order_acq_rel);
      }
    }
    ~steal_session() { victim_.thieves_.fetch_sub(one_thief, std::memory_order_release); }
    steal_session(const steal_session&) = delete;
    steal_session& operator=(const steal_session&) = delete;

    // The oldest entry.
    std::pair<steal_status, T> steal() { return victim_.steal(); }

   private:
    deque& victim_;
  };

  // A moment's guess of what thieves can reach.
  std::int64_t size() const {
    const std::int64_t top = top_.load(std::memory_order_relaxed);
    const std::int64_t n = bottom_.load(std::memory_order_relaxed) - top;
    return n > 0 ? n : 0;
  }

 private:
  // The end of a pop of the entry at `bottom`, one below bottom_. False: a thief was faster, or
  // there is none.
  bool take_newest(std::int64_t bottom) {
    // Release, as in push: a thief that reads this value must still see the entries below it (since
    // C++20 a plain store ends push's release sequence).
    bottom_.store(bottom, std::memory_order_release);  // [DEQ-2] acquire load of bottom_ in steal
    // [DEQ-4] heavy_fence in steal session
    Sync::light_fence();
    if (thieves_.load(std::memory_order_relaxed) != 0) [[unlikely]]  // [DEQ-4]
      fence_against_thieves();
    std::int64_t top = top_.load(std::memory_order_relaxed);
    if (top < bottom) [[likely]]
      return true;
    // The last one: the thread that moves top has it.
    const bool mine = top == bottom &&
                      // [DEQ-1] CAS in steal
                      top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst,
                                                   std::memory_order_relaxed);
    bottom_.store(bottom + 1, std::memory_order_relaxed);
    return mine;
  }

  struct ring {
    explicit ring(std::size_t n) : mask(n - 1), slots(std::make_unique<atomic<T>[]>(n)) {}
    std::int64_t size() const { return static_cast<std::int64_t>(mask + 1); }
    atomic<T>& slot(std::int64_t i) { return slots[static_cast<std::size_t>(i) & mask]; }
    std::size_t mask;
    std::unique_ptr<atomic<T>[]> slots;
    std::unique_ptr<ring> previous;  // a thief may still read it: kept until the deque goes
  };

  std::pair<steal_status, T> steal() {
    std::int64_t top = top_.load(std::memory_order_acquire);  // [DEQ-1] after another's CAS on top_
    Sync::fence(std::memory_order_seq_cst);                   // [DEQ-1] the fence in pop
    const std::int64_t bottom = bottom_.load(std::memory_order_acquire);  // [DEQ-2] store in push
    if (top >= bottom) return {steal_status::empty, T{}};
    ring* r = ring_.load(std::memory_order_acquire);  // [DEQ-2] store in make_room
    T entry = r->slot(top).load(std::memory_order_relaxed);
    if (!top_.compare_exchange_strong(top, top + 1, std::memory_order_seq_cst,
                                      std::memory_order_relaxed))
      return {steal_status::lost_race, T{}};
    return {steal_status::stolen, entry};
  }

  [[gnu::noinline, gnu::cold]] void fence_against_thieves() {
    if (++fenced_pops_ >= pops_per_announcement) {
      fenced_pops_ = 0;
      thieves_.fetch_and(~fenced, std::memory_order_acq_rel);
    }
    Sync::fence(std::memory_order_seq_cst);  // [DEQ-1] the fence in steal
  }

  std::int64_t first_unclaimed() const { return top_.load(std::memory_order_relaxed); }
  T peek_at(std::int64_t i) const {
    return i < bottom_.load(std::memory_order_relaxed)
               ? rings_->slot(i).load(std::memory_order_relaxed)
               : T{};
  }

  bool claim() {
    std::int64_t top = top_.load(std::memory_order_relaxed);
    for (;;) {
      const std::int64_t n = bottom_.load(std::memory_order_relaxed) - top;
      if (n <= 0) return false;
      std::int64_t k = (n + 1) / 2;
      if (k > claim_limit_) k = claim_limit_;
      // [DEQ-1] CAS in steal
      if (top_.compare_exchange_weak(top, top + k, std::memory_order_seq_cst,
                                     std::memory_order_relaxed)) {
        claim_ = top;
        claim_end_ = top + k;
        if (k > 1) claim_waits_.store(k - 1, std::memory_order_relaxed);
        return true;
      }
    }
  }

  // Null if there is none.
  [[gnu::noinline, gnu::cold]] ring* make_room(std::int64_t bottom, when_full how) noexcept try {
    // Acquire: a thief's CAS on top_ came after its load of the slot that is to be written again.
    const std::int64_t top = top_.load(std::memory_order_acquire);
    floor_ = claim_ == claim_end_ ? top : claim_;  // DEQ-3
    ring* r = rings_.get();
    if (bottom - floor_ < r->size()) return r;
    if (how == when_full::refuse) return nullptr;
    auto made = std::make_unique<ring>(static_cast<std::size_t>(r->size()) * 2);
    made->previous = std::move(rings_);
    rings_ = std::move(made);
    ring* bigger = rings_.get();
    for (std::int64_t i = floor_; i < bottom; ++i)
      bigger->slot(i).store(r->slot(i).load(std::memory_order_relaxed), std::memory_order_relaxed);
    ring_.store(bigger, std::memory_order_release);  // [DEQ-2] acquire load of ring_ in steal
    return bigger;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }

  static constexpr std::uint32_t fenced = 1, one_thief = 2;

  alignas(base::cache_line) atomic<std::int64_t> top_{0};  // anyone, by CAS
  // steal sessions under way, and the bit `fenced`
  atomic<std::uint32_t> thieves_{0};
  alignas(base::cache_line) atomic<std::int64_t> bottom_{0};  // owner writes, anyone reads
  atomic<ring*> ring_{nullptr};                               // owner writes, anyone reads
  std::int64_t claim_ = 0, claim_end_ = 0;                    // owner: the claimed run, below top_
  atomic<std::int64_t> claim_waits_{0};                       // owner writes; a hint for others
  std::uint32_t fenced_pops_ = 0;                             // owner
  std::int32_t claim_limit_ = longest_claim;                  // owner
  std::int64_t floor_ = 0;       // owner: no entry below this index is still needed
  std::unique_ptr<ring> rings_;  // owner: the current ring and its predecessors
};

}  // namespace weft::detail
