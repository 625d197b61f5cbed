// SPDX-License-Identifier: BSL-1.0
// sched/stack_sample.cpp - what the preemption signal's handler records of the code it interrupted
// (trace/stack_sample.hpp).
#include <cstring>

#include <ucontext.h>

#include "os/os.hpp"
#include "sched/preempt_trace.hpp"
#include "trace/event.hpp"
#include "trace/format.hpp"
#include "trace/stack_sample.hpp"

namespace weft::detail {
namespace {

struct sample {
  trace::stack_sample_head head;
  std::uint64_t words[(trace::longest_text - sizeof(trace::stack_sample_head)) / 8];
};
static_assert(sizeof(sample) <= trace::longest_text);

// Fills head and registers; returns the stack pointer.
std::uintptr_t take_registers(sample& s, const mcontext_t& at) noexcept {
#if defined(__x86_64__)
  constexpr int in_dwarf_order[] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
                                    REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                    REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};
  s.head = {trace::machine::x86_64, trace::x86_64_registers};
  for (std::size_t i = 0; i < std::size(in_dwarf_order); ++i)
    s.words[i] = static_cast<std::uint64_t>(at.gregs[in_dwarf_order[i]]);
  return s.words[trace::x86_64_sp];
#elif defined(__aarch64__)
  s.head = {trace::machine::aarch64, trace::aarch64_registers};
  for (std::size_t i = 0; i < 31; ++i) s.words[i] = at.regs[i];
  s.words[trace::aarch64_sp] = at.sp;
  s.words[trace::aarch64_pc] = at.pc;
  return s.words[trace::aarch64_sp];
#else
#error "weft: stack_sample.cpp does not know this architecture's registers"
#endif
}

// Other frames' variables, red zones and all.
#if defined(__clang__)
__attribute__((no_sanitize("address", "thread")))
#else
__attribute__((no_sanitize("address"), no_sanitize("thread")))
#endif
std::size_t
take_words(std::uint64_t* to, std::size_t most, std::uintptr_t from, std::uintptr_t end) noexcept {
  std::size_t n = 0;
  for (; n < most && from + 8 <= end; ++n, from += 8)
    to[n] = *reinterpret_cast<const volatile std::uint64_t*>(from);
  return n;
}

}  // namespace

void trace_interrupted_stack(const fiber_record& f, const void* context) noexcept {
  const stack_ref stack = stack_of(f);
  if (!stack) return;
  sample s;
  const std::uintptr_t sp = take_registers(s, static_cast<const ucontext_t*>(context)->uc_mcontext);
  const auto low = reinterpret_cast<std::uintptr_t>(stack.limit), top = low + stack.size;
  std::size_t words = s.head.registers;
  // Code on a stack of its own making is still recorded by its registers.
  if (sp >= low && sp < top && sp % 8 == 0)
    words += take_words(s.words + words, std::size(s.words) - words, sp, top);
  trace::emit_text(trace::event::fiber_stack, f.id,
                   {reinterpret_cast<const char*>(&s), sizeof s.head + 8 * words});
}

}  // namespace weft::detail
