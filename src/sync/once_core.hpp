// SPDX-License-Identifier: BSL-1.0
#pragma once
// sync/once_core.hpp - one caller runs the function, the others wait.
//   ONCE-1  a reader of `done` sees what the call did.
//   ONCE-2  at most one runs. When a call fails, one waiter is given the flag as it is, running: it
//           tries next.
//   ONCE-3  after `done` is stored, nothing of the flag is touched.

#include <weft/once.hpp>

#include "sync/waiting.hpp"

namespace weft::detail {

/// A once_flag's parts.
template <class Env>
struct once_parts {
  const void* flag;  // selects the lock
  typename Env::template atomic<once_stage>& stage;
  typename Env::template atomic<void*>& runner;
  typename Env::wait_list& waiters;
};

/// Returns true if the caller is to run the function, and then to call end_once. `from_within()` is
/// called, without the guard, if the caller is the one that runs it already; it does not return.
template <class Env, class FromWithin>
[[nodiscard]] bool begin_once(const once_parts<Env>& f, typename Env::waiter& me,
                              FromWithin&& from_within) {
  typename Env::guard g(f.flag);
  const once_stage s = f.stage.load(std::memory_order_relaxed);  // the guard's
  if (s == once_stage::done) return false;
  if (s == once_stage::running) {
    if (f.runner.load(std::memory_order_relaxed) == &me.self) {
      g.unlock();
      from_within();
    }
    push_back(f.waiters, me);
    Env::park(g, me, {});
    if (!me.given) return false;
  }
  f.runner.store(&me.self, std::memory_order_relaxed);  // the guard's, or given with it
  f.stage.store(once_stage::running, std::memory_order_relaxed);
  return true;
}

template <class Env>
void end_once(const once_parts<Env>& f, once_stage result) noexcept {
  typename Env::wait_list local;
  typename Env::wake_list out;
  typename Env::guard g(f.flag);
  f.runner.store(nullptr, std::memory_order_relaxed);
  if (result == once_stage::idle) {
    // A waiter has no deadline and no token. But its runtime may have left it behind: the claim
    // fails then, and the next one is tried.
    while (auto* const next = pop_front<typename Env::waiter>(f.waiters)) {
      next->given = true;  // ONCE-2
      if (out.claim(*next)) return;
    }
    f.stage.store(once_stage::idle, std::memory_order_relaxed);
    return;
  }
  splice_back(local, f.waiters);
  f.stage.store(once_stage::done, std::memory_order_release);  // ONCE-3; [ONCE-1] call_once
  wake_all<Env>(g, out, local);
}

}  // namespace weft::detail
