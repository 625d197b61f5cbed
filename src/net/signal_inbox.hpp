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
#include <cstdint>
#include <optional>

namespace weft::detail {

struct signal_inbox {
  std::atomic<std::uint64_t> wanted{0};
  std::atomic<std::uint64_t> pending{0};
  int event = -1;                // constant
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
/// The lowest that is pending.
[[nodiscard]] std::optional<int> take_signal(signal_inbox& box) noexcept;

}  // namespace weft::detail
