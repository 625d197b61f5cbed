// SPDX-License-Identifier: BSL-1.0
// fiber/stack_slab.cpp - carving slabs, preparing fresh slots, finding a guard's owner.
// Measured on Linux 6.18 (two-core VM), per fresh 256 KiB slot: guard 0.22-0.39 us, top page
// populated 1.4-1.7 us, in batches of 32, 256 or 1024 alike within the drift; a touch fault
// instead 2.6 us. What a fresh page costs is the host's to say: on VMs of this class it varies from
// 1.4 to 20 us between hours, and with it everything that starts a fiber on a cold stack.

#include "fiber/stack_slab.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <new>

#include "base/check.hpp"
#include "fiber/stack_watermarks.hpp"
#include "os/os.hpp"

namespace weft::detail {

constinit std::atomic<stack_slab*> all_slabs{nullptr};

namespace {

constexpr std::size_t first_slab_slots = 64;
constexpr std::size_t max_slab_bytes = std::size_t{4} << 30;

void publish(stack_slab* slab) noexcept {
  slab->next = all_slabs.load(std::memory_order_relaxed);
  // release [STACK-3]: pairs with the acquire in is_guard(), which then reads the slab's fields.
  while (!all_slabs.compare_exchange_weak(slab->next, slab, std::memory_order_release,
                                          std::memory_order_relaxed)) {
  }
}

// ENOMEM of mmap, mprotect and malloc alike may mean that vm.max_map_count is reached; the margin
// is what others map and unmap meanwhile.
std::error_code out_of(stack_errc otherwise) noexcept {
  const std::size_t limit = os::max_map_count();
  return limit != 0 && os::current_map_count() + 64 >= limit ? stack_errc::map_count : otherwise;
}

std::error_code guard_error(std::error_code from_kernel) noexcept {
  return from_kernel == std::errc::not_enough_memory ? out_of(stack_errc::guard)
                                                     : stack_errc::guard;
}

// Guards and top pages for slots that start at `starts`. On failure nothing is promised of any
// slot.
std::error_code prepare(stack_class c, std::span<std::byte* const> starts) noexcept {
  std::array<os::range, 256> ranges;
  WEFT_ASSERT(starts.size() <= ranges.size(), "a batch of stacks larger than its range buffer");
  const std::span<os::range> used(ranges.data(), starts.size());
  const std::size_t page = os::page_size();
  for (std::size_t i = 0; i < starts.size(); ++i) used[i] = {starts[i], page};
  if (const auto error = os::install_guards(used)) return guard_error(error);
  for (os::range& r : used) r.begin += slot_size(c) - page;
  static_cast<void>(os::populate(used));  // advisory: without it the first touch faults
  return {};
}

}  // namespace

bool slot_list::reserve(std::size_t capacity) noexcept {
  if (capacity <= capacity_) return true;
  const std::size_t wanted = std::max(capacity, capacity_ * 2);
  void* const bigger = std::realloc(static_cast<void*>(slots_), wanted * sizeof(std::byte*));
  if (bigger == nullptr) return false;
  slots_ = static_cast<std::byte**>(bigger);
  capacity_ = wanted;
  return true;
}

// Adds a slab four times the last one's share, halving on refusal: the last gigabyte under a ulimit
// is still used up to its last slot.
bool class_pool::grow(stack_class c, std::error_code& ec) noexcept {
  const std::size_t slot = slot_size(c);
  const std::size_t most = std::max<std::size_t>(max_slab_bytes / slot, 1);
  std::size_t slots = std::min(most, std::max(first_slab_slots, slots_ * 3));
  if (!free_.reserve(slots_ + slots) || !bare_.reserve(slots_ + slots)) {  // STACK-2
    ec = out_of(stack_errc::bookkeeping);
    return false;
  }
  std::byte* begin = nullptr;
  while (const auto error = os::reserve(slots * slot, os::page_size(), begin)) {
    if (slots == 1) {
      ec = error == std::errc::not_enough_memory ? out_of(stack_errc::address_space) : error;
      return false;
    }
    slots /= 2;
  }
  auto* const slab = new (std::nothrow) stack_slab{begin, slots * slot, c, nullptr};
  if (slab == nullptr) {
    os::release(begin, slots * slot);
    ec = out_of(stack_errc::bookkeeping);
    return false;
  }
  publish(slab);
  carve_next_ = begin;
  carve_end_ = begin + slots * slot;
  slots_ += slots;
  ++slabs_;
  return true;
}

// Slot starts for the caller to prepare; called with the lock.
std::size_t class_pool::take_bare(stack_class c, std::span<std::byte*> batch,
                                  std::error_code& ec) noexcept {
  ramp_ = std::min(ramp_ * 2, max_batch);
  std::size_t n = 0;
  while (n < ramp_ && bare_.size() != 0) batch[n++] = bare_.pop();
  if (n != 0) return n;
  if (carve_next_ == carve_end_ && !grow(c, ec)) return 0;
  for (; n < ramp_ && carve_next_ != carve_end_; carve_next_ += slot_size(c)) {
    batch[n++] = carve_next_;
  }
  return n;
}

std::size_t class_pool::fetch(stack_class c, std::span<std::byte*> out,
                              std::error_code& ec) noexcept {
  std::array<std::byte*, max_batch> batch;
  std::size_t count = 0;
  {
    const std::lock_guard hold(lock_);
    while (count < out.size() && free_.size() != 0) out[count++] = free_.pop();
    if (count != 0) {
      std::reverse(out.data(), out.data() + count);  // popped hottest first
      return count;
    }
    count = take_bare(c, batch, ec);
    if (count == 0) return 0;
  }
  std::size_t ready = count;
  if (std::error_code error = prepare(c, {batch.data(), count})) {
    // One by one: near vm.max_map_count some still succeed, and they must not be lost to the rest.
    for (ready = 0; ready < count && !prepare(c, {batch.data() + ready, 1}); ++ready) {
    }
    if (ready == 0) ec = error;
  }
  const std::lock_guard hold(lock_);
  if (ready < count) ramp_ = 1;
  for (std::size_t i = count; i != ready; --i) bare_.push(batch[i - 1]);
  guarded_ += ready;
  // From here the batch holds limits. The caller gets the lowest addresses, the lowest one hottest.
  for (std::size_t i = 0; i < ready; ++i) batch[i] += os::page_size();
  const std::size_t direct = std::min(ready, out.size());
  for (std::size_t i = ready; i != direct; --i) free_.push(batch[i - 1]);
  std::reverse_copy(batch.begin(), batch.begin() + direct, out.begin());
  return direct;
}

void class_pool::put_back(stack_class c, std::span<std::byte* const> limits) noexcept {
  // The top 16 KiB stay: the next fiber touches them at once. What lies deeper is dropped, since
  // nobody knows how deep the last one went and a look costs as much (0.16 us for nothing to drop).
  constexpr std::size_t kept = std::size_t{16} << 10;
  const std::size_t usable = slot_size(c) - os::page_size();
  if (usable > kept) {
    if (!limits.empty()) note_dropped(c, {limits.back(), usable});  // the one used last
    std::array<os::range, 64> deep;
    for (std::size_t at = 0; at < limits.size();) {
      const std::size_t n = std::min(deep.size(), limits.size() - at);
      for (std::size_t i = 0; i < n; ++i) deep[i] = {limits[at + i], usable - kept};
      static_cast<void>(os::discard({deep.data(), n}));  // advisory
      at += n;
    }
  }
  const std::lock_guard hold(lock_);
  for (std::byte* limit : limits) free_.push(limit);
}

void class_pool::add_to(stack_statistics& total) noexcept {
  const std::lock_guard hold(lock_);
  total.slabs += slabs_;
  total.carved += guarded_;
  total.free_global += free_.size();
  total.out += guarded_ - free_.size();
}

bool is_guard(const void* address, stack_ref& owner) noexcept {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  // acquire [STACK-3]: pairs with publish().
  const stack_slab* slab = all_slabs.load(std::memory_order_acquire);
  for (; slab != nullptr; slab = slab->next) {
    const std::size_t offset = at - reinterpret_cast<std::uintptr_t>(slab->begin);
    if (offset >= slab->bytes) continue;  // also every address below: the difference wraps
    const std::size_t slot = slot_size(slab->size_class);
    if (offset % slot >= os::page_size()) return false;
    owner = {slab->begin + offset / slot * slot + os::page_size(), slot - os::page_size()};
    return true;
  }
  return false;
}

std::size_t reserved_stack_bytes() noexcept {
  std::size_t bytes = 0;
  for_each_slab([&](const stack_slab& slab) { bytes += slab.bytes; });
  return bytes;
}

}  // namespace weft::detail
