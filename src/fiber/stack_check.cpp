// SPDX-License-Identifier: BSL-1.0
// fiber/stack_check.cpp - see the header.
#include "fiber/stack_check.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string_view>

#include "fiber/stack_slab.hpp"
#include "os/os.hpp"

namespace weft::detail {

constinit std::atomic<bool> stacks_are_checked{false};

namespace {

constexpr std::uint64_t canary = 0x77656674'2e746f70;  // not zero
constexpr std::size_t canary_words = 8;

// Words of a stack that may be in use again by now: not for sanitizers.
__attribute__((no_sanitize("address", "thread"))) bool canary_holds(const std::byte* top) noexcept {
  const auto* const words = reinterpret_cast<const std::uint64_t*>(top) - canary_words;
  for (std::size_t i = 0; i < canary_words; ++i)
    if (const std::uint64_t now = __atomic_load_n(words + i, __ATOMIC_RELAXED);
        now != canary && now != 0)
      return false;
  return true;
}

[[nodiscard]] bool touched(std::byte* begin, std::byte* end) noexcept {
  unsigned char pages[64];
  while (begin != end) {
    const std::size_t bytes = std::min<std::size_t>(sizeof pages * os::page_size(),
                                                    static_cast<std::size_t>(end - begin));
    if (os::resident_pages({begin, bytes}, pages)) return false;  // unknown
    if (std::any_of(pages, pages + bytes / os::page_size(),
                    [](unsigned char page) { return (page & 1) != 0; }))
      return true;
    begin += bytes;
  }
  return false;
}

}  // namespace

bool ran_off(const std::byte* limit) noexcept {
  const stack_slab* slab = slab_of(limit);
  if (slab == nullptr || slab->red_zone == 0) return false;
  const std::size_t i = static_cast<std::size_t>(limit - slab->area.all.begin) / slab->stride();
  if (touched(slab->slot(i), slab->stack(i).limit)) return true;
  return i > 0 && !canary_holds(slab->stack(i - 1).top());
}

__attribute__((no_sanitize("address", "thread"))) void write_canary(std::byte* top) noexcept {
  auto* const words = reinterpret_cast<std::uint64_t*>(top) - canary_words;
  for (std::size_t i = 0; i < canary_words; ++i)
    __atomic_store_n(words + i, canary, __ATOMIC_RELAXED);
}

void begin_checked_stacks() noexcept {
  // relaxed: reported once; a fiber gets such a stack after this store, on the same thread.
  if (stacks_are_checked.load(std::memory_order_relaxed) ||
      stacks_are_checked.exchange(true, std::memory_order_relaxed))
    return;
  static char text[640];  // one thread gets here, perhaps on a fiber's stack
  std::size_t used = 0;
  const auto say = [&](std::string_view piece) {
    const std::size_t n = std::min(piece.size(), sizeof text - used);
    std::memcpy(text + used, piece.data(), n);
    used += n;
  };
  const auto say_number = [&](std::size_t number) {
    char digits[24];
    say({digits, static_cast<std::size_t>(
                     std::to_chars(digits, digits + sizeof digits, number).ptr - digits)});
  };
  const std::size_t limit = os::max_map_count();
  say("weft: guard pages take two mappings each here (no MADV_GUARD_INSTALL, Linux 6.13; no "
      "userfaultfd write protection, 6.4, "
      "or a sandbox forbids it), and half of vm.max_map_count = ");
  say_number(limit);
  say(" is used for them. Further fiber stacks have none: overflows of those are looked for, and "
      "reported late "
      "(options::stack_guard). `sysctl -w vm.max_map_count=");
  say_number(limit * 16);
  say("` gives every stack a guard page\n");
  os::write_stderr({text, used});
}

}  // namespace weft::detail
