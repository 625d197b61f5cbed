// SPDX-License-Identifier: BSL-1.0
// api/tasks.cpp - the doors of weft/detail/task.hpp: spawn, join, detach, stop.
#include <weft/fiber.hpp>

#include <string>
#include <system_error>

#include "api/inline_join.hpp"
#include "sched/door.hpp"
#include "sched/park.hpp"
#include "sched/scheduler.hpp"

namespace weft::detail {
namespace {

[[gnu::noinline]] task& allocate_for(scheduler* s, const attributes* attrs) {
  worker* w = this_worker();
  scheduler& target = s != nullptr ? *s : w != nullptr ? *w->home : default_scheduler();
  return target.allocate(w != nullptr && w->home == &target ? w : nullptr, attrs);
}

// Runs the child, if it lies newest on the caller's deque.
[[gnu::always_inline]] inline bool try_join_inline(fiber_record& child) noexcept {
  worker* w = enter();
  if (w == nullptr) return false;
  auto& local = w->held->local;
  if (local.newest() == &child) [[likely]] {
    fiber_record* popped = local.pop();
    if (popped == &child && fits_here(*w, child)) [[likely]] {
      run_inline(*w, child);
      return true;
    }
    if (popped != nullptr) local.push(popped);
  }
  leave(*w);
  return false;
}

inline void submit(fiber_record& f, const void* site) noexcept {
  worker* w = enter();
  const bool at_home = w != nullptr && w->home == f.home;
  f.home->submit(at_home ? w : nullptr, f, site);
  if (w != nullptr) leave(*w);
}

inline void free_record(fiber_record& f) noexcept {
  worker* w = this_worker();
  scheduler::release(w, f);
}

}  // namespace

task& allocate_task(scheduler* s) {
  worker* w = this_worker();
  if (w != nullptr && (s == nullptr || s == w->home)) [[likely]]
    if (fiber_record* f = w->home->allocate_quick(*w)) return *f;
  return allocate_for(s, nullptr);
}
task& allocate_task(scheduler* s, const attributes& a) { return allocate_for(s, &a); }

void abandon_task(task& t) noexcept {
  fiber_record& f = record_of(t);
  f.home->forget(this_worker(), f);
}

void submit_task(task& t) noexcept { submit(record_of(t), __builtin_return_address(0)); }
void submit_task_at(task& t, const void* site) noexcept { submit(record_of(t), site); }
void submit_detached_task(task& t) noexcept {
  fiber_record& f = record_of(t);
  f.join.reset_detached();
  submit(f, __builtin_return_address(0));
}

namespace {
[[gnu::noinline]] void wait_for_end(fiber_record& child) {
  if (is_current_task(child)) throw_deadlock();
  fiber_record& self = this_strand();
  const ticket mine = begin_park(self, park_reason::join, &child);
  if (child.join.wait_on(mine.bits))
    static_cast<void>(finish_park(self));
  else
    cancel_park(self);
}
}  // namespace

void join_task(task& t) {
  fiber_record& child = record_of(t);
  if (child.join.is_done() || try_join_inline(child)) return;
  wait_for_end(child);
}

bool join_task_until(task& t, std::chrono::steady_clock::time_point deadline) {
  fiber_record& child = record_of(t);
  if (child.join.is_done()) return true;
  if (is_current_task(t)) throw_deadlock();
  fiber_record& self = this_strand();
  const ticket mine = begin_park(self, park_reason::join, &child);
  if (!child.join.wait_on(mine.bits)) {
    cancel_park(self);
    return true;
  }
  if (finish_park(self, deadline_ns(deadline)) == wake_code::ready) return true;
  return !child.join.leave(mine.bits);
}

void release_task(task& t) noexcept { free_record(record_of(t)); }

void detach_task(task& t) noexcept {
  fiber_record& f = record_of(t);
  if (!f.join.detach()) return;
  dispose_result(f);
  free_record(f);
}

void stop_task(task& t) noexcept { request_stop(record_of(t)); }
std::uint64_t task_id(const task& t) noexcept { return record_of(t).id; }
bool is_current_task(const task& t) noexcept {
  const worker* w = this_worker();
  return w != nullptr && w->current == &record_of(t);
}

void throw_not_joinable(const char* what) {
  throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                          std::string("weft::fiber::") + what +
                              ": the handle has no fiber (joined, detached or moved from already)");
}
void throw_deadlock() {
  throw std::system_error(std::make_error_code(std::errc::resource_deadlock_would_occur),
                          "weft::fiber::join: a fiber cannot wait for its own end");
}

// ---- the end of a fiber ----------------------------------------------------------------------------
constexpr task_operations nothing_left{nullptr, nullptr};

void dispose_result(fiber_record& f) noexcept {
  f.drop_result();
  f.operations = &nothing_left;
  if (f.error) scheduler::unhandled(f);
}

void finish_rare(fiber_record& f) noexcept {
  if (f.has(fiber_record::has_extras)) drop_locals(f);
  if (f.has(fiber_record::in_scope)) {
    // The result first: its destructor is the child's doing, too, and must not outlive the scope. It takes the error.
    f.drop_result();
    f.operations = &nothing_left;
    leave_scope(f);
  }
  if (f.join.is_detached()) dispose_result(f);
}

}  // namespace weft::detail
