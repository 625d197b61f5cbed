// SPDX-License-Identifier: BSL-1.0
#pragma once
// net/short_acceptors.hpp - who waits for a descriptor to accept with, and who has just closed one.
//
//   ACCEPT-1  an acceptor that failed for want of a descriptor, and pauses, is woken when weft
//             closes one afterwards: it is in the list before it calls accept(2) once more, and a
//             closer looks after close(2). Both calls take the kernel's lock of the process's
//             descriptors, which orders the count; so that is relaxed.

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/lock_guard.hpp"

namespace weft::detail {

template <class Sync, class Lock, class Listener>
class basic_short_acceptors {
 public:
  // A closer tells so many at once: of very many some have to wait for their pause to end.
  static constexpr std::size_t most_told = 16;

  struct acceptor {
    Listener* listener = nullptr;
    acceptor* next = nullptr;
    acceptor** at = nullptr;  // what points to this one
  };

  constexpr basic_short_acceptors() noexcept = default;

  void enter(acceptor& me, Listener& of) noexcept {
    me.listener = &of;
    const base::lock_guard guard(lock_);
    me.next = first_;
    me.at = &first_;
    if (me.next != nullptr) me.next->at = &me.next;
    first_ = &me;
    // Relaxed: the kernel's lock [ACCEPT-1].
    count_.fetch_add(1, std::memory_order_relaxed);
  }
  void leave(acceptor& me) noexcept {
    const base::lock_guard guard(lock_);
    *me.at = me.next;
    if (me.next != nullptr) me.next->at = me.at;
    count_.fetch_sub(1, std::memory_order_relaxed);
  }

  // ---- after close(2)
  [[nodiscard]] bool any() const noexcept {
    return count_.load(std::memory_order_relaxed) != 0;  // [ACCEPT-1] enter
  }
  /// Calls tell(listener) for each, once, outside the lock: an acceptor that has left meanwhile is
  /// told for nothing.
  template <class Tell>
  void tell(Tell&& tell) noexcept {
    std::array<Listener*, most_told> listeners{};
    std::size_t n = 0;
    {
      const base::lock_guard guard(lock_);
      for (const acceptor* a = first_; a != nullptr && n < listeners.size(); a = a->next) {
        auto* const end = listeners.data() + n;
        if (std::find(listeners.data(), end, a->listener) == end) listeners[n++] = a->listener;
      }
    }
    for (std::size_t i = 0; i < n; ++i) tell(*listeners[i]);
  }

 private:
  typename Sync::template atomic<std::uint32_t> count_{0};
  Lock lock_{};
  acceptor* first_ WEFT_GUARDED_BY(lock_) = nullptr;
};

}  // namespace weft::detail
