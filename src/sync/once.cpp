// SPDX-License-Identifier: BSL-1.0
// sync/once.cpp - one caller runs the function, the others wait.
//   ONCE-1  a reader of `done` sees what the call did.
//   ONCE-2  at most one runs. When a call fails, one waiter is given the flag as it is, running: it
//           tries next.
#include <weft/once.hpp>

#include "sync/misuse.hpp"
#include "sync/waiting.hpp"

namespace weft::detail {

bool once_begin(once_flag& flag) {
  waiter me(park_reason::once, &flag);
  waiting_guard g(&flag);
  const once_stage s = flag.stage_.load(std::memory_order_acquire);  // [ONCE-1]
  if (s == once_stage::done) return false;
  if (s == once_stage::running) {
    if (flag.runner_.load(std::memory_order_relaxed) == &me.self) {
      g.unlock();
      report_misuse("deadlock: " + agent_name(me.self) +
                    " calls call_once from within the call, with the same flag");
    }
    push_back(flag.waiters_, me);
    waiting_env::park(g, me, {});
    if (!me.given) return false;
  }
  flag.runner_.store(&me.self, std::memory_order_relaxed);  // the guard's, or given with it
  flag.stage_.store(once_stage::running, std::memory_order_relaxed);
  return true;
}

void once_end(once_flag& flag, once_stage result) noexcept {
  wait_list local;
  wake_list out;
  waiting_guard g(&flag);
  flag.runner_.store(nullptr, std::memory_order_relaxed);
  if (result == once_stage::idle) {
    if (waiter* next = pop_front<waiter>(flag.waiters_)) {  // cannot give up: no deadline, no token
      next->given = true;                                   // ONCE-2
      out.claim(*next);
    } else {
      flag.stage_.store(once_stage::idle, std::memory_order_relaxed);
    }
    return;
  }
  splice_back(local, flag.waiters_);
  flag.stage_.store(once_stage::done, std::memory_order_release);  // [ONCE-1] call_once
  wake_all<waiting_env>(g, out, local);
}

}  // namespace weft::detail
