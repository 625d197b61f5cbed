// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/run_queue.hpp - a processor's deque of fibers, whose push cannot fail.
//
// What finds no room in the deque, and no memory for a larger one, goes to the late chain of its
// runtime, by the record's own link (push_no_alloc): it runs later than it should, but it runs
// [LOST-1].
// Rejected: to throw (a fiber that is made ready was accepted long ago, and its waker can do
// nothing about it).

#include "fiber/record.hpp"
#include "sched/deque.hpp"

namespace weft::detail {

class run_queue : public deque<fiber_record*> {
 public:
  void push(fiber_record* f) noexcept {
    if (!try_push(f)) [[unlikely]]
      push_elsewhere(*f);
  }
  /// For the monitor, which never asks for memory [MON-3].
  void push_in_place(fiber_record* f) noexcept {
    if (!try_push(f, when_full::refuse)) [[unlikely]]
      push_elsewhere(*f);
  }

 private:
  [[gnu::noinline, gnu::cold]] static void push_elsewhere(fiber_record& f) noexcept;  // idle.cpp
};

}  // namespace weft::detail
