// SPDX-License-Identifier: BSL-1.0
// sync/lock_history.cpp - the walk up the frames, and the table.
#include "sync/lock_history.hpp"

#include <cstdint>

#include "base/futex_lock.hpp"
#include "base/signed_address.hpp"
#include "fiber/switch.hpp"
#include "os/os.hpp"

namespace weft::detail {
namespace {

struct entry {
  base::futex_lock lock;
  const void* mutex WEFT_GUARDED_BY(lock) = nullptr;
  lock_calls calls WEFT_GUARDED_BY(lock);
};
constexpr std::size_t table_size = 1024;
entry& entry_of(const void* mutex) noexcept {
  static constinit entry table[table_size];
  const auto bits = reinterpret_cast<std::uintptr_t>(mutex);
  return table[(bits >> 3 ^ bits >> 13) % table_size];
}

// How far a walk from `frame` may read. On a stack that the application made, to the end of the
// page: its end is unknown.
const std::byte* end_of_stack(const fiber_record& self, const std::byte* frame) noexcept {
  stack_ref own;
  if (self.has(fiber_record::is_thread)) {
    // The thread's own, and never a fiber's: a fiber is not is_thread.
    static thread_local const stack_bounds bounds = this_thread_bounds();
    own = {static_cast<std::byte*>(const_cast<void*>(bounds.bottom)), bounds.size};
  } else {
    own = stack_of(self);
  }
  if (static_cast<std::size_t>(frame - own.limit) < own.size) return own.top();
  const std::size_t page = os::page_size();
  return frame + (page - reinterpret_cast<std::uintptr_t>(frame) % page);
}

// Reads nothing but the caller's stack, below `end`, whatever the frames hold.
__attribute__((no_sanitize("address", "thread"))) lock_calls walk(const std::byte* frame,
                                                                  const std::byte* end) noexcept {
  lock_calls calls;
  constexpr std::ptrdiff_t pair = 2 * sizeof(void*);
  while (calls.count < calls.frames.size() && end - frame >= pair) {
    const auto* const words = reinterpret_cast<const void* const*>(frame);
    if (words[1] == nullptr) break;
    calls.frames[calls.count++] = reinterpret_cast<const void*>(
        without_signature(reinterpret_cast<std::uintptr_t>(words[1])));
    const auto* const up = static_cast<const std::byte*>(words[0]);
    if (up <= frame || up > end || reinterpret_cast<std::uintptr_t>(up) % sizeof(void*) != 0) break;
    frame = up;
  }
  return calls;
}

}  // namespace

void remember_lock(const void* mutex, const fiber_record& self, const void* frame) noexcept {
  const auto* const at = static_cast<const std::byte*>(frame);
  const lock_calls calls = walk(at, end_of_stack(self, at));
  entry& e = entry_of(mutex);
  const base::lock_guard guard(e.lock);
  e.mutex = mutex;
  e.calls = calls;
}

lock_calls calls_that_locked(const void* mutex) noexcept {
  entry& e = entry_of(mutex);
  const base::lock_guard guard(e.lock);
  return e.mutex == mutex ? e.calls : lock_calls{};
}

}  // namespace weft::detail
