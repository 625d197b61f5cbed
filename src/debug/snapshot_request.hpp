// SPDX-License-Identifier: BSL-1.0
#pragma once
// debug/snapshot_request.hpp - which side may touch the copy of a running fiber's stack
// (running_snapshot.hpp).
//
//   idle -> asked    reporter: ask             asked -> taken   handler: take
//   asked -> idle    reporter: withdraw        taken -> done    handler: finish
//   done -> asked    reporter, next time
//
//   RUN-1  the copy, and the request, belong to the handler from `taken` to `done`, and otherwise
//          to the reporter.

#include <atomic>
#include <cstdint>

#include "base/sync_policy.hpp"

namespace weft::detail {

template <class Sync = base::real_sync>
class basic_snapshot_request {
 public:
  using word = typename Sync::template atomic<std::uint32_t>;
  enum : std::uint32_t { idle, asked, taken, done };

  // ---- the reporter
  void ask() noexcept { state_.store(asked, std::memory_order_release); }  // [RUN-1] take
  // [RUN-1] finish
  [[nodiscard]] bool is_done() const noexcept {
    return state_.load(std::memory_order_acquire) == done;
  }
  enum class withdrawal : std::uint8_t { never_taken, taken, done };
  [[nodiscard]] withdrawal withdraw() noexcept {
    std::uint32_t expected = asked;
    // [RUN-1] finish
    if (state_.compare_exchange_strong(expected, idle, std::memory_order_relaxed,
                                       std::memory_order_acquire))
      return withdrawal::never_taken;
    return expected == done ? withdrawal::done : withdrawal::taken;
  }

  // ---- the handler
  [[nodiscard]] bool take() noexcept {
    std::uint32_t expected = asked;
    // [RUN-1] ask
    return state_.compare_exchange_strong(expected, taken, std::memory_order_acquire,
                                          std::memory_order_relaxed);
  }
  void finish() noexcept { state_.store(done, std::memory_order_release); }  // [RUN-1] is_done

  [[nodiscard]] word& futex() noexcept { return state_; }

 private:
  word state_{idle};
};

}  // namespace weft::detail
