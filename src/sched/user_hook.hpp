// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/user_hook.hpp - calls of the application's functions in weft::options. They must not throw:
// there is nobody who could catch it.

namespace weft::detail {

/// In a handler: says on stderr that the function in options::`name` has thrown, and what, and ends
/// the process.
[[noreturn]] void hook_threw(const char* name) noexcept;

template <class Hook, class Argument>
void call_hook(const char* name, const Hook& hook, const Argument& argument) noexcept {
  try {
    hook(argument);
  } catch (...) {
    hook_threw(name);
  }
}

}  // namespace weft::detail
