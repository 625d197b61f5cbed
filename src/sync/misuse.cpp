// SPDX-License-Identifier: BSL-1.0
// sync/misuse.cpp - the texts, and the stack of the caller.
#include "sync/misuse.hpp"

#include <cstdio>
#include <cstdlib>
#include <mutex>

#include <execinfo.h>
#include <unistd.h>

#include "os/os.hpp"
#include "sync/waiting.hpp"

namespace weft::detail {

std::string strand_name(fiber_record& r) {
  constexpr std::uint64_t thread_bit = std::uint64_t{1} << 63;
  if ((r.id & thread_bit) != 0) return "thread " + std::to_string(r.id & ~thread_bit);
  std::string text = "fiber " + std::to_string(r.id);
  const std::lock_guard guard(r.lock);
  const fiber_extras* x = r.extras.load(std::memory_order_acquire);  // [REC-2]
  if (x != nullptr && !x->name.empty()) text += " \"" + x->name + "\"";
  return text;
}

void report_misuse(const std::string& what, const void* elsewhere,
                   const char* elsewhere_is) noexcept {
  os::write_stderr("weft: " + what + "\nweft: it came here by\n");
  void* calls[64];
  const int n = ::backtrace(calls, 64);
  ::backtrace_symbols_fd(calls, n, STDERR_FILENO);
  if (elsewhere != nullptr) {
    os::write_stderr(std::string("weft: ") + elsewhere_is + "\n");
    void* const one[] = {const_cast<void*>(elsewhere)};
    ::backtrace_symbols_fd(one, 1, STDERR_FILENO);
  }
  std::abort();
}

void destroyed_while_waited_for(const wait_list& list) noexcept {
  std::string who;
  const char* what = "object";
  const void* object = nullptr;
  int n = 0;
  {
    // The object is about to go: nobody can be stopped from touching it any more, so the list is
    // read as it is.
    for (const wait_link* l = list.head.next; l != &list.head && n < 16; l = l->next, ++n) {
      const waiter& w = static_cast<const waiter&>(*l);
      what = to_text(w.reason);
      object = w.object;
      who += (n == 0 ? " " : ", ") + strand_name(w.self);
    }
  }
  char where[32];
  std::snprintf(where, sizeof where, " %p", object);
  report_misuse(std::string(what) + where + " is destroyed while somebody waits for it:" + who +
                (n == 16 ? " and perhaps more" : ""));
}

}  // namespace weft::detail
