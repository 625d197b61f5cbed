// SPDX-License-Identifier: BSL-1.0
#pragma once
// fiber/stop_listener.hpp - hears of a stop request on a fiber that does not wait itself but runs
// others on its stack.
//
//   listener   1 stores itself in the fiber's slot   2 reads the flag   ... takes itself out, with
//              the fiber's lock, and waits until nobody has it pinned
//   request    with the lock: 1 stores the flag   2 reads the slot, pins what it finds; without the
//              lock: tells it, and unpins it
//   STOP-1  a listener outlives every call of it: a request pins it under the fiber's lock and
//           unpins it (release) after the call; the listener's end takes it out under the lock and
//           waits for zero (acquire).
//   STOP-2  a request is heard: the listener is stored, then the flag read; the request stores the
//           flag, then reads the listener. All four are seq_cst.

#include <atomic>
#include <cstdint>

#include "base/lock_guard.hpp"
#include "base/sync_policy.hpp"

namespace weft::detail {

template <class Sync = base::real_sync>
class basic_stop_listener {
 public:
  using flag = typename Sync::template atomic<bool>;
  using slot = typename Sync::template atomic<basic_stop_listener*>;

  /// `stop(*this)` may be called more than once, and by several threads at a time.
  explicit basic_stop_listener(void (*stop)(basic_stop_listener&) noexcept) noexcept
      : stop_(stop) {}

  // ---- the fiber that listens
  /// True: a stop was requested before; the listener may be told of it all the same.
  [[nodiscard]] bool begin(slot& here, const flag& requested) noexcept {
    here.store(this, std::memory_order_seq_cst);       // [STOP-2] request
    return requested.load(std::memory_order_seq_cst);  // [STOP-2] request
  }
  /// `lock`: the fiber's. pause() may be called many times.
  template <class Lock, class Pause>
  void end(slot& here, Lock& lock, Pause&& pause) {
    {
      const base::lock_guard guard(lock);
      here.store(nullptr, std::memory_order_relaxed);  // the lock's
    }
    while (pins_.load(std::memory_order_acquire) != 0) pause();  // [STOP-1] tell
  }

  // ---- the request, with the fiber's lock
  /// The listener, pinned; null if there is none.
  [[nodiscard]] static basic_stop_listener* request(flag& requested, slot& there) noexcept {
    // also [PARK-2]: commit
    requested.store(true, std::memory_order_seq_cst);                      // [STOP-2] begin
    basic_stop_listener* const l = there.load(std::memory_order_seq_cst);  // [STOP-2] begin
    if (l != nullptr) l->pins_.fetch_add(1, std::memory_order_relaxed);    // the lock's
    return l;
  }
  // ---- the request, without the lock
  /// Of a listener that is pinned; its last touch.
  void tell() noexcept {
    stop_(*this);
    pins_.fetch_sub(1, std::memory_order_release);  // [STOP-1] end
  }

 private:
  void (*const stop_)(basic_stop_listener&) noexcept;
  typename Sync::template atomic<std::uint32_t> pins_{0};
};

using stop_listener = basic_stop_listener<>;

}  // namespace weft::detail
