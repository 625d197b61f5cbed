// SPDX-License-Identifier: BSL-1.0
// api/hooks.cpp - what the lower layers ask of the ones above them.
#include "sched/hooks.hpp"

#include "api/end_of_fiber.hpp"
#include "api/runtime_access.hpp"
#include "debug/code_location.hpp"
#include "debug/deadlock_report.hpp"
#include "debug/fiber_report.hpp"
#include "debug/inspect.hpp"
#include "debug/overflow.hpp"
#include "sync/mutex_core.hpp"
#include "watch/runtime_watch.hpp"

namespace weft::detail {

constinit const upper_layers upper{
    .drop_locals = &drop_locals,
    .finish_rare = &finish_rare,
    .dispose_result = &dispose_result,
    .pass_on_mutex = &pass_on_mutex,
    .default_scheduler = &default_scheduler,
    .watch = [](scheduler& s) -> std::unique_ptr<watcher> {
      return std::make_unique<runtime_watch>(s);
    },
    .describe_fiber = &describe,
    .describe_code = &describe_code,
    .calls_of = &calls_of,
    .check_for_deadlock = &check_for_deadlock,
    .answer_tool_requests = &answer_tool_requests,
    .report_overflow = &report_overflow,
};

}  // namespace weft::detail
