// SPDX-License-Identifier: BSL-1.0
#pragma once
// fiber/stack_slab.hpp - the process-wide half of the stack pool: slabs, carving, free lists.
// One class_pool per slot size, each with its own lock; only stack_cache and the statistics use it.
//
//   fetch:  1 free slots, if any   2 else reserve a batch of bare slots under the lock, prepare
//   them
//           (guards, top pages) without it, put what the caller does not need on the free list
// STACK-1  a slot is on the free list, in a cache or out only if its guard page is installed.
// STACK-2  every list has room for every slot of its class, so giving a stack back cannot fail.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>

#include "base/futex_lock.hpp"
#include "fiber/stack_pool.hpp"

namespace weft::detail {

/// One mapping of slots. Never freed, so the signal handler may walk the list at any time.
struct stack_slab {
  std::byte* begin;
  std::size_t bytes;
  stack_class size_class;
  stack_slab* next;  // immutable once published
};

/// LIFO of slot addresses whose capacity is ensured ahead of time (STACK-2). Trivially
/// destructible: the pool outlives every static object.
class slot_list {
 public:
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool reserve(std::size_t capacity) noexcept;
  void push(std::byte* slot) noexcept { slots_[size_++] = slot; }
  [[nodiscard]] std::byte* pop() noexcept { return slots_[--size_]; }

 private:
  std::byte** slots_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

class class_pool {
 public:
  /// Fills a prefix of `out` with guarded slots' limits, coldest first; 0 only with `ec` set.
  std::size_t fetch(stack_class c, std::span<std::byte*> out, std::error_code& ec) noexcept;
  void put_back(stack_class c, std::span<std::byte* const> limits) noexcept;
  void add_to(stack_statistics& total) noexcept;

 private:
  static constexpr std::size_t max_batch = 256;

  std::size_t take_bare(stack_class c, std::span<std::byte*> batch, std::error_code& ec) noexcept;
  bool grow(stack_class c, std::error_code& ec) noexcept;

  base::ranked_futex_lock<base::lock_rank::stack_pool> lock_;
  // all below: lock_
  slot_list free_;                   // guarded; limits
  slot_list bare_;                   // refused a guard once; slot starts
  std::byte* carve_next_ = nullptr;  // of the newest slab
  std::byte* carve_end_ = nullptr;
  std::size_t ramp_ = 1;   // half the size of the next fresh batch
  std::size_t slots_ = 0;  // of all slabs
  std::size_t slabs_ = 0;
  std::size_t guarded_ = 0;
};

/// Calls visit(slab) for each.
extern constinit std::atomic<stack_slab*> all_slabs;  // push only; release, acquire [STACK-3]
template <class Visit>
void for_each_slab(Visit&& visit) {
  for (const stack_slab* s = all_slabs.load(std::memory_order_acquire); s != nullptr; s = s->next) visit(*s);
}

/// Address space of all slabs.
[[nodiscard]] std::size_t reserved_stack_bytes() noexcept;

}  // namespace weft::detail
