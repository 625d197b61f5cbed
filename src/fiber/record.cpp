// SPDX-License-Identifier: BSL-1.0
// fiber/record.cpp - slabs of records and the global free list.
//
// One slab is 1024 records, populated by one call; the table of slabs is static and of fixed size,
// so that an index finds its record with two loads and no lock.
// REC-1  an index below `count` finds its slab, with every record constructed: the slab's pointer
//        and then `count` are released by carve, and acquired by the reader in the other order.
#include "fiber/record.hpp"

#include <mutex>
#include <new>
#include <system_error>
#include <utility>

#include "fiber/record_table.hpp"
#include "os/os.hpp"

namespace weft::detail {

constinit record_table all_records{};

namespace {

constexpr std::uint32_t slab_bits = record_table::slab_bits;
constexpr std::uint32_t slab_records = 1u << slab_bits;

// Chains of free records, linked through their first ones: `context` leads to the next chain,
// `ready_ns` is the count. So giving one back asks for no memory, and cannot fail. Under
// all_records.lock.
class chain_list {
 public:
  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
  void push(const record_chain& c) noexcept {
    c.first->context = first_;
    c.first->ready_ns = static_cast<std::int64_t>(c.count);
    first_ = c.first;
  }
  [[nodiscard]] record_chain pop() noexcept {  // not empty
    fiber_record* const r = first_;
    first_ = static_cast<fiber_record*>(std::exchange(r->context, nullptr));
    return {r, static_cast<std::size_t>(r->ready_ns)};
  }

 private:
  fiber_record* first_ = nullptr;
};
constinit chain_list free_chains{};
constinit record_chain outside{};  // shared by the threads without a cache; under the lock

// Under the lock. Throws before anything has changed.
void carve() {
  if (all_records.carved == record_table::max_slabs)
    throw std::system_error(
        std::make_error_code(std::errc::not_enough_memory),
        "weft: 67 million fiber records are in use, the most a process can have");
  constexpr std::size_t bytes = slab_records * sizeof(fiber_record);
  std::byte* memory = nullptr;
  if (const auto ec = os::reserve(bytes, os::page_size(), memory))
    throw std::system_error(
        ec,
        "weft: no address space for 1024 more fiber records; raise the limit "
        "(`ulimit -v`) or bound the fibers (options::max_fibers, weft::scope_limit)");
  const os::range all{memory, bytes};
  static_cast<void>(os::populate({&all, 1}));
  auto* slab = reinterpret_cast<fiber_record*>(memory);
  const std::uint32_t base = all_records.carved << slab_bits;
  record_chain chain;
  for (std::uint32_t i = slab_records; i-- > 0;) {
    auto* r = ::new (static_cast<void*>(slab + i)) fiber_record;
    r->index = base + i;
    r->in_children.owner = r;
    if (r->index != 0) chain.push(*r);  // index 0 means "no ticket"
    if (i % record_cache::chain_length == 0) free_chains.push(std::exchange(chain, {}));
  }
  // Before the lock is released: no record is handed out whose slab is not in the table.
  all_records.slabs[all_records.carved].store(slab, std::memory_order_release);  // [REC-1]
  ++all_records.carved;
  all_records.count.store(all_records.carved << slab_bits, std::memory_order_release);  // [REC-1]
}

}  // namespace

records_held::records_held() noexcept { all_records.lock.lock(); }
records_held::~records_held() { all_records.lock.unlock(); }

fiber_record& record_at(std::uint32_t index) noexcept {
  // [REC-1]
  fiber_record* slab = all_records.slabs[index >> slab_bits].load(std::memory_order_acquire);
  return slab[index & (slab_records - 1)];
}
fiber_record& record_of(ticket t) noexcept { return record_at(t.index()); }
std::uint32_t record_count() noexcept {
  return all_records.count.load(std::memory_order_acquire);  // [REC-1]
}

void record_cache::refill() {
  if (reserve_.count > 0) {
    active_ = std::exchange(reserve_, {});
    return;
  }
  const std::lock_guard guard(all_records.lock);
  if (free_chains.empty()) carve();
  active_ = free_chains.pop();
}

void record_cache::spill() noexcept {
  if (reserve_.count > 0) {
    const std::lock_guard guard(all_records.lock);
    free_chains.push(reserve_);
  }
  reserve_ = std::exchange(active_, {});
}

void record_cache::flush() noexcept {
  const std::lock_guard guard(all_records.lock);
  for (record_chain* c : {&active_, &reserve_})
    if (c->count > 0) free_chains.push(std::exchange(*c, {}));
}

fiber_record& take_record() {
  const std::lock_guard guard(all_records.lock);
  if (outside.count == 0) {
    if (free_chains.empty()) carve();
    outside = free_chains.pop();
  }
  return outside.pop();
}

void give_record(fiber_record& r) noexcept {
  const std::lock_guard guard(all_records.lock);
  if (outside.count == record_cache::chain_length) free_chains.push(std::exchange(outside, {}));
  outside.push(r);
}

void fiber_record::take_extras(fiber_extras* x) noexcept {
  set(has_extras);
  extras.store(x, std::memory_order_release);  // [REC-2] acquire in readers under `lock`
}

fiber_extras& fiber_record::need_extras() {
  fiber_extras* x = extras.load(std::memory_order_relaxed);
  if (x == nullptr) {
    x = new fiber_extras;
    take_extras(x);
  }
  return *x;
}

}  // namespace weft::detail
