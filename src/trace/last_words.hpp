// SPDX-License-Identifier: BSL-1.0
#pragma once
// trace/last_words.hpp - the handler of a crash against the collector, which writes the same file.
// For a flight recorder it is whoever writes a snapshot, one at a time.
//
//   TRACE-6  the last words do not mix with the collector's: the collector says that it works, then
//            looks whether there was a crash; the handler says so, then waits while the collector
//            works. All are seq_cst: one of the two sees the other.
// The handler's patience ends if the collector does not come back: it may be the thread that
// crashed, or frozen. Then a chunk may be torn, which its checksum shows.

#include <atomic>

#include "base/sync_policy.hpp"

namespace weft::detail::trace {

template <class Sync = base::real_sync>
class basic_last_words {
 public:
  // ---- the collector
  /// A piece of its work, unless there was a crash; false then.
  template <class Work>
  bool piece(Work&& work) noexcept {
    works_.store(true, std::memory_order_seq_cst);
    const bool goes_on = !crashed_.load(std::memory_order_seq_cst);  // [TRACE-6] begin
    if (goes_on) work();
    // Release: what was written. Acquire in await.
    works_.store(false, std::memory_order_release);
    return goes_on;
  }
  /// Within a piece: the handler waits for its end.
  [[nodiscard]] bool wanted() const noexcept { return crashed_.load(std::memory_order_relaxed); }

  // ---- the handler. AS-safe.
  /// False: another thread has crashed before.
  [[nodiscard]] bool begin() noexcept {
    return !crashed_.exchange(true, std::memory_order_seq_cst);  // [TRACE-6] piece
  }
  /// Until the collector's piece ends, or `patient()`, which sleeps for a moment, is false.
  template <class Patient>
  void await(Patient&& patient) const noexcept {
    while (works_.load(std::memory_order_seq_cst) && patient()) continue;  // [TRACE-6] piece
  }

 private:
  typename Sync::template atomic<bool> works_{false};
  typename Sync::template atomic<bool> crashed_{false};
};

}  // namespace weft::detail::trace
