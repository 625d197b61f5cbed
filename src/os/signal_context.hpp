// SPDX-License-Identifier: BSL-1.0
#pragma once
// os/signal_context.hpp - what a signal interrupted: the registers a walk of the stack begins with.

#include <cstdint>

namespace weft::os {

struct interrupted_state {
  std::uintptr_t instruction, stack_pointer, frame_pointer;
  std::uintptr_t link;  // aarch64's X30; 0 on x86-64
};

/// `context`: a handler's third argument. Where two signals come at once, the kernel lets the
/// second interrupt the first one's handler before its first instruction: if that is weft's, what
/// the first interrupted is returned. AS-safe.
[[nodiscard]] interrupted_state interrupted(const void* context) noexcept;

}  // namespace weft::os
