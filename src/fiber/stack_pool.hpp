// SPDX-License-Identifier: BSL-1.0
#pragma once
// fiber/stack_pool.hpp - where fiber stacks come from: slabs, guards, a hot cache per worker.
//
//   slot   a power of two of address space: [ guard page | usable, grows down <- top ]; where
//          guards have run out: [ red zone | a page | usable ], see stack_check.hpp
//   slab   one MAP_NORESERVE mapping of slots; carved from its start, in batches; never unmapped
//   cache  a worker's LIFO of slots per class; exchanges batches with the global free list
//
// A stack size names the slot, guard included: 256 KiB asked is 252 KiB usable. So slots stay
// powers of two, and 1,000,000 default stacks are some 65 slabs.
// A fresh batch gets its guards and top pages by one vectored call each; batches grow as 2, 4 to
// 64, so that a small program prepares few. A refill may happen on a fiber's stack while the fiber
// leaves it: what it needs of memory is the cache's (refill_space), not the stack's.
// A process-wide pool, because stacks are alike for all runtimes and outlive each of them.
// Rejected: links inside the free stacks (a miss per take), one mapping per stack (two VMAs each),
// unmapping free slabs (a shoot-down for address space that costs nothing; pages are dropped).

#include <bit>
#include <cstddef>
#include <cstdint>
#include <system_error>

#include <weft/options.hpp>

#include "base/sanitizers.hpp"
#include "os/os.hpp"

namespace weft::detail {

struct stack_ref {
  std::byte* limit = nullptr;  // lowest usable byte; the guard page ends here
  std::size_t size = 0;        // usable bytes

  [[nodiscard]] std::byte* top() const noexcept { return limit + size; }
  explicit operator bool() const noexcept { return limit != nullptr; }
};

/// Where a fiber starts: 1 to 16 cache lines below top(), fixed per slot, so that neighbours use
/// different cache sets and a shallow fiber still touches only the top page. 64-byte aligned. The
/// line above belongs to stack_check.hpp.
[[nodiscard]] inline std::byte* coloured_top(stack_ref stack) noexcept {
  const auto slot = reinterpret_cast<std::uintptr_t>(stack.limit) / std::bit_ceil(stack.size);
  return stack.top() - ((slot & 15) + 1) * 64;
}

inline constexpr std::size_t min_stack_size = std::size_t{16} << 10;
/// Usable even in the smallest slot.
inline constexpr std::size_t min_slot_usable = std::size_t{12} << 10;
inline constexpr std::size_t max_stack_size = std::size_t{1} << 30;
inline constexpr std::size_t default_stack_size = std::size_t{256} << 10;

/// Slot of min_stack_size << value.
enum class stack_class : std::uint8_t {};
inline constexpr unsigned stack_class_count = 17;

/// The class that holds `bytes` (guard included), rounded up; clamped to the smallest and largest.
[[nodiscard]] constexpr stack_class stack_class_for(std::size_t bytes) noexcept {
  if (bytes <= min_stack_size) return stack_class{0};
  if (bytes >= max_stack_size) return stack_class{stack_class_count - 1};
  return static_cast<stack_class>(std::bit_width(bytes - 1) - std::bit_width(min_stack_size - 1));
}
[[nodiscard]] constexpr std::size_t slot_size(stack_class c) noexcept {
  return min_stack_size << static_cast<unsigned>(c);
}

/// Why there is no stack. Compares equal to std::errc::not_enough_memory; message() names the
/// limit, its present value and what to do.
enum class stack_errc { address_space = 1, map_count = 2, guard = 3, bookkeeping = 4, locked = 5 };
[[nodiscard]] const std::error_category& stack_category() noexcept;
[[nodiscard]] inline std::error_code make_error_code(stack_errc e) noexcept {
  return {static_cast<int>(e), stack_category()};
}
/// What a spawn or the scheduler throws: "no stack of 256 KiB for a fiber: ..." and the above.
[[nodiscard]] std::system_error make_stack_error(std::error_code code, stack_class c);

/// What a refill or a spill works with.
struct refill_space {
  static constexpr std::size_t slots = 64;
  std::byte* limits[slots];
  os::range ranges[slots];
};

/// A worker's own stacks. Not thread-safe; the processor's or worker's holder calls it.
class stack_cache {
 public:
  explicit stack_cache(stack_guard_policy policy = stack_guard_policy::checked) noexcept;
  ~stack_cache() { flush(); }
  stack_cache(const stack_cache&) = delete;
  stack_cache& operator=(const stack_cache&) = delete;

  /// The hottest free stack of the class; null and `ec` set if there is none to be had (`ec` is not
  /// touched otherwise). A warm take is a few loads.
  [[nodiscard]] stack_ref take(stack_class c, std::error_code& ec) noexcept {
    magazine& m = magazines_[static_cast<unsigned>(c)];
    if (m.count == 0) [[unlikely]]
      return refill(c, ec);
    return {m.slots[--m.count], m.usable};
  }
  /// Gives back a stack that no fiber runs on any more, from any cache's take.
  void give(stack_ref stack) noexcept {
    const auto c = static_cast<unsigned>(stack_class_for(stack.size));
    magazine& m = magazines_[c];
    if (m.count == m.capacity) [[unlikely]]
      spill(static_cast<stack_class>(c), m.capacity / 2);
    // The frames of a fiber's entry never return, so ASan still believes in them. Deeper ones did.
    base::asan_unpoison(stack.top() - min_slot_usable, min_slot_usable);
    m.slots[m.count++] = stack.limit;
  }
  /// Everything back to the global pool: a worker whose thread ends.
  void flush() noexcept;

 private:
  static constexpr unsigned max_capacity = 64;
  struct magazine {
    std::uint32_t count = 0;
    std::uint32_t capacity = 0;
    std::size_t usable = 0;
    std::byte* slots[max_capacity];  // [0, count), hottest last
  };

  stack_ref refill(stack_class c, std::error_code& ec) noexcept;
  void spill(stack_class c, std::uint32_t count) noexcept;  // the coldest `count`

  const stack_guard_policy policy_;
  refill_space space_;
  magazine magazines_[stack_class_count];
};

/// The stack whose guard page contains `address`, for the overflow report. AS-safe.
[[nodiscard]] bool is_guard(const void* address, stack_ref& owner) noexcept;

struct stack_statistics {
  std::size_t slabs = 0;           // mappings made for stacks
  std::size_t reserved_bytes = 0;  // their address space
  std::size_t carved = 0;          // slots that have their guard, or are checked
  std::size_t checked = 0;         // of them
  std::size_t free_global = 0;     // carved slots in the global lists
  std::size_t out = 0;             // carved, with a fiber or in a worker's cache
  std::size_t cold = 0;            // of those, without a page of memory
};
[[nodiscard]] stack_statistics stack_pool_statistics() noexcept;
// counts of slots and slabs only
[[nodiscard]] stack_statistics stack_class_statistics(stack_class c) noexcept;

}  // namespace weft::detail

template <>
struct std::is_error_code_enum<weft::detail::stack_errc> : std::true_type {};
