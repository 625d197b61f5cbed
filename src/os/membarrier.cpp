// SPDX-License-Identifier: BSL-1.0
// os/membarrier.cpp - registration decided once, for ever: [SYNC-1] in base/sync_policy.hpp becomes
// inactive on it.
//   unknown -> available | missing, by one CAS; losers of the race adopt the winner's answer.

#include <cerrno>
#include <cstdlib>
#include <ctime>

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/errno_guard.hpp"
#include "os/os.hpp"

namespace weft::os {
namespace {

enum class support : int { unknown, available, missing };
constinit std::atomic<support> state{support::unknown};

long call(int command) noexcept { return syscall(SYS_membarrier, command, 0, 0); }

support ask_kernel() noexcept {
  // relaxed: a test sets it before any thread of weft exists.
  if (test_hooks.no_membarrier.load(std::memory_order_relaxed)) return support::missing;
  return call(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0 ? support::available
                                                              : support::missing;
}

}  // namespace

constinit hooks test_hooks;
constinit std::atomic<bool> light_fence_is_weak{false};

bool membarrier_register() noexcept {
  // acquire/release: a thread that sees `available` also sees the registration's effects.
  support now = state.load(std::memory_order_acquire);
  if (now == support::unknown) {
    const errno_guard keep;
    const support answer = ask_kernel();
    if (state.compare_exchange_strong(now, answer, std::memory_order_acq_rel,
                                      std::memory_order_acquire)) {
      now = answer;
    }
  }
  if (now != support::available) return false;
  // relaxed: read by light_fence(), for which either value is right from here on [SYNC-1].
  if (!light_fence_is_weak.load(std::memory_order_relaxed)) {
    light_fence_is_weak.store(true, std::memory_order_relaxed);
  }
  return true;
}

bool membarrier_available() noexcept {
  return state.load(std::memory_order_acquire) == support::available;  // the CAS above
}

// ENOMEM is the one error that passes (the kernel's mask of CPUs). Any other one is a sandbox.
void membarrier() noexcept {
  const errno_guard keep;
  constexpr int most_tries = 1000;
  for (int tries = 0; tries < most_tries; ++tries) {
    set_error_number(test_hooks.membarrier_error.load(std::memory_order_relaxed));
    if (error_number() == 0 && call(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0) return;
    if (error_number() != ENOMEM) break;
    constexpr timespec pause{0, 1'000'000};
    nanosleep(&pause, nullptr);
  }
  write_stderr(error_number() == ENOMEM
                   ? "weft: membarrier(2) has failed for want of memory for a second; aborting\n"
                   : "weft: membarrier(2), which the kernel allowed when weft started, is refused "
                     "now. A sandbox (seccomp) "
                     "that is installed later must allow it; one that is there before the first "
                     "runtime need not; aborting\n");
  std::abort();
}

}  // namespace weft::os
