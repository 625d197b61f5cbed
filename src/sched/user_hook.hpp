// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/user_hook.hpp - calls of the application's functions in weft::options. They must not throw:
// there is nobody who could catch it.

#include "sched/service_stand_in.hpp"

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

/// The same on the service thread, for which a stand-in answers meanwhile.
template <class Hook, class Argument>
void call_hook_on_service_thread(const char* name, const Hook& hook,
                                 const Argument& argument) noexcept {
  const service_stand_in meanwhile;
  call_hook(name, hook, argument);
}

}  // namespace weft::detail
