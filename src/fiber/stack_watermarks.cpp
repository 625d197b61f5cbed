// SPDX-License-Identifier: BSL-1.0
// fiber/stack_watermarks.cpp - mincore over stacks that may be in use: it reads page tables, not
// pages.
#include "fiber/stack_watermarks.hpp"

#include <algorithm>
#include <array>
#include <atomic>

#include "fiber/stack_slab.hpp"
#include "os/os.hpp"

namespace weft::detail {
namespace {

constexpr std::size_t most_looked_at = 1024;
constexpr std::size_t pages_at_once = 256;
constexpr std::size_t largest_looked_at = std::size_t{16} << 20;

// relaxed: a maximum
constinit std::array<std::atomic<std::size_t>, stack_class_count> deepest_dropped{};

// From the lower end up, in pieces: it may be asked on a fiber's stack.
std::size_t touched(stack_ref stack) noexcept {
  unsigned char pages[pages_at_once];
  for (std::size_t at = 0; at < stack.size;) {
    const std::size_t bytes = std::min(stack.size - at, sizeof pages * os::page_size());
    if (os::resident_pages({stack.limit + at, bytes}, pages)) return 0;
    unsigned char* const end = pages + bytes / os::page_size();
    const auto* const lowest =
        std::find_if(pages, end, [](unsigned char page) { return (page & 1) != 0; });
    if (lowest != end)
      return stack.size - at - static_cast<std::size_t>(lowest - pages) * os::page_size();
    at += bytes;
  }
  return 0;
}

void raise(std::atomic<std::size_t>& maximum, std::size_t to) noexcept {
  std::size_t now = maximum.load(std::memory_order_relaxed);
  while (now < to && !maximum.compare_exchange_weak(now, to, std::memory_order_relaxed)) {
  }
}

}  // namespace

std::size_t touched_bytes(stack_ref stack) { return touched(stack); }

std::size_t suggested_stack_size(std::size_t touched) noexcept {
  return slot_size(stack_class_for(touched + touched / 3 + os::page_size()));
}

void note_dropped(stack_class c, stack_ref stack) noexcept {
  if (stack.size > largest_looked_at) return;
  raise(deepest_dropped[static_cast<unsigned>(c)], touched(stack));
}

std::vector<stack_metrics> measure_stacks() {
  std::vector<stack_metrics> all;
  std::vector<std::size_t> found;
  for (unsigned i = 0; i < stack_class_count; ++i) {
    const auto c = static_cast<stack_class>(i);
    const stack_statistics pool = stack_class_statistics(c);
    if (pool.carved == 0) continue;
    found.clear();
    // Slots that were never prepared have no page; they are passed over, and so cost a look.
    const std::size_t stride = (pool.carved + most_looked_at - 1) / most_looked_at;
    std::size_t at = 0;
    for_each_slab([&](const stack_slab& slab) {
      if (slab.size_class != c) return;
      for (std::size_t i = 0; i < slab.slots; ++i)
        if (at++ % stride == 0)
          if (const std::size_t bytes = touched(slab.stack(i)); bytes > 0) found.push_back(bytes);
    });
    std::sort(found.begin(), found.end());
    const auto share = [&](double q) {
      return found.empty()
                 ? 0
                 : found[static_cast<std::size_t>(q * static_cast<double>(found.size() - 1))];
    };
    const std::size_t most = std::max(
        share(1.0), deepest_dropped[static_cast<unsigned>(c)].load(std::memory_order_relaxed));
    all.push_back({slot_size(c), pool.carved, pool.free_global, found.size(), share(0.5),
                   share(0.99), most, suggested_stack_size(most)});
  }
  return all;
}

}  // namespace weft::detail
