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

#include "base/signed_address.hpp"
#include "debug/link_register.hpp"
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
#elif defined(__aarch64__)
// The same: X19 holds the structure (0x83: X19 plus an offset; two bytes of offset where it needs
// them). What the walked function returns to is X30, and where it stands is not: so the return
// address of this frame is said to be in a column of its own, that of X17, which no call preserves.
asm(R"(
  .text
  .p2align 4
  .globl weft_walk_from
  .hidden weft_walk_from
  .type weft_walk_from, @function
weft_walk_from:
  .cfi_startproc
  .cfi_return_column 17
  .cfi_register 17, 30
  stp x29, x30, [sp, -32]!
  .cfi_adjust_cfa_offset 32
  .cfi_rel_offset 29, 0
  .cfi_rel_offset 30, 8
  .cfi_rel_offset 17, 8
  str x19, [sp, 16]
  .cfi_rel_offset 19, 16
  mov x29, sp
  mov x19, x0
  .cfi_remember_state
  .cfi_escape 0x0f, 3, 0x83, 8, 0x06
  .cfi_escape 0x10, 17, 2, 0x83, 0
  .cfi_escape 0x10, 29, 2, 0x83, 16
  .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9
  .cfi_escape 0x10, 19 + \n, 3, 0x83, 0x80 | ((24 + 8 * \n) & 0x7f), 0
  .endr
  .cfi_escape 0x10, 30, 3, 0x83, 0x80 | 104, 0
  mov x0, x2
  blr x1
  .cfi_restore_state
  ldr x19, [sp, 16]
  .cfi_restore 19
  ldp x29, x30, [sp], 32
  .cfi_adjust_cfa_offset -32
  .cfi_restore 29
  .cfi_restore 30
  .cfi_register 17, 30
  ret
  .cfi_endproc
  .size weft_walk_from, . - weft_walk_from
)");
#endif
extern "C" void weft_walk_from(const weft::detail::registers* from, void (*walk)(void*),
                               void* argument);

