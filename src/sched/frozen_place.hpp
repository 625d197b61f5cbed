// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/frozen_place.hpp - where a preempted fiber stands, for those who report on it.
//
// FROZEN-1  whoever reads an odd turn, then what it wants of place and stack, and then the same turn, has read what stood
//           still. Its thread writes; a turn lasts as long as the handler sleeps.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "fiber/registers.hpp"

namespace weft::detail {

class frozen_place {
 public:
  /// Lives in the handler, while the thread is frozen.
  class stay {
   public:
    stay(frozen_place& at, const registers& r) noexcept : at_(at) {
      const std::uintptr_t all[registers::count] = {r.rip, r.rsp, r.rbp, r.rbx, r.r12, r.r13, r.r14, r.r15};
      for (std::size_t i = 0; i < registers::count; ++i) at.place_[i].store(all[i], std::memory_order_relaxed);
      at.turn_.fetch_add(1, std::memory_order_release);  // [FROZEN-1] turn, in who reports
    }
    // Full, so that nothing the fiber does next is seen before the turn is over.
    ~stay() { at_.turn_.fetch_add(1, std::memory_order_seq_cst); }
    stay(const stay&) = delete;
    stay& operator=(const stay&) = delete;

   private:
    frozen_place& at_;
  };

  /// Odd: frozen.
  [[nodiscard]] std::uint32_t turn() const noexcept { return turn_.load(std::memory_order_acquire); }
  [[nodiscard]] registers place() const noexcept {
    const auto at = [this](std::size_t i) { return place_[i].load(std::memory_order_relaxed); };
    return {at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7)};
  }

 private:
  std::atomic<std::uint32_t> turn_{0};
  std::atomic<std::uintptr_t> place_[registers::count]{};
};

}  // namespace weft::detail
