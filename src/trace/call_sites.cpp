// SPDX-License-Identifier: BSL-1.0
// trace/call_sites.cpp - an open hash table that only grows.
#include "trace/call_sites.hpp"

#include <atomic>

#include "base/futex_lock.hpp"

namespace weft::detail::trace {
namespace {

constexpr std::uint32_t size = 16384, most = size / 2;

struct entry {
  std::atomic<std::uint64_t> address{0};  // release after number [TRACE-4], acquire by readers
  std::atomic<std::uint32_t> number{0};   // relaxed
};
constinit entry table[size];
constinit base::ranked_futex_lock<base::lock_rank::leaf> lock;
constinit std::uint32_t count WEFT_GUARDED_BY(lock) = 0;

std::uint32_t slot_of(std::uint64_t address) noexcept {
  return static_cast<std::uint32_t>(address * 0x9e3779b97f4a7c15U >> 50U);
}
static_assert(size == 1U << 14U);

[[gnu::noinline]] std::uint32_t add(std::uint64_t address) noexcept {
  const base::lock_guard guard(lock);
  for (std::uint32_t i = slot_of(address);; i = (i + 1) % size) {
    entry& e = table[i];
    const std::uint64_t there = e.address.load(std::memory_order_relaxed);
    if (there == address) return e.number.load(std::memory_order_relaxed);
    if (there != 0) continue;
    if (count == most) return 0;
    e.number.store(++count, std::memory_order_relaxed);
    e.address.store(address, std::memory_order_release);  // [TRACE-4]
    return count;
  }
}

}  // namespace

std::uint32_t call_site_number(std::uint64_t address) noexcept {
  if (address == 0) return 0;
  for (std::uint32_t i = slot_of(address);; i = (i + 1) % size) {
    const std::uint64_t there = table[i].address.load(std::memory_order_acquire);  // [TRACE-4]
    if (there == address) return table[i].number.load(std::memory_order_relaxed);
    if (there == 0) return add(address);
  }
}

void for_each_call_site(call_site_visitor visit, void* context) noexcept {
  for (const entry& e : table)
    if (const std::uint64_t address = e.address.load(std::memory_order_acquire))  // [TRACE-4]
      visit(context, e.number.load(std::memory_order_relaxed), address);
}

}  // namespace weft::detail::trace