namespace weft::detail {
namespace {

struct walk_state {
  std::uintptr_t begin, end;  // of the copy
  std::span<call_frame> out;
  std::size_t n = 0;
  std::uintptr_t sp = 0, fp = 0;  // of the frame before
};

#if defined(__x86_64__)
// Below the caller's stack pointer.
std::uint32_t slot_of(const walk_state& s, _Unwind_Context*, std::uintptr_t, std::uintptr_t sp) {
  return static_cast<std::uint32_t>(sp - sizeof(std::uintptr_t) - s.begin);
}
#else
// Somewhere in the callee's frame: in its frame record if it has one, or else where it can only be.
std::uint32_t slot_of(walk_state& s, _Unwind_Context* frame, std::uintptr_t address,
                      std::uintptr_t sp) {
  constexpr int x29 = 29;
  constexpr std::uintptr_t word = sizeof(std::uintptr_t);
  const std::uintptr_t from = s.sp, to = sp, record = s.fp;
  s.sp = sp;
  s.fp = static_cast<std::uintptr_t>(_Unwind_GetGR(frame, x29));
  if (s.n == 0) return call_frame::no_slot;
  const auto is_at = [&](std::uintptr_t at) {
    return without_signature(*reinterpret_cast<const std::uintptr_t*>(at)) == address;
  };
  const auto slot = [&](std::uintptr_t at) { return static_cast<std::uint32_t>(at - s.begin); };
  if (record % word == 0 && record >= from && record < to && to - record >= 2 * word &&
      is_at(record + word))
    return slot(record + word);
  std::uint32_t found = call_frame::no_slot;
  for (std::uintptr_t at = from; at + word <= to; at += word) {
    if (!is_at(at)) continue;
    if (found != call_frame::no_slot) return call_frame::no_slot;
    found = slot(at);
  }
  return found;
}
#endif

_Unwind_Reason_Code on_frame(_Unwind_Context* frame, void* data) {
  auto& s = *static_cast<walk_state*>(data);
  const std::uintptr_t stack_pointer = _Unwind_GetCFA(frame);
  const bool on_copy = stack_pointer >= s.begin && stack_pointer <= s.end;
  if (!on_copy) return s.n == 0 ? _URC_NO_REASON : _URC_END_OF_STACK;  // before it: our own frames
  const std::uintptr_t address = _Unwind_GetIP(frame);
  if (address == 0 || s.n == s.out.size()) return _URC_END_OF_STACK;
  const std::uint32_t slot = slot_of(s, frame, address, stack_pointer);
  s.out[s.n] = {address, s.n == 0 ? call_frame::no_slot : slot};
  ++s.n;
  return _URC_NO_REASON;
}

void walk_it(void* state) { _Unwind_Backtrace(&on_frame, state); }

// Set while this thread walks. It neither parks nor is preempted meanwhile, because the report
// holds a lock (runtimes_held). initial-exec: the handler reads it, and must not allocate, as a
// dlopened library does at the first touch of another model's.
[[gnu::tls_model("initial-exec")]] constinit thread_local sigjmp_buf* volatile way_out = nullptr;

bool on_fault(int, siginfo_t* info, void*) {
  if (way_out == nullptr || info->si_code <= 0) return false;
  siglongjmp(*way_out, 1);  // the unwinder holds nothing
}

// What was found before a fault is in `state`, which is not of this frame.
[[gnu::noinline]] void walk_guarded(const registers& from, walk_state& state) {
  sigjmp_buf env;
  if (sigsetjmp(env, 1) == 0) {
    way_out = &env;
    weft_walk_from(&from, &walk_it, &state);
  }
  way_out = nullptr;
}

// aarch64's processors may raise SIGILL for a signed return address that is not at its place.
#if defined(__x86_64__)
constexpr int faults_of_a_walk[] = {SIGSEGV, SIGBUS};
#else
constexpr int faults_of_a_walk[] = {SIGSEGV, SIGBUS, SIGILL};
#endif

}  // namespace

void guard_stack_walks() noexcept {
  for (const int signal : faults_of_a_walk)
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
  if (at.sp < low || at.sp >= high || at.sp % sizeof(std::uintptr_t) != 0) return false;
  at_ = at;
  size_ = std::min(high - at.sp, capacity);
  const std::size_t more = std::min(red_zone, at.sp - low);
  copy_unseen(words_ - more / sizeof(std::uintptr_t), reinterpret_cast<const void*>(at.sp - more),
              more + size_);
  if (dirty_ > size_) std::memset(reinterpret_cast<std::byte*>(words_) + size_, 0, dirty_ - size_);
  dirty_ = size_;
  return true;
}

void stack_copy::relocate() noexcept {
  const std::uintptr_t from = at_.sp, to = reinterpret_cast<std::uintptr_t>(words_);
  const auto move = [&](std::uintptr_t& x) {
    if (x - from + red_zone <= size_ + red_zone) x += to - from;
  };
  for (std::size_t i = 0; i < size_ / sizeof(std::uintptr_t); ++i) move(words_[i]);
  move(at_.sp);
  move(at_.fp);
  for (std::uintptr_t& x : at_.preserved) move(x);
}

std::size_t stack_copy::walk(std::span<call_frame> out) noexcept {
  if (size_ == 0 || out.empty()) return 0;
  if (has_signed_addresses()) return walk_frame_pointers(out);
  relocate();
  walk_state s{at_.sp, at_.sp + size_, out};
  walk_guarded(at_, s);
  return s.n;
}

// `visit(slot, address)`, from the innermost on, while it returns true: the return addresses along
// the frame pointers, as they stand there. On both machines a frame pointer points to a pair: the
// one of the caller, and the return address.
template <class Visit>
void stack_copy::for_each_frame_record(Visit&& visit) const {
  std::uintptr_t below = 0, offset = at_.fp - at_.sp;
  for (bool first = true;
       offset % sizeof(std::uintptr_t) == 0 && offset < size_ && (first || offset > below);
       first = false) {
    const auto slot = static_cast<std::uint32_t>(offset);
    const std::uintptr_t address = word(slot + sizeof(std::uintptr_t));
    if (address == 0 || !visit(slot + static_cast<std::uint32_t>(sizeof(std::uintptr_t)), address))
      break;
    below = offset;
    offset = word(slot) - at_.sp;
  }
}

bool stack_copy::has_signed_addresses() const noexcept {
  const auto is_signed = [](std::uintptr_t x) { return x != without_signature(x); };
  bool any = is_signed(at_.link());
  if (registers::has_link)
    for_each_frame_record([&](std::uint32_t, std::uintptr_t address) {
      any = any || is_signed(address);
      return !any;
    });
  return any;
}

std::size_t stack_copy::walk_frame_pointers(std::span<call_frame> out) const noexcept {
  if (size_ == 0 || out.empty()) return 0;
  out[0] = {at_.pc, call_frame::no_slot};
  std::size_t n = 1;
  std::uintptr_t recorded = 0;
  for_each_frame_record([&](std::uint32_t, std::uintptr_t address) {
    recorded = without_signature(address);
    return false;
  });
  if (n < out.size() && returns_to_link(at_.pc - 1, at_.link(), recorded))
    out[n++] = {without_signature(at_.link()), call_frame::no_slot};
  for_each_frame_record([&](std::uint32_t slot, std::uintptr_t address) {
    if (n == out.size()) return false;
    out[n++] = {without_signature(address), slot};
    return true;
  });
  return n;
}

}  // namespace weft::detail
