// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/frozen_context.hpp - where a preempted fiber is, for reports.
//
// FROZEN-1  a reader that reads an odd turn, then what it wants of place and stack, and then the
//           same turn, has read what stood still. The fiber's thread writes; a turn lasts as long
//           as the handler sleeps.

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/sync_policy.hpp"
#include "fiber/registers.hpp"

namespace weft::detail {

template <class Sync = base::real_sync>
class basic_frozen_context {
 public:
  /// Lives in the handler, while the thread is frozen.
  class stay {
   public:
    stay(basic_frozen_context& at, const registers& r) noexcept : at_(at) {
      const auto all = std::bit_cast<words>(r);
      for (std::size_t i = 0; i < all.size(); ++i)
        at.place_[i].store(all[i], std::memory_order_relaxed);
      at.turn_.fetch_add(1, std::memory_order_release);  // [FROZEN-1] turn, in the reporter
    }
    ~stay() {
      at_.turn_.fetch_add(1, std::memory_order_relaxed);
      // [FROZEN-1] still: a reader that sees what the fiber does next sees that the turn is over
      Sync::fence(std::memory_order_release);
    }
    stay(const stay&) = delete;
    stay& operator=(const stay&) = delete;

   private:
    basic_frozen_context& at_;
  };

  /// Odd: frozen.
  // [FROZEN-1] stay
  [[nodiscard]] std::uint32_t turn() const noexcept {
    return turn_.load(std::memory_order_acquire);
  }
  /// After the reads that are to belong to that turn.
  [[nodiscard]] bool still(std::uint32_t turn) const noexcept {
    Sync::fence(std::memory_order_acquire);  // [FROZEN-1] ~stay
    return turn_.load(std::memory_order_relaxed) == turn;
  }
  [[nodiscard]] registers place() const noexcept {
    words all;
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = place_[i].load(std::memory_order_relaxed);
    return std::bit_cast<registers>(all);
  }

 private:
  using words = std::array<std::uintptr_t, sizeof(registers) / sizeof(std::uintptr_t)>;
  typename Sync::template atomic<std::uint32_t> turn_{0};
  typename Sync::template atomic<std::uintptr_t> place_[std::tuple_size_v<words>]{};
};

using frozen_context = basic_frozen_context<>;

}  // namespace weft::detail
