// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/hooks.hpp - what the lower layers ask of the ones above: one table, which src/api fills.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fiber/record.hpp"
#include "sched/watcher.hpp"

namespace weft::detail {

class scheduler;

struct upper_layers {
  // ---- the end of a fiber, outside weft (src/api)
  void (*drop_locals)(fiber_record& f) noexcept;  // it has extras
  /// Everything of the user's that must run before the result is published: fiber-local values, the
  /// scope's count; a result or an error that can no longer be taken.
  void (*finish_rare)(fiber_record& f) noexcept;
  /// Destroys the result and reports the error of a detached fiber that has ended.
  void (*dispose_result)(fiber_record& f) noexcept;

  /// A fiber that was woken for this mutex, or given it, never runs: the next waiter has its turn
  /// (src/sync).
  void (*pass_on_mutex)(const void* mutex) noexcept;

  /// That of the default runtime, for callers without one. Made on first use, never shut down
  /// (src/api).
  scheduler& (*default_scheduler)();
  /// The watch of a runtime, before its threads start (src/watch). Throws std::system_error.
  std::unique_ptr<watcher> (*watch)(scheduler& s);

  // ---- reports (src/debug)
  std::string (*describe_fiber)(fiber_record& f);
  std::string (*describe_code)(const void* address);
  /// The calls of the fiber in that record, if it is still the one with this id; may allocate and
  /// block.
  std::vector<const void*> (*calls_of)(fiber_record& f, std::uint64_t id);
  /// Looks whether fibers of an idle runtime can ever run again; on the service thread.
  void (*check_for_deadlock)(scheduler& s);
  /// Tools that have asked something; on the service thread; quick, for the runtime's threads wait
  /// for it.
  void (*answer_tool_requests)() noexcept;
  /// The calling fiber has run off its stack: reports that, and ends the process.
  void (*report_overflow)(const fiber_record& f) noexcept;
};
extern const upper_layers upper;  // api/hooks.cpp

}  // namespace weft::detail
