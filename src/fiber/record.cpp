// SPDX-License-Identifier: BSL-1.0
// fiber/record.cpp - slabs of records and the global free list.
//
// One slab is 1024 records, populated by one call; the table of slabs is static and of fixed size, so that an index
// finds its record with two loads and no lock.
#include "fiber/record.hpp"

#include <mutex>
#include <new>
#include <system_error>

#include "os/os.hpp"

namespace weft::detail {
namespace {

constexpr std::uint32_t slab_bits = 10;
constexpr std::uint32_t slab_records = 1u << slab_bits;
constexpr std::uint32_t max_slabs = 1u << 16;

struct record_table {
  std::atomic<fiber_record*> slabs[max_slabs];  // release by carve, acquire by record_at [REC-1]
  std::atomic<std::uint32_t> count{1};          // one past the last index handed out; 0 is no record
  base::ranked_futex_lock<base::lock_rank::stack_pool> lock;
  // under lock:
  std::uint32_t carved = 0;                     // slabs
  fiber_record* free = nullptr;
  std::size_t free_count = 0;
};
constinit record_table table{};

// Under the lock.
void carve() {
  if (table.carved == max_slabs)
    throw std::system_error(std::make_error_code(std::errc::not_enough_memory),
                            "weft: 67 million fiber records are in use, the most a process can have");
  constexpr std::size_t bytes = slab_records * sizeof(fiber_record);
  std::byte* memory = nullptr;
  if (const auto ec = os::reserve(bytes, os::page_size(), memory))
    throw std::system_error(ec,
                            "weft: no address space for 1024 more fiber records; raise the limit "
                            "(`ulimit -v`) or bound the fibers (options::max_fibers, weft::scope_limit)");
  const os::range all{memory, bytes};
  static_cast<void>(os::populate({&all, 1}));
  auto* slab = reinterpret_cast<fiber_record*>(memory);
  const std::uint32_t base = table.carved << slab_bits;
  for (std::uint32_t i = slab_records; i-- > 0;) {
    auto* r = ::new (static_cast<void*>(slab + i)) fiber_record;
    r->index = base + i;
    r->in_children.owner = r;
    if (r->index == 0) continue;  // index 0 means "no ticket"
    r->link = table.free;
    table.free = r;
    ++table.free_count;
  }
  table.slabs[table.carved].store(slab, std::memory_order_release);  // [REC-1]
  ++table.carved;
  table.count.store(table.carved << slab_bits, std::memory_order_release);  // [REC-1]
}

}  // namespace

fiber_record& record_at(std::uint32_t index) noexcept {
  fiber_record* slab = table.slabs[index >> slab_bits].load(std::memory_order_acquire);  // [REC-1]
  return slab[index & (slab_records - 1)];
}
fiber_record& record_of(ticket t) noexcept { return record_at(t.index()); }
std::uint32_t record_count() noexcept {
  return table.count.load(std::memory_order_acquire);  // [REC-1]
}

void record_cache::refill() {
  const std::lock_guard guard(table.lock);
  if (table.free == nullptr) carve();
  while (table.free != nullptr && count_ < batch) {
    fiber_record* r = table.free;
    table.free = r->link;
    --table.free_count;
    r->link = free_;
    free_ = r;
    ++count_;
  }
}

void record_cache::spill() noexcept {
  const std::lock_guard guard(table.lock);
  while (count_ > batch) {
    fiber_record* r = free_;
    free_ = r->link;
    --count_;
    r->link = table.free;
    table.free = r;
    ++table.free_count;
  }
}

void record_cache::flush() noexcept {
  if (free_ == nullptr) return;
  const std::lock_guard guard(table.lock);
  while (free_ != nullptr) {
    fiber_record* r = free_;
    free_ = r->link;
    r->link = table.free;
    table.free = r;
    ++table.free_count;
  }
  count_ = 0;
}

fiber_record& take_record() {
  const std::lock_guard guard(table.lock);
  if (table.free == nullptr) carve();
  fiber_record* r = table.free;
  table.free = r->link;
  --table.free_count;
  return *r;
}

void give_record(fiber_record& r) noexcept {
  const std::lock_guard guard(table.lock);
  r.link = table.free;
  table.free = &r;
  ++table.free_count;
}

fiber_extras& fiber_record::need_extras() {
  fiber_extras* x = extras.load(std::memory_order_relaxed);
  if (x == nullptr) {
    x = new fiber_extras;
    set(has_extras);
    extras.store(x, std::memory_order_release);  // [REC-2] acquire in those who look under `lock`
  }
  return *x;
}

}  // namespace weft::detail
