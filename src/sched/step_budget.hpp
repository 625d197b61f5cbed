// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/step_budget.hpp - how much data a fiber may move in one step by calls that need not wait.
//
// A socket takes megabytes in a row, with no wait in between: a millisecond or two in the kernel,
// too short for a time slice to end it. If 500 fibers that write are ready at once, the next one
// waits a second for its turn, whatever it wants. So a fiber that has moved `longest_bytes` since
// its step began yields at its next such call, if others wait for its processor. A call counts as
// `call_bytes` beside its data: 16 calls are a step, too.
//
// ORDER-7  a fiber that moves data and need not wait ends its step after `longest_bytes` and at
//          most one call more.
// Rejected: a look at the clock in each call (30 ns of a microsecond); requests by the monitor (a
// round every 50 us costs a quarter of a CPU).

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace weft::detail {

class step_budget {
 public:
  static constexpr std::uint32_t longest_bytes = 64 * 1024, call_bytes = 4 * 1024;
  /// What one system call is given at most, so that a call is no step of its own. The kernel copies
  /// this in 30 us and more, which hides the price of another call.
  static constexpr std::size_t longest_call = 128 * 1024;

  void spend(std::uint32_t step, std::size_t bytes) noexcept {
    if (step != step_) {
      step_ = step;
      spent_ = 0;
    }
    spent_ += call_bytes + static_cast<std::uint32_t>(std::min<std::size_t>(bytes, longest_bytes));
  }
  [[nodiscard]] bool is_spent(std::uint32_t step) const noexcept {
    return step == step_ && spent_ >= longest_bytes;
  }

 private:
  std::uint32_t step_ = 0;   // the processor's tick, when something was last spent
  std::uint32_t spent_ = 0;  // in that step
};

}  // namespace weft::detail
