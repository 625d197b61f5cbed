// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/aide_bell.hpp - what an aide sleeps on, and how a signal handler wakes one without knowing which runtimes there are.
//
//   handler   1 leaves its errand where the errand's function looks   2 rings every bell
//   aide      1 reads its count   2 runs the errand   3 sleeps while the count is what it read [AIDE-1]
// BELL-1  a bell is never freed, only given to the next runtime: whoever rings one whose aide has ended costs nobody more
//         than a round. So a handler needs no lock to walk them.
// Rejected: a thread of its own that waits for signals (one more in every process, for what is asked once a day).

#include <atomic>
#include <cstdint>

namespace weft::detail {

struct aide_bell {
  std::atomic<std::uint32_t> calls{0};  // futex
  std::atomic<bool> hung{false};        // a runtime has it
  aide_bell* next = nullptr;            // constant once it is in the chain

  void ring() noexcept;                 // AS-safe
};

[[nodiscard]] aide_bell& hang_bell();   // throws std::bad_alloc
void take_down(aide_bell& b) noexcept;
/// AS-safe, both.
void ring_all_bells() noexcept;
[[nodiscard]] bool any_bell_hangs() noexcept;

/// What every aide runs when it was rung, whoever rang; quick, for the runtime's threads wait for the aide. Set once, by
/// the layer above; null: nothing.
extern constinit std::atomic<void (*)() noexcept> aide_errand;

}  // namespace weft::detail
