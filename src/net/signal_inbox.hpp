// SPDX-License-Identifier: BSL-1.0
#pragma once
// net/signal_inbox.hpp - where a signal's handler leaves word for the sets that want it.
//
//   handler   of every inbox that wants the signal: 1 pending |= bit   2 writes the eventfd
//   taker     1 empties the eventfd   2 takes a bit   3 some left: writes again
// SIGSET-1  a pending bit has its eventfd readable, or a taker on its way. The handler writes after
//           the bit; the taker empties before he looks.
// An inbox is never freed, nor its eventfd closed: a handler may be inside on another thread. The
// next set uses it again; a signal that comes late is none of its own, or is taken for its own.

#include <atomic>
#include <bit>
#include <cstdint>
#include <optional>

#include "base/sync_policy.hpp"

namespace weft::detail {

/// An eventfd that does not block.
struct signal_event {
  int number = -1;  // constant
  void announce() noexcept;
  void empty() noexcept;
};

template <class Sync = base::real_sync, class Event = signal_event>
struct basic_signal_inbox {
  typename Sync::template atomic<std::uint64_t> wanted{0};
  typename Sync::template atomic<std::uint64_t> pending{0};
  Event event{};

  [[nodiscard]] bool wants(std::uint64_t bit) const noexcept {
    return (wanted.load(std::memory_order_relaxed) & bit) != 0;
  }
  void post(std::uint64_t bit) noexcept {
    // Release: acquire in take. [SIGSET-1] before the write
    pending.fetch_or(bit, std::memory_order_release);
    event.announce();
  }
  /// The lowest that is pending.
  std::optional<int> take() noexcept {
    event.empty();  // [SIGSET-1] before the look
    std::uint64_t there = pending.load(std::memory_order_relaxed);
    while (there != 0) {
      const std::uint64_t left = there & (there - 1);
      // Acquire: post.
      if (!pending.compare_exchange_weak(there, left, std::memory_order_acquire)) continue;
      if (left != 0) event.announce();
      return std::countr_zero(there) + 1;
    }
    return std::nullopt;
  }
};

struct signal_inbox : basic_signal_inbox<> {
  bool in_use = false;           // under the table's lock
  signal_inbox* next = nullptr;  // constant once linked
};

[[nodiscard]] constexpr std::uint64_t signal_bit(int signal) noexcept {
  return std::uint64_t{1} << (signal - 1);
}

/// Throws std::system_error, std::bad_alloc.
[[nodiscard]] signal_inbox& take_inbox();
void return_inbox(signal_inbox& box) noexcept;
/// For every inbox that wants it. False: none does. AS-safe.
bool post_signal(int signal) noexcept;

}  // namespace weft::detail
