// SPDX-License-Identifier: BSL-1.0
// sync/biased_lock.cpp - waiting for an owner that has lost its CPU.
#include "sync/biased_lock.hpp"

#include <chrono>

namespace weft::detail {

void biased_lock_env::await_owner(int round) noexcept {
  constexpr int awake_rounds = 1000;  // tens of microseconds
  constexpr std::chrono::microseconds nap{50};
  static constinit std::atomic<std::uint32_t> nobody{0};
  if (round < awake_rounds)
    pause();
  else
    static_cast<void>(os::futex_wait_until(nobody, 0, std::chrono::steady_clock::now() + nap));
}

}  // namespace weft::detail
