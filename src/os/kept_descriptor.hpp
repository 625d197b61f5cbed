// SPDX-License-Identifier: BSL-1.0
#pragma once
// os/kept_descriptor.hpp - a descriptor that many threads read from while another closes it.
//
//   STAT-1  a kept number is closed once, by the closer or by the last reader, and nobody reads
//           from it afterwards: it may be another file's by then.
//
// One word: the number + 1, or 0, in the upper half; `closing`; how many read. A reader counts
// itself and finds in the same step whether it may read. The closer sets `closing`. The word
// becomes 0, and the number is closed, by a CAS that finds `closing` and no reader, tried by the
// closer and by every reader that leaves: the first to succeed closes. Nobody waits.
// Rejected: a lock (the reader is the monitor, which must not wait for a thread without a CPU).

#include <atomic>
#include <cstdint>

namespace weft::os {

template <class Sync>
class basic_kept_descriptor {
 public:
  /// keep and drop: by one thread at a time. False: readers are still at the one before.
  [[nodiscard]] bool keep(int number) noexcept {
    std::uint64_t now = word_.load(std::memory_order_relaxed);
    while (now < one_kept)  // readers of before are counted, and read from none
      if (word_.compare_exchange_weak(now,
                                      now + (static_cast<std::uint64_t>(number) + 1) * one_kept,
                                      std::memory_order_release,  // [STAT-1] read
                                      std::memory_order_relaxed))
        return true;
    return false;
  }
  /// Calls close(number) if there is one and nobody reads from it; else the last reader does.
  template <class Close>
  void drop(Close&& close) noexcept {
    if (word_.load(std::memory_order_relaxed) < one_kept) return;
    close_if_last(word_.fetch_or(closing, std::memory_order_relaxed) | closing, close);
  }
  /// Calls read(number) if there is one.
  template <class Read, class Close>
  void read(Read&& read, Close&& close) noexcept {
    const std::uint64_t kept = word_.fetch_add(1, std::memory_order_acquire);  // [STAT-1] keep
    if (kept >= one_kept && (kept & closing) == 0) read(number_of(kept));
    // Release: what was read, before the close.
    close_if_last(word_.fetch_sub(1, std::memory_order_release) - 1,
                  close);  // [STAT-1] close_if_last
  }

 private:
  static constexpr std::uint64_t closing = std::uint64_t{1} << 31, one_kept = closing << 1;
  static int number_of(std::uint64_t w) noexcept { return static_cast<int>(w / one_kept) - 1; }

  template <class Close>
  void close_if_last(std::uint64_t now, Close&& close) noexcept {
    if (now % one_kept != closing) return;
    // Fails if another has begun to read: then that one tries. Acquire: what the readers have read.
    if (word_.compare_exchange_strong(now, 0, std::memory_order_acquire,  // [STAT-1] read
                                      std::memory_order_relaxed))
      close(number_of(now));
  }

  typename Sync::template atomic<std::uint64_t> word_{0};
};

}  // namespace weft::os
