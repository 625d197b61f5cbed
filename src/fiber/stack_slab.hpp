// SPDX-License-Identifier: BSL-1.0
#pragma once
// fiber/stack_slab.hpp - the process-wide half of the stack pool: slabs, carving, free lists. One
// class_pool per slot size, each with its own lock; only stack_cache, the trim and the statistics
// use it.
//
//   fetch:  1 idle slots that have a guard
//           2 otherwise reserve a batch of bare slots under the lock, prepare them (guards, top
//             pages) without it, and put the rest on the free list
//           3 if no guard can be had any more: the same with checked slots (stack_check.hpp),
//             unless the caller wants none
//   trim:   slots that were idle for a while lose their pages (stack_trim.hpp)
//
//   STACK-1  a guarded slot is on a free list, in a cache or out only if its guard page is
//            installed. A forked child in which guards are lost (os::guard_generation) installs
//            them again.
//   STACK-2  every list has room for every slot of its class, so giving a stack back cannot fail.
//   STACK-3  a slab in `all_slabs` is complete: it is pushed by a release and found by an acquire,
//            and no slab ever leaves the list.

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>

#include "base/futex_lock.hpp"
#include "fiber/stack_pool.hpp"
#include "os/os.hpp"

namespace weft::detail {

/// One mapping of slots of one kind, each with its guard page or its red zone at its lower end.
/// Never freed, so the signal handler may walk the list at any time.
struct stack_slab {
  std::size_t slots;
  stack_class size_class;
  std::size_t red_zone;  // of each slot, above its slot_size; 0: they have guards
  os::guard_area area;
  stack_slab* next;  // immutable once published

  [[nodiscard]] std::size_t stride() const noexcept { return slot_size(size_class) + red_zone; }
  [[nodiscard]] std::byte* slot(std::size_t i) const noexcept {
    return area.all.begin + i * stride();
  }
  [[nodiscard]] stack_ref stack(std::size_t i) const noexcept {
    const std::size_t page = os::page_size();
    return {slot(i) + red_zone + page, slot_size(size_class) - page};
  }
};

/// Slots in the order they came, whose capacity is ensured ahead of time (STACK-2). Trivially
/// destructible: the pool outlives every static object.
class slot_list {
 public:
  [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] bool reserve(std::size_t capacity) noexcept;
  void push(std::byte* limit) noexcept {
    if (end_ == capacity_) [[unlikely]]
      close_gap();
    slots_[end_++] = limit;
    touched_ = std::max(touched_, end_);
  }
  // the newest; not empty
  [[nodiscard]] std::byte* pop() noexcept { return slots_[--end_]; }
  [[nodiscard]] std::byte* pop_oldest() noexcept { return slots_[begin_++]; }  // not empty
  /// What a burst has made of it goes: the pages without an entry. The capacity stays.
  void drop_unused_pages() noexcept;

 private:
  void close_gap() noexcept;
  std::byte** slots_ = nullptr;
  std::size_t begin_ = 0, end_ = 0, capacity_ = 0;
  std::size_t touched_ = 0;  // no entry was ever behind it, since its pages were last dropped
};

enum class stack_kind : std::uint8_t { guarded, checked };

class class_pool {
 public:
  /// Fills a prefix of `out` with slots' limits, coldest first; 0 only with `ec` set.
  std::size_t fetch(stack_class c, stack_guard_policy policy, refill_space& space,
                    std::span<std::byte*> out, std::error_code& ec) noexcept;
  void put_back(stack_class c, refill_space& space, std::span<std::byte* const> limits) noexcept;
  void add_to(stack_statistics& total) noexcept;

  // ---- stack_trim.cpp
  /// How many slots keep their pages however long they are idle.
  static constexpr std::size_t kept_warm = 16;
  [[nodiscard]] bool has_excess() noexcept;
  void end_period() noexcept;  // what was idle in all of it is to be trimmed
  /// Up to refill_space::slots of them; false: there are none.
  bool trim_some(stack_class c, refill_space& space) noexcept;

 private:
  struct shelf {
    slot_list warm, cold;             // idle; the cold ones have no page left. Limits
    std::byte* carve_next = nullptr;  // of the newest slab
    std::byte* carve_end = nullptr;
    std::size_t slots = 0;   // of all slabs
    std::size_t ready = 0;   // that were ever handed out, or could be
    std::size_t lowest = 0;  // warm ones, in this period
    std::size_t to_trim = 0, being_trimmed = 0;
  };
  [[nodiscard]] shelf& shelf_of(stack_kind k) noexcept WEFT_REQUIRES(lock_) {
    return shelves_[static_cast<unsigned>(k)];
  }

  std::size_t take_idle(stack_class c, stack_kind k, refill_space& space,
                        std::span<std::byte*> out) noexcept;
  std::size_t make_slots(stack_class c, stack_kind k, refill_space& space,
                         std::span<std::byte*> out, std::error_code& ec) noexcept;
  // Limits in space.limits for the caller to prepare.
  std::size_t take_bare(stack_class c, stack_kind k, refill_space& space,
                        std::error_code& ec) noexcept WEFT_REQUIRES(lock_);
  bool grow(stack_class c, stack_kind k, std::error_code& ec) noexcept WEFT_REQUIRES(lock_);
  void forget_lost_guards() noexcept WEFT_REQUIRES(lock_);

  base::ranked_futex_lock<base::lock_rank::stack_pool> lock_;
  shelf shelves_[2] WEFT_GUARDED_BY(lock_);
  slot_list bare_ WEFT_GUARDED_BY(lock_);        // limits; refused a guard once, or lost it
  std::size_t ramp_ WEFT_GUARDED_BY(lock_) = 1;  // half the size of the next fresh batch
  std::size_t slabs_ WEFT_GUARDED_BY(lock_) = 0;
  std::uint32_t generation_ WEFT_GUARDED_BY(lock_) = 1;  // of the guards
};

[[nodiscard]] class_pool& pool_of(stack_class c) noexcept;

/// Calls visit(slab) for each.
extern constinit std::atomic<stack_slab*> all_slabs;  // push only; release, acquire [STACK-3]
template <class Visit>
void for_each_slab(Visit&& visit) {
  for (const stack_slab* s = all_slabs.load(std::memory_order_acquire); s != nullptr; s = s->next)
    visit(*s);
}
/// The one that contains the address, or null. AS-safe.
[[nodiscard]] stack_slab* slab_of(const void* address) noexcept;

/// Address space of all slabs.
[[nodiscard]] std::size_t reserved_stack_bytes() noexcept;

}  // namespace weft::detail
