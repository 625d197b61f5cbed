// SPDX-License-Identifier: BSL-1.0
#pragma once
// os/fault_signals.hpp - the signals of a crash: an instruction raises them, or abort().
//
// A handler that takes such a signal and returns meets it again at the same instruction, for ever.
// So weft's handlers for them end the process or pass them on, and where the user chooses a signal,
// for dumps say, none of these can be chosen.

#include <algorithm>
#include <csignal>
#include <iterator>

namespace weft::os {

inline constexpr int fault_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};

[[nodiscard]] constexpr bool is_fault_signal(int signal) noexcept {
  return std::find(std::begin(fault_signals), std::end(fault_signals), signal) !=
         std::end(fault_signals);
}

}  // namespace weft::os
