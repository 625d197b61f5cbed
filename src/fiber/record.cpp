// SPDX-License-Identifier: BSL-1.0
// fiber/record.cpp - slabs of records and the global free list.
//
// One slab is 1024 records, populated by one call; the table of slabs is static and of fixed size,
// so that an index finds its record with two loads and no lock.
// Records that a burst leaves idle lose their pages (record_trim.hpp).
// REC-1  an index below `count` finds its slab, with every record constructed: the slab's pointer
//        and then `count` are released by carve, and acquired by the reader in the other order.
#include "fiber/record.hpp"

#include <algorithm>
#include <bit>
#include <new>
#include <system_error>
#include <utility>

#include "fiber/record_table.hpp"
#include "fiber/record_trim.hpp"
#include "os/os.hpp"

namespace weft::detail {

constinit record_table all_records{};

namespace {

constexpr std::uint32_t slab_bits = record_table::slab_bits;
constexpr std::uint32_t slab_records = 1u << slab_bits;
constexpr std::uint32_t max_slabs = record_table::max_slabs;
// What the trim gives back at once: a page.
constexpr std::uint32_t unit_records = 16;
constexpr std::size_t unit_bytes = unit_records * sizeof(fiber_record);
constexpr std::size_t slab_bytes = slab_records * sizeof(fiber_record);
// Behind each slab: the epochs of its records whose pages were dropped.
constexpr std::size_t epoch_bytes = slab_records * sizeof(epoch_t);

// Chains of free records, linked through their first ones: `context` leads to the next chain,
// `ready_ns` is the count. So giving one back asks for no memory, and cannot fail.
class chain_list {
 public:
  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
  [[nodiscard]] std::size_t records() const noexcept { return records_; }
  void push(const record_chain& c) noexcept {
    c.first->set_context(first_);
    c.first->ready_ns = static_cast<std::int64_t>(c.count);
    first_ = c.first;
    records_ += c.count;
  }
  [[nodiscard]] record_chain pop() noexcept {  // not empty
    fiber_record* const r = first_;
    first_ = static_cast<fiber_record*>(r->context);
    r->set_context(nullptr);
    records_ -= static_cast<std::size_t>(r->ready_ns);
    return {r, static_cast<std::size_t>(r->ready_ns)};
  }

 private:
  fiber_record* first_ = nullptr;
  std::size_t records_ = 0;
};

// Single records, in and out.
class idle_records {
 public:
  constexpr idle_records() noexcept = default;
  explicit idle_records(chain_list chains) noexcept : chains_(chains) {}
  void push(fiber_record& r) noexcept { active_.push(r); }
  [[nodiscard]] fiber_record* pop() noexcept {
    if (active_.count == 0 && !chains_.empty()) active_ = chains_.pop();
    return active_.count != 0 ? &active_.pop() : nullptr;
  }
  [[nodiscard]] std::size_t active() const noexcept { return active_.count; }
  [[nodiscard]] record_chain take_chain() noexcept {  // no longer than a cache knows
    record_chain c;
    while (c.count < record_cache::chain_length && active_.count != 0) c.push(active_.pop());
    return c;
  }

 private:
  chain_list chains_;
  record_chain active_;
};

// The free ones, and the units without pages.
class idle_table {
 public:
  static constexpr std::uint32_t slab_records = detail::slab_records,
                                 unit_records = detail::unit_records;
  using idle_list = idle_records;

  constexpr idle_table() noexcept = default;
  void push(const record_chain& c) noexcept WEFT_REQUIRES(all_records.lock);
  [[nodiscard]] record_chain pop() WEFT_REQUIRES(all_records.lock);  // throws as carve

  // ---- by the trim
  [[nodiscard]] static bool can_drop() noexcept { return unit_bytes % os::page_size() == 0; }
  [[nodiscard]] static auto& lock() noexcept WEFT_RETURN_CAPABILITY(all_records.lock) {
    return all_records.lock;
  }
  [[nodiscard]] static fiber_record& at(std::uint32_t index) noexcept { return record_at(index); }
  [[nodiscard]] static std::uint32_t count() noexcept { return record_count(); }
  [[nodiscard]] std::size_t idle() const noexcept WEFT_REQUIRES(all_records.lock) {
    return chains_.records();
  }
  [[nodiscard]] idle_list take_idle() noexcept WEFT_REQUIRES(all_records.lock) {
    return idle_list(std::exchange(chains_, {}));
  }
  void give_idle(idle_list& some, bool all) noexcept WEFT_REQUIRES(all_records.lock) {
    while (some.active() >= (all ? 1 : record_cache::chain_length)) chains_.push(some.take_chain());
  }
  static void drop(std::uint32_t slab, std::uint64_t units) noexcept;
  void dropped(std::uint32_t slab, std::uint64_t units) noexcept WEFT_REQUIRES(all_records.lock) {
    cold_[slab] |= units;
    first_cold_ = std::min(first_cold_, slab);
  }

 private:
  void carve() WEFT_REQUIRES(all_records.lock);
  // empty: there is nothing
  [[nodiscard]] record_chain revive() noexcept WEFT_REQUIRES(all_records.lock);

