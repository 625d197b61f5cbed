// SPDX-License-Identifier: BSL-1.0
// fiber/stack_slab.cpp - carving slabs, preparing fresh slots, finding a guard's owner.
// Measured on Linux 6.18 (two-core VM), per fresh 256 KiB slot: guard 0.22-0.39 us, top page
// populated 1.4-1.7 us, in batches of 32, 256 or 1024 alike within the drift; a touch fault
// instead 2.6 us. What a fresh page costs is the host's to say: on VMs of this class it varies from
// 1.4 to 20 us between hours, and with it everything that starts a fiber on a cold stack.

#include "fiber/stack_slab.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/check.hpp"
#include "fiber/stack_check.hpp"
#include "fiber/stack_trim.hpp"
#include "fiber/stack_watermarks.hpp"
#include "fiber/valgrind.hpp"
#include "os/os.hpp"
#include "os/try_new.hpp"

namespace weft::detail {

constinit std::atomic<stack_slab*> all_slabs{nullptr};

namespace {

constexpr std::size_t first_slab_slots = 64;
constexpr std::size_t max_slab_bytes = std::size_t{4} << 30;
// Under RLIMIT_AS a slab takes a share of what is left, and the last bit is the program's: malloc
// must not fail because fibers might come.
constexpr std::size_t share_of_limit = 8;
constexpr std::size_t left_to_program = std::size_t{16} << 20;

void publish(stack_slab* slab) noexcept {
  slab->next = all_slabs.load(std::memory_order_relaxed);
  // release [STACK-3]: pairs with the acquire in slab_of(), which then reads the slab's fields.
  while (!all_slabs.compare_exchange_weak(slab->next, slab, std::memory_order_release,
                                          std::memory_order_relaxed)) {
  }
}

// ENOMEM of mmap and malloc alike may mean that vm.max_map_count is reached; the margin covers what
// others map and unmap meanwhile. Counting is expensive if there are many, so it happens at most
// once a second.
std::error_code out_of(stack_errc otherwise) noexcept {
  constexpr std::int64_t good_for_ns = 1'000'000'000;
  // relaxed, both: a stale count misleads a text
  static constinit std::atomic<std::int64_t> counted_at{INT64_MIN};
  static constinit std::atomic<std::size_t> count{0};
  const std::int64_t now = os::now_ns();
  std::int64_t before = counted_at.load(std::memory_order_relaxed);
  if ((before == INT64_MIN || now - before > good_for_ns) &&
      counted_at.compare_exchange_strong(before, now, std::memory_order_relaxed))
    count.store(os::current_map_count(), std::memory_order_relaxed);
  const std::size_t limit = os::max_map_count();
  return limit != 0 && count.load(std::memory_order_relaxed) + 64 >= limit ? stack_errc::map_count
                                                                           : otherwise;
}

// Gives the top pages of `limits` memory, and what a fresh page lacks.
void prepare_tops(stack_class c, stack_kind k, refill_space& space,
                  std::span<std::byte* const> limits) noexcept {
  const std::size_t page = os::page_size(), usable = slot_size(c) - page;
  for (std::size_t i = 0; i < limits.size(); ++i)
    space.ranges[i] = {limits[i] + usable - page, page};
  // advisory: without it the first touch faults
  static_cast<void>(os::populate({space.ranges, limits.size()}));
  if (k == stack_kind::checked)
    for (std::byte* limit : limits) write_canary(limit + usable);
}

// Guards for the slots in space.limits; how many of them have one.
std::size_t guard_slots(refill_space& space, std::size_t count, std::error_code& ec) noexcept {
  const std::size_t page = os::page_size();
  for (std::size_t i = 0; i < count; ++i) space.ranges[i] = {space.limits[i] - page, page};
  for (std::size_t done = 0; done < count;) {  // those of the same slab at once
    stack_slab& slab = *slab_of(space.limits[done]);
    const std::byte* const end = slab.area.all.begin + slab.area.all.size;
    std::size_t n = 1;
    while (done + n < count && space.limits[done + n] > slab.area.all.begin &&
           space.limits[done + n] < end)
      ++n;
    const os::guards_made made = os::install_guards(slab.area, {space.ranges + done, n});
    done += made.count;
    if (made.count == n) continue;
    ec = made.why == std::errc::not_enough_memory ? stack_errc::map_count : stack_errc::guard;
    return done;
  }
  return count;
}

}  // namespace

// In pages of its own: what it outgrows, and what a burst has made of it, goes back at once.
bool slot_list::reserve(std::size_t capacity) noexcept {
  if (capacity <= capacity_) return true;
  const std::size_t page = os::page_size();
  const auto bytes_of = [page](std::size_t n) {
    return (n * sizeof(std::byte*) + page - 1) / page * page;
  };
  const std::size_t bytes = bytes_of(std::max(capacity, capacity_ * 2));
  std::byte* bigger = nullptr;
  if (os::reserve(bytes, page, bigger)) return false;
  const std::size_t n = size();
  if (capacity_ != 0) {
    std::memcpy(bigger, slots_ + begin_, n * sizeof(std::byte*));
    os::release(reinterpret_cast<std::byte*>(slots_), bytes_of(capacity_));
  }
  slots_ = reinterpret_cast<std::byte**>(bigger);
  begin_ = 0;
  end_ = touched_ = n;
  capacity_ = bytes / sizeof(std::byte*);
  return true;
}

void slot_list::close_gap() noexcept {
  const std::size_t n = size();
  std::memmove(static_cast<void*>(slots_), slots_ + begin_, n * sizeof(std::byte*));
  begin_ = 0;
  end_ = n;
}

// A call for a few pages is not worth it.
void slot_list::drop_unused_pages() noexcept {
  constexpr std::size_t worth_it = 16;
  const std::size_t page = os::page_size();
  if ((touched_ - size()) * sizeof(std::byte*) < worth_it * page) return;
  close_gap();
  const auto first = (reinterpret_cast<std::uintptr_t>(slots_ + end_) + page - 1) / page * page;
  const auto last = reinterpret_cast<std::uintptr_t>(slots_ + touched_) / page * page;
  const os::range pages{reinterpret_cast<std::byte*>(first), last - first};
  static_cast<void>(os::discard({&pages, 1}));  // advisory
  touched_ = end_;
}

// Adds a slab four times the last one's share, halving on refusal: the last gigabyte under a ulimit
// is still used up to its last slot.
bool class_pool::grow(stack_class c, stack_kind k, std::error_code& ec) noexcept {
  shelf& s = shelf_of(k);
  const std::size_t red = k == stack_kind::checked ? red_zone_size(c) : 0;
  const std::size_t stride = slot_size(c) + red;
  const std::size_t left = os::address_space_left();
  if (left < stride + left_to_program) {
    ec = stack_errc::address_space;
    return false;
  }
  const std::size_t most =
      std::max<std::size_t>(std::min(max_slab_bytes, left / share_of_limit) / stride, 1);
  std::size_t slots = std::min(most, std::max(first_slab_slots, s.slots * 3));
  const std::size_t all = s.slots + slots;
  // STACK-2
  if (!s.warm.reserve(all) || !s.cold.reserve(all) ||
      (k == stack_kind::guarded && !bare_.reserve(all))) {
    ec = out_of(stack_errc::bookkeeping);
    return false;
  }
  std::byte* begin = nullptr;
  while (const auto error = os::reserve_bare(slots * stride, begin)) {
    if (slots == 1) {
      ec = error == std::errc::not_enough_memory ? out_of(stack_errc::address_space)
           : error == std::errc::resource_unavailable_try_again
               ? make_error_code(stack_errc::locked)
               : error;
      return false;
    }
    slots /= 2;
  }
  auto* const slab = os::try_new(
      [&] { return new stack_slab{slots, c, red, {{begin, slots * stride}}, nullptr}; });
  if (slab == nullptr) {
    os::release(begin, slots * stride);
    ec = out_of(stack_errc::bookkeeping);
    return false;
  }
  publish(slab);
  s.carve_next = begin;
  s.carve_end = begin + slots * stride;
  s.slots += slots;
  ++slabs_;
  return true;
}

std::size_t class_pool::take_bare(stack_class c, stack_kind k, refill_space& space,
                                  std::error_code& ec) noexcept {
  shelf& s = shelf_of(k);
  ramp_ = std::min(ramp_ * 2, refill_space::slots);
  std::size_t n = 0;
  if (k == stack_kind::guarded)
    while (n < ramp_ && bare_.size() != 0) space.limits[n++] = bare_.pop();
  if (n != 0) return n;
  if (s.carve_next == s.carve_end && !grow(c, k, ec)) return 0;
  const std::size_t red = k == stack_kind::checked ? red_zone_size(c) : 0,
                    stride = slot_size(c) + red;
  n = std::min(ramp_, static_cast<std::size_t>(s.carve_end - s.carve_next) / stride);
  while (const auto error = os::commit({s.carve_next, n * stride})) {
    if (n == 1) {
      ec = error == std::errc::not_enough_memory ? out_of(stack_errc::address_space) : error;
      return 0;
    }
    n /= 2;
  }
  for (std::size_t i = 0; i < n; ++i, s.carve_next += stride)
    space.limits[i] = s.carve_next + red + os::page_size();
  return n;
}

std::size_t class_pool::take_idle(stack_class c, stack_kind k, refill_space& space,
                                  std::span<std::byte*> out) noexcept {
  std::size_t count = 0;
  {
    const base::lock_guard hold(lock_);
    if (generation_ != os::guard_generation()) [[unlikely]]
      forget_lost_guards();
    shelf& s = shelf_of(k);
    while (count < out.size() && s.warm.size() != 0) out[count++] = s.warm.pop();
    s.lowest = std::min(s.lowest, s.warm.size());
    if (count != 0) {
      std::reverse(out.data(), out.data() + count);  // popped hottest first
      return count;
    }
    while (count < out.size() && count < refill_space::slots && s.cold.size() != 0)
      out[count++] = s.cold.pop();
  }
  if (count != 0) prepare_tops(c, k, space, out.first(count));
  return count;
}

std::size_t class_pool::make_slots(stack_class c, stack_kind k, refill_space& space,
                                   std::span<std::byte*> out, std::error_code& ec) noexcept {
  std::size_t count = 0;
  {
    const base::lock_guard hold(lock_);
    count = take_bare(c, k, space, ec);
    if (count == 0) return 0;
  }
  if (k == stack_kind::checked) begin_checked_stacks();
  const std::size_t ready = k == stack_kind::guarded ? guard_slots(space, count, ec) : count;
  prepare_tops(c, k, space, {space.limits, ready});
  tell_valgrind({space.limits, ready}, slot_size(c) - os::page_size());
  const base::lock_guard hold(lock_);
  shelf& s = shelf_of(k);
  if (ready < count) ramp_ = 1;
  for (std::size_t i = count; i != ready; --i) bare_.push(space.limits[i - 1]);
  s.ready += ready;
  // The caller gets the lowest addresses, the lowest one hottest.
  const std::size_t direct = std::min(ready, out.size());
  for (std::size_t i = ready; i != direct; --i) s.warm.push(space.limits[i - 1]);
  std::reverse_copy(space.limits, space.limits + direct, out.begin());
  return direct;
}

std::size_t class_pool::fetch(stack_class c, stack_guard_policy policy, refill_space& space,
                              std::span<std::byte*> out, std::error_code& ec) noexcept {
  std::error_code why = stack_errc::map_count;
  for (const stack_kind k : {stack_kind::guarded, stack_kind::checked}) {
    if (const std::size_t n = take_idle(c, k, space, out)) return n;
    if (k == stack_kind::checked || os::guards_left())
      if (const std::size_t n = make_slots(c, k, space, out, why)) return n;
    // Only where guards have run out are there others instead.
    if (policy == stack_guard_policy::page || why != make_error_code(stack_errc::map_count)) break;
  }
  ec = why;
  return 0;
}

void class_pool::put_back(stack_class c, refill_space& space,
                          std::span<std::byte* const> limits) noexcept {
  // The top 16 KiB stay: the next fiber touches them at once. Deeper pages are dropped, because it
  // is unknown how deep the last one went and a look costs as much (0.16 us for nothing to drop).
  constexpr std::size_t kept = std::size_t{16} << 10;
  const std::size_t usable = slot_size(c) - os::page_size();
  if (usable > kept) {
    if (!limits.empty()) note_dropped(c, {limits.back(), usable});  // the one used last
    for (std::size_t at = 0; at < limits.size();) {
      const std::size_t n = std::min(refill_space::slots, limits.size() - at);
      for (std::size_t i = 0; i < n; ++i) space.ranges[i] = {limits[at + i], usable - kept};
      static_cast<void>(os::discard({space.ranges, n}));  // advisory
      at += n;
    }
  }
  bool excess = false;
  {
    const base::lock_guard hold(lock_);
    const bool checked = shelf_of(stack_kind::checked).slots != 0;
    for (std::byte* limit : limits)
      shelf_of(checked && slab_of(limit)->red_zone != 0 ? stack_kind::checked : stack_kind::guarded)
          .warm.push(limit);
    for (const shelf& s : shelves_) excess |= s.warm.size() > kept_warm;
  }
  if (excess) trim_claim.want();
}

// In a forked child: its idle stacks are bare again. Those that threads had which are not here are
// lost.
void class_pool::forget_lost_guards() noexcept {
  generation_ = os::guard_generation();
  shelf& s = shelf_of(stack_kind::guarded);
  for (slot_list* list : {&s.warm, &s.cold})
    for (std::size_t n = list->size(); n > 0; --n) {
      std::byte* const limit = list->pop_oldest();
      if (slab_of(limit)->area.registered.load(std::memory_order_relaxed) == 0) {
        list->push(limit);
      } else {
        bare_.push(limit);
        --s.ready;
      }
    }
}

void class_pool::add_to(stack_statistics& total) noexcept {
  const base::lock_guard hold(lock_);
  total.slabs += slabs_;
  total.checked += shelf_of(stack_kind::checked).ready;
  for (const shelf& s : shelves_) {
    const std::size_t idle = s.warm.size() + s.cold.size() + s.being_trimmed;
    total.carved += s.ready;
    total.free_global += idle;
    total.cold += s.cold.size();
    total.out += s.ready - idle;
  }
}

stack_slab* slab_of(const void* address) noexcept {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  // acquire [STACK-3]: pairs with publish().
  stack_slab* slab = all_slabs.load(std::memory_order_acquire);
  for (; slab != nullptr; slab = slab->next)
    // Also for every address below: the difference wraps.
    if (at - reinterpret_cast<std::uintptr_t>(slab->area.all.begin) < slab->area.all.size)
      return slab;
  return nullptr;
}

bool is_guard(const void* address, stack_ref& owner) noexcept {
  const stack_slab* slab = slab_of(address);
  if (slab == nullptr) return false;
  const auto* const at = static_cast<const std::byte*>(address);
  const stack_ref stack =
      slab->stack(static_cast<std::size_t>(at - slab->area.all.begin) / slab->stride());
  if (at >= stack.limit) return false;
  owner = stack;
  return true;
}

std::size_t reserved_stack_bytes() noexcept {
  std::size_t bytes = 0;
  for_each_slab([&](const stack_slab& slab) { bytes += slab.area.all.size; });
  return bytes;
}

}  // namespace weft::detail
