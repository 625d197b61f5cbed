// SPDX-License-Identifier: BSL-1.0
// sync/misuse.cpp - the texts, and the stack of the caller.
#include "sync/misuse.hpp"

#include <cstdio>
#include <cstdlib>

#include <execinfo.h>

#include <weft/future.hpp>

#include "base/lock_guard.hpp"
#include "base/one_line.hpp"
#include "os/os.hpp"
#include "sched/hooks.hpp"
#include "sync/lock_history.hpp"
#include "sync/waiting.hpp"

namespace weft::detail {

std::string agent_name(fiber_record& r) {
  constexpr std::uint64_t thread_bit = std::uint64_t{1} << 63;
  if ((r.id & thread_bit) != 0) return "thread " + std::to_string(r.id & ~thread_bit);
  std::string text = "fiber " + std::to_string(r.id);
  const base::lock_guard guard(r.lock);
  const fiber_extras* x = r.extras.load(std::memory_order_acquire);  // [REC-2]
  if (x != nullptr && !x->name.empty()) text += " \"" + one_line(x->name) + "\"";
  return text;
}

namespace {

void write_calls(const char* title, const void* const* frames, std::size_t n) {
  std::string text = std::string("weft: ") + title + "\n";
  for (std::size_t i = 0; i < n; ++i) text += "      " + upper.describe_code(frames[i]) + "\n";
  os::write_stderr(text);
}

void write_own_calls(const std::string& what) {
  os::write_stderr("weft: " + what + "\n");
  void* calls[64];
  const int n = ::backtrace(calls, 64);
  write_calls("it came here by", calls, static_cast<std::size_t>(n));
}

}  // namespace

void report_misuse(const std::string& what) noexcept {
  write_own_calls(what);
  std::abort();
}

void report_misuse(const std::string& what, const char* locked_by, const void* mutex,
                   const void* locked_at) noexcept {
  write_own_calls(what);
  const lock_calls calls = calls_that_locked(mutex);
  if (calls.count != 0)
    write_calls(locked_by, calls.frames.data(), calls.count);
  else if (locked_at != nullptr)
    write_calls(locked_by, &locked_at, 1);
  std::abort();
}

void destroyed_while_waited_for(const wait_list& list) noexcept {
  std::string who;
  const char* what = "object";
  const void* object = nullptr;
  int n = 0;
  {
    // The object is about to go: no other agent can be kept from touching it any more, so the list
    // is read as it is.
    for (const wait_link* l = list.head.next; l != &list.head && n < 16; l = l->next) {
      const waiter& w = static_cast<const waiter&>(*l);
      if (is_left_behind(w.self)) continue;  // it never comes back
      what = to_text(w.reason);
      object = w.object;
      who += (n++ == 0 ? " " : ", ") + agent_name(w.self);
    }
  }
  if (n == 0) return;
  char where[32];
  std::snprintf(where, sizeof where, " %p", object);
  report_misuse(std::string(what) + where + " is destroyed while somebody waits for it:" + who +
                (n == 16 ? " and perhaps more" : ""));
}

void async_drops_its_own_future() noexcept {
  report_misuse("the function of weft::async, in " + agent_name(this_agent()) +
                ", destroys the last future of its result: it would wait for itself");
}

}  // namespace weft::detail