  chain_list chains_ WEFT_GUARDED_BY(all_records.lock);
  std::uint64_t cold_[max_slabs] WEFT_GUARDED_BY(all_records.lock) = {};
  // no slab before it has one
  std::uint32_t first_cold_ WEFT_GUARDED_BY(all_records.lock) = max_slabs;
};
constinit idle_table free_records{};
constinit record_trim<idle_table> trim{free_records};
// shared by the threads without a cache
constinit record_chain outside WEFT_GUARDED_BY(all_records.lock){};

epoch_t* epochs_of(fiber_record* slab) noexcept {
  return reinterpret_cast<epoch_t*>(reinterpret_cast<std::byte*>(slab) + slab_bytes);
}

void idle_table::push(const record_chain& c) noexcept {
  chains_.push(c);
  trim.note_given(idle());
}
record_chain idle_table::pop() {
  record_chain some;
  if (chains_.empty()) some = revive();
  if (some.count == 0) {
    if (chains_.empty()) carve();
    some = chains_.pop();
  }
  trim.note_taken(idle());
  return some;
}

// A record of zeros is a free one of epoch 0: no ticket matches it.
void idle_table::drop(std::uint32_t slab, std::uint64_t units) noexcept {
  static_assert(static_cast<int>(fiber_state::unused) == 0);
  fiber_record* const records =
      all_records.slabs[slab].load(std::memory_order_relaxed);  // the claim's thread has seen it
  os::range pages[slab_records / unit_records];
  std::size_t n = 0;
  for (std::uint32_t u = 0; u < slab_records / unit_records; ++u) {
    if ((units >> u & 1) == 0) continue;
    fiber_record* const first = records + u * unit_records;
    for (std::uint32_t i = 0; i < unit_records; ++i)
      epochs_of(records)[u * unit_records + i] = first[i].word.epoch();
    pages[n++] = {reinterpret_cast<std::byte*>(first), unit_bytes};
  }
  static_cast<void>(os::discard({pages, n}));  // advisory: locked memory stays, and so do they
}

record_chain idle_table::revive() noexcept {
  constexpr std::size_t at_once = record_cache::chain_length / unit_records;
  const std::uint32_t slabs = all_records.carved;
  while (first_cold_ < slabs && cold_[first_cold_] == 0) ++first_cold_;
  record_chain chain;
  if (first_cold_ >= slabs) {
    first_cold_ = max_slabs;
    return chain;
  }
  fiber_record* const records = all_records.slabs[first_cold_].load(std::memory_order_relaxed);
  std::uint64_t& cold = cold_[first_cold_];
  os::range pages[at_once];
  std::size_t n = 0;
  for (; n < at_once && cold != 0; ++n, cold &= cold - 1)
    pages[n] = {reinterpret_cast<std::byte*>(
                    records + static_cast<std::uint32_t>(std::countr_zero(cold)) * unit_records),
                unit_bytes};
  static_cast<void>(os::populate({pages, n}));
  while (n-- > 0) {
    auto* const first = reinterpret_cast<fiber_record*>(pages[n].begin);
    for (std::uint32_t i = unit_records; i-- > 0;) {
      fiber_record& r = first[i];
      const auto in_slab = static_cast<std::uint32_t>(&r - records);
      r.index = (first_cold_ << slab_bits) + in_slab;
      r.in_children.owner = &r;
      r.word.revive(epochs_of(records)[in_slab]);
      chain.push(r);
    }
  }
  return chain;
}

// Throws before anything has changed.
void idle_table::carve() {
  if (all_records.carved == max_slabs)
    throw std::system_error(
        std::make_error_code(std::errc::not_enough_memory),
        "weft: 67 million fiber records are in use, the most a process can have");
  std::byte* memory = nullptr;
  if (const auto ec = os::reserve(slab_bytes + epoch_bytes, os::page_size(), memory))
    throw std::system_error(
        ec,
        "weft: no address space for 1024 more fiber records; raise the limit "
        "(`ulimit -v`) or bound the fibers (options::max_fibers, weft::scope_limit)");
  const os::range all{memory, slab_bytes};
  static_cast<void>(os::populate({&all, 1}));
  auto* slab = reinterpret_cast<fiber_record*>(memory);
  const std::uint32_t base = all_records.carved << slab_bits;
  record_chain chain;
  for (std::uint32_t i = slab_records; i-- > 0;) {
    auto* r = ::new (static_cast<void*>(slab + i)) fiber_record;
    r->index = base + i;
    r->in_children.owner = r;
    if (r->index != 0) chain.push(*r);  // index 0 means "no ticket"
    if (i % record_cache::chain_length == 0) chains_.push(std::exchange(chain, {}));
  }
  // Before the lock is released: no record is handed out whose slab is not in the table.
  all_records.slabs[all_records.carved].store(slab, std::memory_order_release);  // [REC-1]
  ++all_records.carved;
  all_records.count.store(all_records.carved << slab_bits, std::memory_order_release);  // [REC-1]
  if (all_records.carved == 1) add_trimmed_store(trim);
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
  const base::lock_guard guard(all_records.lock);
  active_ = free_records.pop();
}

void record_cache::spill() noexcept {
  if (reserve_.count > 0) {
    const base::lock_guard guard(all_records.lock);
    free_records.push(reserve_);
  }
  reserve_ = std::exchange(active_, {});
}

void record_cache::flush() noexcept {
  const base::lock_guard guard(all_records.lock);
  for (record_chain* c : {&active_, &reserve_})
    if (c->count > 0) free_records.push(std::exchange(*c, {}));
}

fiber_record& take_record() {
  const base::lock_guard guard(all_records.lock);
  if (outside.count == 0) {
    outside = free_records.pop();
  }
  return outside.pop();
}

void give_record(fiber_record& r) noexcept {
  const base::lock_guard guard(all_records.lock);
  if (outside.count == record_cache::chain_length) free_records.push(std::exchange(outside, {}));
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
