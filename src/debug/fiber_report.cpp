// SPDX-License-Identifier: BSL-1.0
// debug/fiber_report.cpp - see the header. The stack of a fiber at rest is walked from its saved context along the frame
// pointers; every step must stay within the stack and go up, so a frame without one ends the walk, never the
// process.
#include "debug/fiber_report.hpp"

#include <cstdio>
#include <mutex>

#include "debug/code_location.hpp"
#include "os/os.hpp"

namespace weft::detail {
namespace {

const char* to_text(fiber_state s) noexcept {
  switch (s) {
    case fiber_state::unused: return "unused";
    case fiber_state::fresh: return "not started";
    case fiber_state::runnable: return "runnable";
    case fiber_state::running: return "running";
    case fiber_state::parking: return "parking";
    case fiber_state::parked: return "parked";
    case fiber_state::woken: return "woken";
    case fiber_state::dead: return "dead";
  }
  return "?";
}

}  // namespace

std::size_t walk_stack(const fiber_record& f, void** frames, std::size_t most) noexcept {
  std::size_t n = 0;
#if defined(__x86_64__)
  // What jump_fcontext pushes: MXCSR and control word, R12 to R15, RBX, RBP, return address.
  constexpr std::size_t saved_rbp = 6, saved_rip = 7;
  const auto* saved = static_cast<void* const*>(f.context);
  if (saved == nullptr || f.stack_limit == nullptr) return 0;
  const fiber_record* on = &f;
  while (on->has(fiber_record::inlined)) on = on->outer;
  const auto low = reinterpret_cast<std::uintptr_t>(on->stack_limit);
  const std::uintptr_t high = low + slot_size(on->stack) - os::page_size();
  if (n < most) frames[n++] = saved[saved_rip];
  auto frame = reinterpret_cast<std::uintptr_t>(saved[saved_rbp]);
  std::uintptr_t below = reinterpret_cast<std::uintptr_t>(saved);
  while (n < most && frame > below && frame >= low && frame + 16 <= high && frame % 8 == 0) {
    void* const* at = reinterpret_cast<void* const*>(frame);
    if (at[1] == nullptr) break;
    frames[n++] = at[1];
    below = frame;
    frame = reinterpret_cast<std::uintptr_t>(at[0]);
  }
#else
  static_cast<void>(f), static_cast<void>(frames), static_cast<void>(most);
#endif
  return n;
}

std::string describe(fiber_record& f) {
  const fiber_state s = f.word.state();
  std::string text = "fiber " + std::to_string(f.id);
  {
    const std::lock_guard guard(f.lock);
    if (const fiber_extras* x = f.extras.load(std::memory_order_acquire))  // [REC-2]
      if (!x->name.empty()) text += " \"" + x->name + "\"";
  }
  text += ": ";
  text += to_text(s);
  const bool at_rest = s == fiber_state::parked || s == fiber_state::runnable;
  if (s == fiber_state::parked) {
    text += ", waits: ";
    text += to_text(f.reason.load(std::memory_order_relaxed));
    if (const void* const what = f.wait_object.load(std::memory_order_relaxed)) {
      char object[32];
      std::snprintf(object, sizeof object, " (%p)", what);
      text += object;
    }
  }
  text += "\n";
  if (!at_rest) return text;
  void* frames[32];
  const std::size_t n = walk_stack(f, frames, 32);
  for (std::size_t i = 0; i < n; ++i) text += "      " + describe_code(frames[i]) + "\n";
  return text;
}

}  // namespace weft::detail
