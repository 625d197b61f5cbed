// SPDX-License-Identifier: BSL-1.0
#pragma once
// fiber/switch.hpp - the one place where stacks change, and what must change with them.
//
//   C++ exceptions in flight   __cxa_get_globals() is per thread: saved and restored around the
//                              jump
//   errno                      likewise
//   floating point control     the jump itself keeps it per fiber; see set_float_environment
//   sanitizers                 are told before and after
// Boost.Context's jump is called here and in src/sched, by what this header offers. The pointers
// into thread-local storage come from the worker that is running, never from a cached address: the
// fiber may come back on another thread.

#include <cstddef>
#include <cstdint>

#include <boost/context/detail/fcontext.hpp>

#include "base/sanitizers.hpp"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace weft::detail {

/// The layout the Itanium C++ ABI gives __cxa_eh_globals.
struct exception_globals {
  void* caught = nullptr;
  unsigned uncaught = 0;
  [[nodiscard]] bool any() const noexcept { return caught != nullptr || uncaught != 0; }
};

/// Where the thread-local state of one thread lives; taken once, on that thread.
struct thread_state {
  exception_globals* exceptions = nullptr;
  int* error_number = nullptr;
};
[[nodiscard]] thread_state this_thread_state() noexcept;

/// A stack to jump to, as the sanitizers want to know it.
struct stack_bounds {
  const void* bottom = nullptr;
  std::size_t size = 0;
  void* tsan = nullptr;
};

using context = boost::context::detail::fcontext_t;
using transfer = boost::context::detail::transfer_t;

// All exceptions masked, round to nearest, and all six sticky flags set: arithmetic cannot change
// it any more, so both sides of nearly every jump are equal and the jump costs 5 ns instead of 70
// (measured; ldmxcsr with a new value drains the machine). The x87 unit has its own control word;
// code that changes rounding changes both, so a look at MXCSR shows whether there is anything to
// do. jump_fcontext keeps both. On aarch64 it does not keep FPCR, which has no sticky flags:
// jump_by_call does.
#if defined(__aarch64__)
struct float_environment {
  std::uint64_t control = 0;  // round to nearest, no traps
};
inline float_environment this_float_environment() noexcept {
  float_environment e;
  asm volatile("mrs %0, fpcr" : "=r"(e.control));
  return e;
}
inline void set_float_environment(const float_environment& e = {}) noexcept {
  if (this_float_environment().control == e.control) [[likely]]
    return;
  asm volatile("msr fpcr, %0" : : "r"(e.control));
}
/// True if it is what every fiber starts with.
inline bool float_environment_is_calm() noexcept { return this_float_environment().control == 0; }
#else
struct float_environment {
  unsigned mxcsr = 0x1fbf;
  std::uint16_t control = 0x037f;
};
inline void set_float_environment([[maybe_unused]] const float_environment& e = {}) noexcept {
#if defined(__x86_64__)
  if (_mm_getcsr() == e.mxcsr) [[likely]]
    return;
  _mm_setcsr(e.mxcsr);
  asm volatile("fldcw %0" : : "m"(e.control));
#endif
}
/// True if it is what every fiber starts with.
inline bool float_environment_is_calm() noexcept {
#if defined(__x86_64__)
  return _mm_getcsr() == float_environment{}.mxcsr;
#else
  return true;
#endif
}
inline float_environment this_float_environment() noexcept {
  float_environment e;
#if defined(__x86_64__)
  e.mxcsr = _mm_getcsr();
  asm volatile("fnstcw %0" : "=m"(e.control));
#endif
  return e;
}
#endif

[[gnu::always_inline]] inline transfer jump_by_call(context to, void* data) noexcept {
#if defined(__aarch64__)
  const float_environment mine = this_float_environment();
  const transfer t = boost::context::detail::jump_fcontext(to, data);
  set_float_environment(mine);
  return t;
#else
  return boost::context::detail::jump_fcontext(to, data);
#endif
}

