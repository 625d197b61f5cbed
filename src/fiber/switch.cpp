// SPDX-License-Identifier: BSL-1.0
// fiber/switch.cpp - thread state, and what the sanitizers must hear.
#include "fiber/switch.hpp"

#include <cerrno>

#include <cxxabi.h>
#include <pthread.h>

#if WEFT_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#if WEFT_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace weft::detail {

thread_state this_thread_state() noexcept {
  return {reinterpret_cast<exception_globals*>(abi::__cxa_get_globals()), &errno};
}

stack_bounds this_thread_bounds() noexcept {
  stack_bounds bounds;
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
    void* bottom = nullptr;
    if (pthread_attr_getstack(&attributes, &bottom, &bounds.size) == 0) bounds.bottom = bottom;
    pthread_attr_destroy(&attributes);
  }
  bounds.tsan = current_tsan_fiber();
  return bounds;
}

#if WEFT_ASAN || WEFT_TSAN
namespace {
constinit thread_local stack_bounds left;
// The jump may have ended on another thread, and a compiler may keep a thread_local's address: so
// in a call of its own.
[[gnu::noinline]] void finish_jump([[maybe_unused]] void* fake_stack) noexcept {
#if WEFT_ASAN
  __sanitizer_finish_switch_fiber(fake_stack, &left.bottom, &left.size);
#endif
}
}  // namespace
stack_bounds left_bounds() noexcept { return left; }

// Not instrumented: TSan's shadow stack is exchanged in the middle of this function.
__attribute__((noinline, no_sanitize("thread"))) transfer
jump_watched(context to, void* data, [[maybe_unused]] const stack_bounds& target,
             [[maybe_unused]] bool dying) noexcept {
  void* fake_stack = nullptr;
#if WEFT_ASAN
  __sanitizer_start_switch_fiber(dying ? nullptr : &fake_stack, target.bottom, target.size);
#endif
#if WEFT_TSAN
  // With synchronisation: what one thread does is in order for TSan, whichever stack it is on, and
  // so is what the scheduler leaves in the worker for the next stack. Races between threads are
  // seen all the same.
  void* const mine = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(target.tsan, 0);
#endif
  const transfer t = jump_by_call(to, data);
  finish_jump(fake_stack);
#if WEFT_TSAN
  // A coroutine of the application told TSan of its stack; the code that jumped back knows only the
  // fiber's.
  if (__tsan_get_current_fiber() != mine) __tsan_switch_to_fiber(mine, 0);
#endif
  return t;
}
void arrived_first_time() noexcept { finish_jump(nullptr); }
#endif

#if WEFT_TSAN
void* make_tsan_fiber() noexcept { return __tsan_create_fiber(0); }
void* current_tsan_fiber() noexcept { return __tsan_get_current_fiber(); }
void destroy_tsan_fiber(void* fiber) noexcept {
  if (fiber != nullptr) __tsan_destroy_fiber(fiber);
}
#else
void* make_tsan_fiber() noexcept { return nullptr; }
void* current_tsan_fiber() noexcept { return nullptr; }
void destroy_tsan_fiber(void*) noexcept {}
#endif

}  // namespace weft::detail
