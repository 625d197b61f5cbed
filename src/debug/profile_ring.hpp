// SPDX-License-Identifier: BSL-1.0
#pragma once
// debug/profile_ring.hpp - samples on their way from a signal handler to the collector: one writer,
// one reader, no lock.
// PROF-1  a slot is written while it is not between `taken` and `put`, and read while it is.
// Full: the sample is dropped and counted. The ring outlives its thread and is used again for
// another one; it is never freed, since a late signal may still point to it.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/sync_policy.hpp"

namespace weft::detail {

struct profile_sample {
  static constexpr std::size_t most_frames = 126;
  enum class where : std::uint8_t { fiber, scheduler, between };

  std::uint64_t fiber = 0;        // 0: none
  std::uintptr_t spawned_at = 0;  // the fiber; a return address, 0: not known
  std::uint32_t weight = 0;
  where at = where::between;
  bool cut = false;       // there were more frames
  bool has_link = false;  // the second frame is the link register (debug/link_register.hpp)
  std::uint8_t frame_count = 0;
  char name[64] = "";                              // empty: not known to the handler
  std::array<std::uintptr_t, most_frames> frames;  // the innermost first
};

template <class Sync, class Sample, std::uint32_t Size>
class basic_profile_ring {
 public:
  static constexpr std::uint32_t size = Size;

  // ---- the handler
  Sample* begin() noexcept {
    const std::uint32_t put = put_.load(std::memory_order_relaxed);
    // [PROF-1] take
    if (put - taken_.load(std::memory_order_acquire) < size) return &slots_[put % size];
    dropped_.store(dropped_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return nullptr;
  }
  void end() noexcept {
    // [PROF-1] take
    put_.store(put_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  // ---- the collector
  template <class Visit>
  void take(Visit&& visit) {
    const std::uint32_t put = put_.load(std::memory_order_acquire);  // [PROF-1] end
    for (std::uint32_t at = taken_.load(std::memory_order_relaxed); at != put; ++at) {
      visit(slots_[at % size]);
      taken_.store(at + 1, std::memory_order_release);  // [PROF-1] begin
    }
  }
  std::uint64_t take_dropped() noexcept {
    const std::uint64_t now = dropped_.load(std::memory_order_relaxed);
    const std::uint64_t more = now - dropped_seen_;
    dropped_seen_ = now;
    return more;
  }

 private:
  typename Sync::template atomic<std::uint32_t> put_{0}, taken_{0};
  typename Sync::template atomic<std::uint64_t> dropped_{0};  // relaxed
  std::uint64_t dropped_seen_ = 0;                            // collector
  std::array<Sample, size> slots_;
};

// At 100 a second: half a second and more.
using profile_ring = basic_profile_ring<base::real_sync, profile_sample, 64>;

}  // namespace weft::detail
