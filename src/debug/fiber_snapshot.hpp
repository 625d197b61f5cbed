// SPDX-License-Identifier: BSL-1.0
#pragma once
// debug/fiber_snapshot.hpp - one fiber as it is now, read by a thread that the fiber does not know.
//
//   SNAPSHOT-1  what is reported of a parked fiber, its stack included, was true at one moment: its
//               word says `parked` with an epoch, then all of it is read, then the word is the
//               same. Each park has an epoch of its own, so the fiber has not moved between.
//               Records and stacks are never unmapped, so reading them is safe whatever their fiber
//               does. If the word has changed, it is read again, and after a few times the fiber
//               counts as running.
//
// A runnable fiber may run and be runnable again under the same word: its stack is walked as one
// that moves. A running fiber is found by its worker: frozen (FROZEN-1), asked by a signal
// (running_snapshot.hpp), or not disturbed.

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "debug/stack_table.hpp"
#include "fiber/record.hpp"
#include "sched/scheduler.hpp"

namespace weft::detail {

enum class fiber_position : std::uint8_t {
  parked,
  runnable,   // in some queue, its stack at rest
  fresh,      // not started
  computing,  // its thread runs
  blocked,    // its thread sleeps in the kernel
  frozen,     // preempted with its thread
  crashed,    // a fatal signal struck it
  lending,    // its stack is used by a fiber it joins, which runs inline there
  moving,     // between two of these when it was looked at
};

struct fiber_snapshot {
  fiber_record* record = nullptr;
  std::uint64_t word = 0;  // as it was
  std::uint64_t id = 0;
  scheduler* home = nullptr;  // null: a plain thread that waits
  fiber_position place = fiber_position::moving;
  park_reason reason = park_reason::none;
  const void* object = nullptr;
  std::int64_t since_ns = 0;              // parked; 0 unknown
  const task_operations* runs = nullptr;  // says which callable
  fiber_record* outer = nullptr;          // runs inline on the stack of this one
  const scope_core* scope = nullptr;      // the scope it is a child of
  std::int32_t worker = -1;               // of a running one
  long system_call = -1;                  // of a blocked one
  stack_table::id stack = stack_table::none;
};

/// Fibers that run, by the worker they are on.
struct running_fiber {
  worker* on;
  scheduler* home;
};
using running_fibers = std::unordered_map<const fiber_record*, running_fiber>;

class snapshot_taker {
 public:
  /// While it lives no runtime begins or ends. `stacks`: whether they are copied and walked;
  /// a signal then asks running fibers for theirs. Throws std::bad_alloc. Blocks: for running
  /// fibers, some ten milliseconds each.
  explicit snapshot_taker(bool stacks);
  /// From now on.
  void copy_stacks(bool stacks) noexcept { wants_stacks_ = stacks; }

  /// False: there is no fiber in this record.
  bool look(fiber_record& f, fiber_snapshot& out);
  [[nodiscard]] const stack_table& stacks() const noexcept { return table_; }
  [[nodiscard]] const runtimes_held& runtimes() const noexcept { return held_; }

 private:
  bool look_once(fiber_record& f, fiber_snapshot& out);
  void copy_stack(const fiber_record& f, fiber_snapshot& out);
  void snapshot_running(const fiber_record& f, fiber_snapshot& out);

  const runtimes_held held_;
  bool wants_stacks_;
  stack_copy copy_;
  stack_table table_;
  running_fibers running_;
  std::unordered_map<const fiber_record*, int> lenders_;
};

/// `fiber 12 "reader"`, `thread 3`.
[[nodiscard]] std::string agent_text(fiber_record& f);

/// [low, high) of the stack it runs on, which is its joiner's if it runs inline; empty: none.
struct stack_range {
  std::uintptr_t low = 0, high = 0;
  [[nodiscard]] bool holds(std::uintptr_t address) const noexcept {
    return address >= low && address < high;
  }
};
[[nodiscard]] stack_range stack_of_fiber(const fiber_record& f) noexcept;

}  // namespace weft::detail