#if WEFT_ASAN || WEFT_TSAN
/// `dying`: the stack that is left will never be returned to.
transfer jump_watched(context to, void* data, const stack_bounds& target, bool dying) noexcept;
/// First thing on a stack that was never jumped to before.
void arrived_first_time() noexcept;
/// ASan: of the stack this thread has jumped from last. It is the jumping fiber's own, or one the
/// application put it on.
[[nodiscard, gnu::noinline]] stack_bounds left_bounds() noexcept;
#endif

// A function that a switch happens in. Not inlined and not looked into: an asm names the registers
// of the target it was compiled for, and with LTO a caller compiled for AVX-512 would keep values
// in those it does not name.
#if defined(__GNUC__) && !defined(__clang__)
#define WEFT_SWITCHES gnu::noipa
#else
#define WEFT_SWITCHES gnu::noinline
#endif

// What jump_fcontext does not keep, beyond what every x86-64 has; a compiler names none but its
// target's.
#if defined(__AVX512F__)
#define WEFT_AVX512_REGISTERS                                                                   \
  , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",   \
      "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2", "k3", "k4", "k5", \
      "k6", "k7"
#else
#define WEFT_AVX512_REGISTERS
#endif
#if defined(__APX_F__)
#define WEFT_APX_REGISTERS                                                                     \
  , "r16", "r17", "r18", "r19", "r20", "r21", "r22", "r23", "r24", "r25", "r26", "r27", "r28", \
      "r29", "r30", "r31"
#else
#define WEFT_APX_REGISTERS
#endif

// Elsewhere, on aarch64 too, it is a plain call: the compiler knows what a call may change, vectors
// and predicates included.
#if defined(__x86_64__) && !defined(__CET__) && !defined(__ILP32__)
// jump_fcontext is left by a jump, not by a return. Called the plain way, every switch would leave
// one entry too many on the processor's return predictor, and the next `ret` - the one to the
// user's code - would be predicted wrong each time (20 ns, most of a yield). So it is entered by a
// jump as well, with the return address pushed by hand: the predictor then sees the user's calls
// and returns in pairs.
[[gnu::always_inline]] inline transfer jump_balanced(context to, void* data) noexcept {
  transfer t;
  register void* rdi asm("rdi") = to;
  register void* rsi asm("rsi") = data;
  asm volatile(
      "lea -128(%%rsp), %%rsp\n\t"  // past the red zone
      "lea 1f(%%rip), %%rax\n\t"
      "push %%rax\n\t"
      "jmp *%[target]\n"
      "1:\n\t"
      "lea 128(%%rsp), %%rsp"
      : "=&a"(t.fctx), "=&d"(t.data), "+r"(rdi), "+r"(rsi)
      : [target] "r"(&boost::context::detail::jump_fcontext)
      : "rcx", "r8", "r9", "r10", "r11", "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",
        "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
        "xmm15", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "mm0", "mm1",
        "mm2", "mm3", "mm4", "mm5", "mm6", "mm7" WEFT_AVX512_REGISTERS WEFT_APX_REGISTERS);
  return t;
}
#else
[[gnu::always_inline]] inline transfer jump_balanced(context to, void* data) noexcept {
  return jump_by_call(to, data);
}
#endif

[[gnu::always_inline]] inline transfer jump(context to, void* data,
                                            [[maybe_unused]] const stack_bounds& target,
                                            [[maybe_unused]] bool dying) noexcept {
#if WEFT_ASAN || WEFT_TSAN
  return jump_watched(to, data, target, dying);
#else
  return jump_balanced(to, data);
#endif
}

/// The calling thread's own stack.
[[nodiscard]] stack_bounds this_thread_bounds() noexcept;
[[nodiscard]] void* make_tsan_fiber() noexcept;  // null without TSan
[[nodiscard]] void* current_tsan_fiber() noexcept;
void destroy_tsan_fiber(void* fiber) noexcept;

}  // namespace weft::detail
