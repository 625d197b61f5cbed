// SPDX-License-Identifier: BSL-1.0
// api/fiber_local.cpp - values by key in the fiber's extras.
#include <weft/fiber_local.hpp>

#include <atomic>

#include "api/inline_join.hpp"
#include "sched/park.hpp"

namespace weft::detail {

std::uint32_t new_local_key() noexcept {
  static std::atomic<std::uint32_t> next{0};
  return next.fetch_add(1, std::memory_order_relaxed);  // only uniqueness matters
}

void* find_local(std::uint32_t key) noexcept {
  const fiber_extras* x = this_agent().extras.load(std::memory_order_relaxed);
  if (x == nullptr) return nullptr;
  for (const local_value& v : x->locals)
    if (v.key == key) return v.value;
  return nullptr;
}

void put_local(std::uint32_t key, void* value, void (*destroy)(void*) noexcept) {
  this_agent().need_extras().locals.push_back({key, value, destroy});
}

// A destructor may use other fiber-locals, even make new ones: until none is left.
void drop_locals(fiber_record& f) noexcept {
  fiber_extras& x = *f.extras.load(std::memory_order_relaxed);
  while (!x.locals.empty()) {
    const local_value last = x.locals.back();
    x.locals.pop_back();
    last.destroy(last.value);
  }
}

}  // namespace weft::detail
