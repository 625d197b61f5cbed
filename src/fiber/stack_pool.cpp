// SPDX-License-Identifier: BSL-1.0
// fiber/stack_pool.cpp - the cache's slow paths and the statistics.

#include "fiber/stack_pool.hpp"

#include <algorithm>
#include <array>

#include "fiber/stack_slab.hpp"
#include "os/errno_guard.hpp"
#include "os/os.hpp"

namespace weft::detail {
namespace {

constinit std::array<class_pool, stack_class_count> pools{};

// A cache keeps at most 16 MiB of address space per class, but always a pair to alternate between.
constexpr std::size_t cached_bytes = std::size_t{16} << 20;

}  // namespace

class_pool& pool_of(stack_class c) noexcept { return pools[static_cast<unsigned>(c)]; }

stack_cache::stack_cache(stack_guard_policy policy) noexcept : policy_(policy) {
  for (unsigned i = 0; i < stack_class_count; ++i) {
    const std::size_t slot = slot_size(static_cast<stack_class>(i));
    magazines_[i].capacity =
        static_cast<std::uint32_t>(std::clamp<std::size_t>(cached_bytes / slot, 2, max_capacity));
    magazines_[i].usable = slot - os::page_size();
  }
}

stack_ref stack_cache::refill(stack_class c, std::error_code& ec) noexcept {
  const os::errno_guard keep;  // the fiber's that is about to leave this stack
  magazine& m = magazines_[static_cast<unsigned>(c)];
  const std::size_t got = pool_of(c).fetch(c, policy_, space_, {m.slots, m.capacity / 2}, ec);
  if (got == 0) return {};
  m.count = static_cast<std::uint32_t>(got) - 1;
  return {m.slots[m.count], m.usable};
}

void stack_cache::spill(stack_class c, std::uint32_t count) noexcept {
  const os::errno_guard keep;
  magazine& m = magazines_[static_cast<unsigned>(c)];
  pool_of(c).put_back(c, space_, {m.slots, count});
  std::copy(m.slots + count, m.slots + m.count, m.slots);
  m.count -= count;
}

void stack_cache::flush() noexcept {
  for (unsigned i = 0; i < stack_class_count; ++i) {
    if (magazines_[i].count != 0) spill(static_cast<stack_class>(i), magazines_[i].count);
  }
}

stack_statistics stack_class_statistics(stack_class c) noexcept {
  stack_statistics one;
  pool_of(c).add_to(one);
  return one;
}

stack_statistics stack_pool_statistics() noexcept {
  stack_statistics total;
  for (class_pool& pool : pools) pool.add_to(total);
  total.reserved_bytes = reserved_stack_bytes();
  return total;
}

}  // namespace weft::detail
