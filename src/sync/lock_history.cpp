// SPDX-License-Identifier: BSL-1.0
// sync/lock_history.cpp - the walk up the frames, and the table.
#include "sync/lock_history.hpp"

#include <cstdint>
#include <mutex>

#include "base/futex_lock.hpp"
#include "fiber/switch.hpp"
#include "os/os.hpp"

namespace weft::detail {
namespace {

struct entry {
  base::futex_lock lock;
  const void* mutex = nullptr;
  lock_calls calls;
};
constexpr std::size_t table_size = 1024;
entry& entry_of(const void* mutex) noexcept {
  static constinit entry table[table_size];
  const auto bits = reinterpret_cast<std::uintptr_t>(mutex);
  return table[(bits >> 3 ^ bits >> 13) % table_size];
}

const std::byte* end_of_stack(const fiber_record& self) noexcept {
  if (self.has(fiber_record::is_thread)) {
    // The thread's own, and never a fiber's: a fiber is not is_thread.
    static thread_local const stack_bounds bounds = this_thread_bounds();
    return static_cast<const std::byte*>(bounds.bottom) + bounds.size;
  }
  const fiber_record* on = &self;
  while (on->has(fiber_record::inlined)) on = on->outer;
  return on->stack_limit + slot_size(on->stack) - os::page_size();
}

// Reads nothing but the caller's stack, below `end`, whatever the frames hold.
__attribute__((no_sanitize("address", "thread"))) lock_calls walk(const std::byte* frame, const std::byte* end) noexcept {
  lock_calls calls;
  constexpr std::ptrdiff_t pair = 2 * sizeof(void*);
  while (calls.count < calls.frames.size() && end - frame >= pair) {
    const auto* const words = reinterpret_cast<const void* const*>(frame);
    if (words[1] == nullptr) break;
    calls.frames[calls.count++] = words[1];
    const auto* const up = static_cast<const std::byte*>(words[0]);
    if (up <= frame || up > end || reinterpret_cast<std::uintptr_t>(up) % sizeof(void*) != 0) break;
    frame = up;
  }
  return calls;
}

}  // namespace

void remember_lock(const void* mutex, const fiber_record& self, const void* frame) noexcept {
  const lock_calls calls = walk(static_cast<const std::byte*>(frame), end_of_stack(self));
  entry& e = entry_of(mutex);
  const std::lock_guard guard(e.lock);
  e.mutex = mutex;
  e.calls = calls;
}

lock_calls calls_that_locked(const void* mutex) noexcept {
  entry& e = entry_of(mutex);
  const std::lock_guard guard(e.lock);
  return e.mutex == mutex ? e.calls : lock_calls{};
}

}  // namespace weft::detail
