// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/stack_check.hpp - when stacks without a guard page are checked (fiber/stack_check.hpp says
// how), and where it is reported.
//
//   ends           look_at_end, before its result is published
//   parks          by `before_park`, which is set when the first such stack is taken; only with
//                  less than a quarter left
//   runs           the monitor, each time it finds a fiber running that it found running before; it
//                  has the thread itself report, by a signal, since only that can show the calls
// While there are none, it costs a load for each fiber that ends and for each stack that is taken.

#include "fiber/stack_check.hpp"
#include "sched/worker.hpp"

namespace weft::detail {

/// On the fiber's stack, inside weft.
[[gnu::noinline, gnu::cold]] void look_at_end(const fiber_record& f) noexcept;
[[gnu::noinline, gnu::cold]] void look_at_parks() noexcept;
/// By the monitor.
[[gnu::noinline, gnu::cold]] void snapshot_running(processor& p, worker& w) noexcept;

}  // namespace weft::detail
