// SPDX-License-Identifier: BSL-1.0
// sync/once.cpp - the entry points of weft/once.hpp; see once_core.hpp.
#include <weft/once.hpp>

#include "sync/misuse.hpp"
#include "sync/once_core.hpp"

namespace weft::detail {

bool once_begin(once_flag& flag) {
  waiter me(park_reason::once, &flag);
  return begin_once<waiting_env>({&flag, flag.stage_, flag.runner_, flag.waiters_}, me, [&] {
    report_misuse("deadlock: " + agent_name(me.self) +
                  " calls call_once from within the call, with the same flag");
  });
}

void once_end(once_flag& flag, once_stage result) noexcept {
  end_once<waiting_env>({&flag, flag.stage_, flag.runner_, flag.waiters_}, result);
}

}  // namespace weft::detail
