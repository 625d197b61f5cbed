// SPDX-License-Identifier: BSL-1.0
#pragma once
// trace/thread_entry.hpp - a row of the table of threads, which is another thread's later.
//
//   TRACE-5  a row is read whole or not at all: the writer makes the version odd, writes, makes it
//            even; the reader takes what it read if the version was even before, and is the same
//            after. Who sees a new word sees the odd version, too.
// Rejected: a lock (the handler of a crash reads the table, and cannot wait for its holder).

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "base/sync_policy.hpp"

namespace weft::detail::trace {

template <class T, class Sync = base::real_sync>
class thread_entry {
 public:
  /// One at a time.
  void write(const T& t) noexcept {
    std::uint64_t words[count];
    std::memcpy(words, &t, sizeof t);
    const std::uint32_t before = version_.load(std::memory_order_relaxed);
    version_.store(before + 1, std::memory_order_relaxed);
    for (std::size_t i = 0; i < count; ++i)
      words_[i].store(words[i], std::memory_order_release);  // [TRACE-5] read
    version_.store(before + 2, std::memory_order_release);   // [TRACE-5] read
  }
  /// False: nobody has written, or somebody just does. AS-safe.
  [[nodiscard]] bool read(T& t) const noexcept {
    std::uint64_t words[count];
    const std::uint32_t before = version_.load(std::memory_order_acquire);  // [TRACE-5] write
    if (before == 0 || before % 2 != 0) return false;
    for (std::size_t i = 0; i < count; ++i)
      words[i] = words_[i].load(std::memory_order_acquire);  // [TRACE-5] write
    if (version_.load(std::memory_order_relaxed) != before) return false;
    std::memcpy(&t, words, sizeof t);
    return true;
  }

 private:
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % sizeof(std::uint64_t) == 0);
  static constexpr std::size_t count = sizeof(T) / sizeof(std::uint64_t);
  typename Sync::template atomic<std::uint64_t> words_[count]{};
  typename Sync::template atomic<std::uint32_t> version_{0};
};

}  // namespace weft::detail::trace
