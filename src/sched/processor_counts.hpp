// SPDX-License-Identifier: BSL-1.0
// sched/processor_counts.hpp - how many processors serve, and how many of them are to become
// inactive.
//
//   service thread     shrink:    surplus + n                          grow: serving + 1, after it
//                      took back what surplus was left
//   worker   claim:     surplus - 1, serving - 1 - then the processor it holds becomes inactive
//            (deactivate.cpp)
//
// One word, so that a claim is one step: a worker that claims a part of the surplus makes one
// processor inactive, and no two claim the same part. It does not matter which processor it is,
// except that the first never becomes inactive.
// Rejected: naming the processors that go (the named one may be stuck with a fiber that computes;
// any other will do).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/sync_policy.hpp"

namespace weft::detail {

/// Of options::workers, and in all: the most that serve beyond it (watch/compensator.hpp).
inline constexpr std::size_t compensation_share = 2, compensation_most = 64;

// RESIZE-1  serving - surplus is what the service thread asked for last, whatever is claimed
//           meanwhile; it is at least one.
// RESIZE-2  a processor becomes inactive by the holder that claimed, and only then: so serving
//           counts those in no inactive list, except the claimers still on their way there.
template <class Sync = base::real_sync>
class basic_processor_counts {
 public:
  explicit basic_processor_counts(std::uint32_t serving) : word_(serving * serving_one) {}

  // ---- the service thread
  void shrink(std::uint32_t by) { word_.fetch_add(by * surplus_one, std::memory_order_relaxed); }
  // Takes back up to `most` of the surplus; how much it was.
  std::uint32_t withdraw(std::uint32_t most) {
    std::uint64_t w = word_.load(std::memory_order_relaxed);
    for (;;) {
      const std::uint32_t n = std::min(most, surplus(w));
      if (word_.compare_exchange_weak(w, w - n * surplus_one, std::memory_order_relaxed,
                                      std::memory_order_relaxed))
        return n;
    }
  }
  void grow() { word_.fetch_add(serving_one, std::memory_order_relaxed); }
  std::uint32_t wanted() const {
    const std::uint64_t w = word_.load(std::memory_order_relaxed);
    return serving(w) - surplus(w);
  }

  // ---- workers, and the service thread for idle processors
  bool try_claim() {
    std::uint64_t w = word_.load(std::memory_order_relaxed);
    while (surplus(w) > 0)
      if (word_.compare_exchange_weak(w, w - surplus_one - serving_one, std::memory_order_relaxed,
                                      std::memory_order_relaxed))
        return true;
    return false;
  }
  void undo_claim() { word_.fetch_add(surplus_one + serving_one, std::memory_order_relaxed); }

  std::uint32_t serving() const { return serving(word_.load(std::memory_order_relaxed)); }
  std::uint32_t surplus() const { return surplus(word_.load(std::memory_order_relaxed)); }

 private:
  // relaxed throughout: the counts carry no data. The processor changes hands under the idle lock.
  static constexpr std::uint64_t surplus_one = 1, serving_one = std::uint64_t{1} << 32;
  static std::uint32_t serving(std::uint64_t w) { return static_cast<std::uint32_t>(w >> 32); }
  static std::uint32_t surplus(std::uint64_t w) { return static_cast<std::uint32_t>(w); }

  typename Sync::template atomic<std::uint64_t> word_;
};

using processor_counts = basic_processor_counts<>;

}  // namespace weft::detail
