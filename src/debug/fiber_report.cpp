// SPDX-License-Identifier: BSL-1.0
// debug/fiber_report.cpp - see the header. Its calls are found as those of a dump
// (fiber_snapshot.hpp).
#include "debug/fiber_report.hpp"

#include <cstdio>

#include <weft/options.hpp>

#include "base/lock_guard.hpp"
#include "base/one_line.hpp"
#include "debug/code_location.hpp"
#include "debug/fiber_snapshot.hpp"

namespace weft::detail {
namespace {

const char* to_text(fiber_state s) noexcept {
  switch (s) {
    case fiber_state::unused:
      return "unused";
    case fiber_state::fresh:
      return "not started";
    case fiber_state::runnable:
      return "runnable";
    case fiber_state::running:
      return "running";
    case fiber_state::parking:
      return "parking";
    case fiber_state::parked:
      return "parked";
    case fiber_state::woken:
      return "woken";
    case fiber_state::dead:
      return "dead";
  }
  return "?";
}

// If no other agent waits at a channel, perhaps the other side has forgotten it.
std::string company_text(const fiber_record& f, const void* channel) {
  std::size_t others = 0;
  for_each_record([&](fiber_record& g) {
    const bool waits = fiber_word::state_of(g.word.snapshot()) == fiber_state::parked;
    others += waits && &g != &f && g.wait_object.load(std::memory_order_relaxed) == channel ? 1 : 0;
  });
  return others == 0
             ? ", where nobody else waits"
             : ", as " + std::to_string(others) + (others == 1 ? " other does" : " others do");
}

}  // namespace

std::vector<const void*> calls_of(fiber_record& f, std::uint64_t id) {
  snapshot_taker taker(true);
  fiber_snapshot l;
  std::vector<const void*> calls;
  if (!taker.look(f, l) || l.id != id || l.stack <= stack_table::too_many) return calls;
  for (const std::uintptr_t address : taker.stacks().at(l.stack))
    calls.push_back(reinterpret_cast<const void*>(address - 1));
  return calls;
}

std::string describe(fiber_record& f) {
  const fiber_state s = f.word.state();
  std::string text = "fiber " + std::to_string(f.id);
  {
    const base::lock_guard guard(f.lock);
    if (const fiber_extras* x = f.extras.load(std::memory_order_acquire))  // [REC-2]
      if (!x->name.empty()) text += " \"" + one_line(x->name) + "\"";
  }
  text += ": ";
  text += to_text(s);
  if (s == fiber_state::parked) {
    text += ", waits: ";
    text += to_text(f.reason.load(std::memory_order_relaxed));
    if (const void* const what = f.wait_object.load(std::memory_order_relaxed)) {
      char object[32];
      std::snprintf(object, sizeof object, " (%p)", what);
      text += object;
      const park_reason why = f.reason.load(std::memory_order_relaxed);
      if (why == park_reason::channel_send || why == park_reason::channel_receive)
        text += company_text(f, what);
    }
  }
  text += "\n";
  snapshot_taker taker(true);
  fiber_snapshot l;
  if (!taker.look(f, l) || l.stack <= stack_table::too_many) return text;
  for (const std::uintptr_t address : taker.stacks().at(l.stack))
    text += "      " + describe_code(reinterpret_cast<const void*>(address - 1)) + "\n";
  return text;
}

}  // namespace weft::detail

namespace weft {

namespace {
std::string in_words(const std::vector<const void*>& calls) {
  std::string text;
  for (const void* call : calls) text += "  " + detail::describe_code(call) + "\n";
  return text;
}
}  // namespace

std::string stall_report::stack() const { return in_words(calls); }
std::string unhandled_exception::stack() const { return in_words(calls); }

}  // namespace weft
