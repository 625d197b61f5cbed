// SPDX-License-Identifier: BSL-1.0
// debug/stack_copy.cpp - see the header. weft_walk_from tells the unwinder, in the language of its
// own tables, that its caller's registers are those of a structure.
#include "debug/stack_copy.hpp"

#include <algorithm>
#include <csetjmp>
#include <csignal>
#include <cstring>
#include <new>

#include <sys/mman.h>
#include <unwind.h>

#include "debug/peek.hpp"
#include "os/os.hpp"

#if defined(__x86_64__)
// void weft_walk_from(const registers*, void (*walk)(void*), void* argument): calls walk(argument).
// To an unwinder the frame it finds above is not its caller's: RBX holds the structure, the stack
// pointer there is its second word, the return address its first, and so on
// (DW_CFA_def_cfa_expression, DW_CFA_expression; 0x73: RBX plus an offset, 0x06: what is there).
asm(R"(
  .text
  .p2align 4
  .globl weft_walk_from
  .hidden weft_walk_from
  .type weft_walk_from, @function
weft_walk_from:
  .cfi_startproc
  push %rbx
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset rbx, 0
  mov %rdi, %rbx
  .cfi_remember_state
  .cfi_escape 0x0f, 3, 0x73, 8, 0x06
  .cfi_escape 0x10, 16, 2, 0x73, 0
  .cfi_escape 0x10, 6, 2, 0x73, 16
  .cfi_escape 0x10, 3, 2, 0x73, 24
  .cfi_escape 0x10, 12, 2, 0x73, 32
  .cfi_escape 0x10, 13, 2, 0x73, 40
  .cfi_escape 0x10, 14, 2, 0x73, 48
  .cfi_escape 0x10, 15, 2, 0x73, 56
  mov %rdx, %rdi
  call *%rsi
  .cfi_restore_state
  pop %rbx
  .cfi_adjust_cfa_offset -8
  .cfi_restore rbx
  ret
  .cfi_endproc
  .size weft_walk_from, . - weft_walk_from
)");
extern "C" void weft_walk_from(const weft::detail::registers* from, void (*walk)(void*),
                               void* argument);
#endif

namespace weft::detail {
namespace {

struct walk_state {
  std::uintptr_t begin, end;  // of the copy
  std::span<call_frame> out;
  std::size_t n = 0;
};

[[maybe_unused]] _Unwind_Reason_Code on_frame(_Unwind_Context* frame, void* data) {
  auto& s = *static_cast<walk_state*>(data);
  const std::uintptr_t stack_pointer = _Unwind_GetCFA(frame);
  const bool on_copy = stack_pointer >= s.begin && stack_pointer <= s.end;
  if (!on_copy) return s.n == 0 ? _URC_NO_REASON : _URC_END_OF_STACK;  // before it: our own frames
  const std::uintptr_t address = _Unwind_GetIP(frame);
  if (address == 0 || s.n == s.out.size()) return _URC_END_OF_STACK;
  const auto slot = static_cast<std::uint32_t>(stack_pointer - sizeof(std::uintptr_t) - s.begin);
  s.out[s.n] = {address, s.n == 0 ? call_frame::no_slot : slot};
  ++s.n;
  return _URC_NO_REASON;
}

[[maybe_unused]] void walk_it(void* state) { _Unwind_Backtrace(&on_frame, state); }

// Set while this thread walks. It neither parks nor is preempted meanwhile, because the report
// holds a lock (runtimes_held). initial-exec: the handler reads it, and must not allocate, as a
// dlopened library does at the first touch of another model's.
[[gnu::tls_model("initial-exec")]] constinit thread_local sigjmp_buf* volatile way_out = nullptr;

bool on_fault(int, siginfo_t* info, void*) {
  if (way_out == nullptr || info->si_code <= 0) return false;
  siglongjmp(*way_out, 1);  // the unwinder holds nothing
}

// What was found before a fault is in `state`, which is not of this frame.
[[maybe_unused, gnu::noinline]] void walk_guarded([[maybe_unused]] const registers& from,
                                                  [[maybe_unused]] walk_state& state) {
#if defined(__x86_64__)
  sigjmp_buf env;
  if (sigsetjmp(env, 1) == 0) {
    way_out = &env;
    weft_walk_from(&from, &walk_it, &state);
  }
  way_out = nullptr;
#endif
}

}  // namespace

void guard_stack_walks() noexcept {
  for (const int signal : {SIGSEGV, SIGBUS})
    static_cast<void>(os::install_signal_handler(signal, &on_fault));
}

stack_copy::stack_copy() {
  void* const at = mmap(nullptr, under + capacity + beyond, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  memory_ = static_cast<std::byte*>(at);
  words_ = reinterpret_cast<std::uintptr_t*>(memory_ + under);
}
stack_copy::~stack_copy() { munmap(memory_, under + capacity + beyond); }

bool stack_copy::take(const registers& at, std::uintptr_t low, std::uintptr_t high) noexcept {
  size_ = 0;
  if (at.rsp < low || at.rsp >= high || at.rsp % sizeof(std::uintptr_t) != 0) return false;
  at_ = at;
  size_ = std::min(high - at.rsp, capacity);
  const std::size_t more = std::min(red_zone, at.rsp - low);
  copy_unseen(words_ - more / sizeof(std::uintptr_t), reinterpret_cast<const void*>(at.rsp - more),
              more + size_);
  if (dirty_ > size_) std::memset(reinterpret_cast<std::byte*>(words_) + size_, 0, dirty_ - size_);
  dirty_ = size_;
  return true;
}

void stack_copy::relocate() noexcept {
  const std::uintptr_t from = at_.rsp, to = reinterpret_cast<std::uintptr_t>(words_);
  const auto move = [&](std::uintptr_t& x) {
    if (x - from + red_zone <= size_ + red_zone) x += to - from;
  };
  for (std::size_t i = 0; i < size_ / sizeof(std::uintptr_t); ++i) move(words_[i]);
  for (std::uintptr_t* x : {&at_.rsp, &at_.rbp, &at_.rbx, &at_.r12, &at_.r13, &at_.r14, &at_.r15})
    move(*x);
}

std::size_t stack_copy::walk(std::span<call_frame> out) noexcept {
  if (size_ == 0 || out.empty()) return 0;
#if defined(__x86_64__)
  relocate();
  walk_state s{at_.rsp, at_.rsp + size_, out};
  walk_guarded(at_, s);
  return s.n;
#else
  return 0;
#endif
}

std::size_t stack_copy::walk_frame_pointers(std::span<call_frame> out) const noexcept {
  if (size_ == 0 || out.empty()) return 0;
  out[0] = {at_.rip, call_frame::no_slot};
  std::size_t n = 1;
  std::uintptr_t below = 0, offset = at_.rbp - at_.rsp;
  while (n < out.size() && offset % sizeof(std::uintptr_t) == 0 && offset < size_ &&
         (n == 1 || offset > below)) {
    const auto slot = static_cast<std::uint32_t>(offset);
    const std::uintptr_t address = word(slot + sizeof(std::uintptr_t));
    if (address == 0) break;
    out[n++] = {address, slot + static_cast<std::uint32_t>(sizeof(std::uintptr_t))};
    below = offset;
    offset = word(slot) - at_.rsp;
  }
  return n;
}

}  // namespace weft::detail
