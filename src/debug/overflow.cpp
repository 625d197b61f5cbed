// SPDX-License-Identifier: BSL-1.0
// debug/overflow.cpp - the stack overflow report.
//
//   fault   SIGSEGV, or SIGBUS if the guard is a userfaultfd marker (os/guards.cpp)
//           1 is the address in a guard page?
//           2 of the very stack this worker is on, and is the stack pointer down there?
//           3 report   4 abort; if an answer is no: the handlers that were there before
//
// It runs on the worker's alternate stack (lifecycle.cpp). The overflow may have struck inside
// malloc: so it makes no allocation and uses no stdio, and names stay mangled. The important words
// are written before the stack is walked. libgcc's unwinder makes the walk: it knows the faulting
// frame by its tables, with or without frame pointers, takes no lock (_dl_find_object), and ends at
// fiber_entry.
// Rejected: walking frame pointers (applications are compiled without them); unwinding in another
// thread.
#include "debug/overflow.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include "base/one_line.hpp"
#include "base/sanitizers.hpp"
#include "base/utf8.hpp"
#include "debug/code_location.hpp"
#include "fiber/stack_slab.hpp"
#include "os/os.hpp"
#include "os/signal_context.hpp"
#include "sched/scheduler.hpp"
#include "sched/stack_check.hpp"
#include "sched/worker.hpp"
#include "trace/session.hpp"

namespace weft::detail {
namespace {

// One line, cut where it is full.
class line {
 public:
  line& operator<<(std::string_view text) noexcept {
    const std::size_t n = std::min(text.size(), sizeof text_ - used_);
    std::memcpy(text_ + used_, text.data(), n);
    used_ += n;
    return *this;
  }
  line& operator<<(std::uint64_t number) noexcept { return add(number, 10); }
  /// As base/one_line.hpp, but without memory.
  line& name(std::string_view text) noexcept {
    constexpr std::size_t longest = 200;  // the rest of the line has room
    const bool cut = text.size() > longest;
    text = without_half_character(text.substr(0, longest));
    while (!text.empty()) {
      const std::size_t length = shown_as_it_is(text);
      if (length != 0)
        *this << text.substr(0, length);
      else
        add_byte(static_cast<unsigned char>(text[0]));
      text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return cut ? *this << "..." : *this;
  }
  line& hex(std::uint64_t number) noexcept { return (*this << "0x").add(number, 16); }
  void write() const noexcept { os::write_stderr({text_, used_}); }

 private:
  void add_byte(std::uint8_t byte) noexcept {
    (*this << "\\x" << (byte < 0x10 ? "0" : "")).add(byte, 16);
  }
  line& add(std::uint64_t number, int base) noexcept {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, number, base).ptr;
    return *this << std::string_view(digits, static_cast<std::size_t>(end - digits));
  }
  char text_[1024];
  std::size_t used_ = 0;
};

struct fault_site {
  std::uintptr_t instruction, stack_pointer;
};

fault_site place_of(const void* context) noexcept {
  const mcontext_t& at = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return {static_cast<std::uintptr_t>(at.gregs[REG_RIP]),
          static_cast<std::uintptr_t>(at.gregs[REG_RSP])};
#elif defined(__aarch64__)
  return {at.pc, at.sp};
#else
#error "weft: overflow.cpp does not know where this architecture keeps its stack pointer"
#endif
}

const fiber_record& owner_of_stack(const fiber_record& f) noexcept {
  const fiber_record* on = &f;
  while (on->has(fiber_record::inlined)) on = on->outer;
  return *on;
}

// `current` is set a moment before the jump to it: until then the stack is that of the fiber that
// is left.
const fiber_record* fiber_on(const worker& w, const stack_ref& stack) noexcept {
  for (const fiber_record* f :
       {static_cast<const fiber_record*>(w.current), static_cast<const fiber_record*>(w.left)})
    if (f != nullptr && owner_of_stack(*f).stack_limit == stack.limit) return f;
  return nullptr;
}

line& operator<<(line& out, const fiber_record& f) noexcept {
  out << "fiber " << f.id;
  const fiber_extras* x = f.extras.load(std::memory_order_acquire);  // [REC-2]
  if (x != nullptr && !x->name.empty()) (out << " \"").name(x->name) << "\"";
  return out;
}

void write_verdict(const fiber_record& f, const stack_ref& stack) noexcept {
  const std::uint64_t kib = (stack.size + os::page_size()) / 1024;
  const fiber_record& owner = owner_of_stack(f);
  line out;
  out << "weft: stack overflow in " << f;
  if (&owner == &f) {
    out << ": it has used up its stack of " << kib
        << " KiB. Raise attributes::stack_size where it is spawned";
  } else {
    out << ", which runs inline on the stack of " << owner << ", its joiner: that stack of " << kib
        << " KiB is used up. Raise attributes::stack_size where either is spawned";
  }
  (out << ", or options::stack_size for all fibers of runtime \"").name(f.home->settings().name)
      << "\", to " << 2 * kib << " * 1024 or more; or go less deep.\n";
  out.write();
}

// The first calls from the fault on, the last before the fiber's start, and the number between.
struct call_trace {
  static constexpr std::size_t most_inner = 16, most_outer = 8, most_walked = 200'000;
  std::uintptr_t fault;
  bool seen_fault = false;
  std::size_t walked = 0;
  std::uintptr_t inner[most_inner]{}, outer[most_outer]{};
};

_Unwind_Reason_Code on_frame(_Unwind_Context* frame, void* data) {
  auto& t = *static_cast<call_trace*>(data);
  int before_instruction = 0;
  std::uintptr_t at = _Unwind_GetIPInfo(frame, &before_instruction);
  if (at == 0) return _URC_END_OF_STACK;
  t.seen_fault = t.seen_fault || at == t.fault;
  if (!t.seen_fault) return _URC_NO_REASON;  // the handler's own frames
  if (before_instruction == 0) --at;         // a return address: into the call
  if (t.walked < call_trace::most_inner)
    t.inner[t.walked] = at;
  else
    t.outer[t.walked % call_trace::most_outer] = at;
  return ++t.walked < call_trace::most_walked ? _URC_NO_REASON : _URC_END_OF_STACK;
}

void write_frame(std::uintptr_t address) noexcept {
  line out;
  (out << "      ").hex(address);
  const code_location at = locate(reinterpret_cast<const void*>(address));
  if (at.function[0] != '\0') (out << " " << at.function << "+").hex(at.offset_in_function);
  if (at.module != nullptr) (out << " (" << at.module << "+").hex(at.offset_in_module) << ")";
  out << "\n";
  out.write();
}

void write_calls(std::uintptr_t fault) noexcept {
  call_trace t{.fault = fault};
  _Unwind_Backtrace(&on_frame, &t);
  os::write_stderr(
      "weft: its calls, innermost first (c++filt reads the names, addr2line -Cfe the offsets):\n");
  if (t.walked == 0) {  // no unwind tables where it struck
    write_frame(fault);
    return;
  }
  std::size_t i = 0;
  for (; i < t.walked && i < call_trace::most_inner; ++i) write_frame(t.inner[i]);
  if (t.walked - i > call_trace::most_outer) {
    const std::size_t skipped = t.walked - i - call_trace::most_outer;
    line out;
    out << "      ... " << skipped << (t.walked < call_trace::most_walked ? "" : " and more")
        << " calls ...\n";
    out.write();
    i += skipped;
  }
  for (; i < t.walked; ++i) write_frame(t.outer[i % call_trace::most_outer]);
}

[[noreturn]] void report(const fiber_record& f, const stack_ref& stack,
                         std::uintptr_t from) noexcept {
  static std::atomic_flag reporting;
  // relaxed: the flag guards the text on stderr only. The second one waits for the end the first
  // one brings.
  while (reporting.test_and_set(std::memory_order_relaxed)) pause();
  write_verdict(f, stack);
  if (const stack_slab* slab = slab_of(stack.limit); slab != nullptr && slab->red_zone != 0)
    os::write_stderr(
        "weft: that stack has no guard page (options::stack_guard), so memory below it may have "
        "been overwritten since.\n");
  write_calls(from);
  trace::write_last_words();
  // The application's handler would run on this stack and might not come back.
  struct sigaction standard{};
  standard.sa_handler = SIG_DFL;
  sigaction(SIGABRT, &standard, nullptr);
  std::abort();
}

// The monitor has found the thread's fiber beyond its stack, a moment ago.
bool on_nudge(const void* context) noexcept {
  const worker* w = this_worker();
  const fiber_record* f = w != nullptr ? w->current : nullptr;
  if (f == nullptr || f->stack_limit == nullptr || !ran_off(f->stack_limit)) return true;
  const fiber_record& owner = owner_of_stack(*f);
  report(*f, {owner.stack_limit, slot_size(owner.stack) - os::page_size()},
         os::interrupted(context).instruction);
}

bool on_fault(int, siginfo_t* info, void* context) {
  if (os::is_own_signal(info)) return on_nudge(context);
  if (os::may_be_own_signal(info) && stacks_are_checked.load(std::memory_order_relaxed))
    on_nudge(context);
  stack_ref stack;
  if (info->si_code <= 0 || !is_guard(info->si_addr, stack)) return false;
  const worker* w = this_worker();
  if (w == nullptr) return false;
  const fiber_record* f = fiber_on(*w, stack);
  // A red zone below the stack pointer still belongs to the stack; an address further away was
  // reached by a pointer. It was also a pointer if the stack pointer is not near this stack at all,
  // but on one that the application made.
  constexpr std::uintptr_t red_zone = 256;
  const fault_site at = place_of(context);
  const std::uintptr_t lowest =
      reinterpret_cast<std::uintptr_t>(stack.limit) - std::bit_ceil(stack.size);
  if (f == nullptr || at.stack_pointer - lowest >= std::bit_ceil(stack.size) + red_zone)
    return false;

  report(*f, stack, at.instruction);
}

}  // namespace

// For stacks without a guard page, by the fiber itself.
[[gnu::noinline]] void report_overflow(const fiber_record& f) noexcept {
  const fiber_record& owner = owner_of_stack(f);
  report(f, {owner.stack_limit, slot_size(owner.stack) - os::page_size()},
         reinterpret_cast<std::uintptr_t>(__builtin_return_address(0)));
}

void install_overflow_report() noexcept {
  if constexpr (WEFT_ASAN) return;
  [[maybe_unused]] static const bool once = [] {
    // The unwinder initialises itself on first use, which must not be in the handler.
    call_trace t{.fault = 0};
    _Unwind_Backtrace(&on_frame, &t);
    for (const int signal : {SIGSEGV, SIGBUS})
      static_cast<void>(os::install_signal_handler(signal, &on_fault));
    return true;
  }();
}

}  // namespace weft::detail
