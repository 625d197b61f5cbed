// SPDX-License-Identifier: BSL-1.0
// api/tasks.cpp - the entry points of weft/detail/task.hpp: spawn, join, detach, stop.
#include <weft/fiber.hpp>

#include <cstring>
#include <stop_token>
#include <string>
#include <system_error>

#include "api/end_of_fiber.hpp"
#include "api/inline_join.hpp"
#include "sched/hooks.hpp"
#include "sched/park.hpp"
#include "sched/runtime_entry.hpp"
#include "sched/scheduler.hpp"

namespace weft::detail {
namespace {

[[gnu::noinline]] task& allocate_for(scheduler* s, const attributes* attrs) {
  if (s == nullptr) {
    const worker* here = this_worker();
    s = here != nullptr ? here->home : &upper.default_scheduler();
  }
  worker* w = this_worker();  // asked for behind the making of a runtime
  return s->allocate(w != nullptr && w->home == s ? w : nullptr, attrs);
}

// Takes the child if it is the newest entry of the caller's deque, and returns the worker, inside
// weft. Otherwise returns null, outside.
[[gnu::always_inline]] inline worker* take_newest(fiber_record& child) noexcept {
  worker* w = enter();
  if (w == nullptr) return nullptr;
  if (w->current == nullptr) [[unlikely]] {  // it destroys a callable it had no stack for
    leave(*w);
    return nullptr;
  }
  if (w->resched_requested.load(std::memory_order_relaxed) != 0) [[unlikely]] {
    leave(*w);
    yield_if_requested();
    w = enter();
    if (w == nullptr) return nullptr;
  }
  auto& local = w->held->local;
  if (local.pop(&child)) [[likely]] {
    if (fits_here(*w, child)) [[likely]]
      return w;
    local.push(&child);
  }
  leave(*w);
  return nullptr;
}

}  // namespace

joiners_state hide_state(worker& w) noexcept {
  const joiners_state s{*w.state.exceptions, this_float_environment()};
  *w.state.exceptions = {};
  set_float_environment();
  return s;
}
void restore_state(worker& w, const joiners_state& s) noexcept {
  *w.state.exceptions = s.in_flight;
  set_float_environment(s.floats);
}

namespace {

inline void submit(fiber_record& f, const void* site) noexcept {
  worker* w = enter();
  const bool at_home = w != nullptr && w->home == f.home;
  f.home->submit(at_home ? w : nullptr, f, site);
  if (w == nullptr) return;
  const bool asked = w->resched_requested.load(std::memory_order_relaxed) != 0;
  leave(*w);
  if (asked) [[unlikely]]
    yield_if_requested();
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

[[gnu::noinline]] task& spawn_words(const task_operations& operations, words callable) {
  const void* const site = __builtin_return_address(0);
  if (worker* w = enter()) [[likely]] {
    if (fiber_record* f = w->home->allocate_quick(*w)) [[likely]] {
      f->operations = &operations;
      std::memcpy(f->storage, &callable, sizeof callable);
      w->home->submit(w, *f, site);
      const bool asked = w->resched_requested.load(std::memory_order_relaxed) != 0;
      leave(*w);
      if (asked) [[unlikely]]
        yield_if_requested();
      return *f;
    }
    leave(*w);
  }
  task& t = allocate_for(nullptr, nullptr);
  t.operations = &operations;
  std::memcpy(t.storage, &callable, sizeof callable);
  submit_task_at(t, site);
  return t;
}

void abandon_task(task& t) noexcept {
  fiber_record& f = record_of(t);
  f.home->forget(this_worker(), f);
}

[[gnu::noinline]] void submit_task(task& t) noexcept {
  submit(record_of(t), __builtin_return_address(0));
}
void submit_task_at(task& t, const void* site) noexcept { submit(record_of(t), site); }
[[gnu::noinline]] void submit_detached_task(task& t) noexcept {
  fiber_record& f = record_of(t);
  f.join.reset_detached();
  submit(f, __builtin_return_address(0));
}

namespace {
// After a wait for it has ended, or could not begin.
void check_not_left_behind(const fiber_record& child) {
  if (!child.join.is_left_behind()) [[likely]]
    return;
  throw std::system_error(std::make_error_code(std::errc::no_such_process),
                          "weft::fiber::join: the fiber was left behind when its runtime ended "
                          "(options::shutdown_timeout), "
                          "and will not be resumed");
}

[[gnu::noinline]] void wait_for_end(fiber_record& child) {
  if (is_current_task(child)) throw_deadlock();
  fiber_record& self = this_agent();
  const ticket mine = begin_park(self, park_reason::join, &child);
  if (child.join.wait_on(mine.bits))
    static_cast<void>(finish_park(self));
  else
    cancel_park(self);
  check_not_left_behind(child);
}
}  // namespace

void join_task(task& t) {
  fiber_record& child = record_of(t);
  if (child.join.is_done()) return;
  if (worker* w = take_newest(child))
    run_inline(*w, child);
  else
    wait_for_end(child);
}

bool join_words(task& t, words& result) {
  fiber_record& child = record_of(t);
  if (!child.join.is_done()) {
    if (worker* w = take_newest(child)) [[likely]] {
      worker& now = run_on_this_stack(*w, child);
      const bool succeeded = !child.error;
      if (succeeded) [[likely]] {
        std::memcpy(&result, child.storage, sizeof result);
        now.home->end_joined(now, child);
      } else {
        now.home->end_inline(now, child);
      }
      leave(now);
      return succeeded;
    }
    wait_for_end(child);
  }
  if (child.error) [[unlikely]]
    return false;
  std::memcpy(&result, child.storage, sizeof result);
  free_record(child);
  return true;
}

bool join_task_until(task& t, std::chrono::steady_clock::time_point deadline,
                     const std::stop_token* stop) {
  fiber_record& child = record_of(t);
  yield_if_requested_slow();
  if (child.join.is_done()) return true;
  if (is_current_task(t)) throw_deadlock();
  fiber_record& self = this_agent();
  const ticket mine = begin_park(self, park_reason::join, &child);
  if (!child.join.wait_on(mine.bits)) {
    cancel_park(self);
    check_not_left_behind(child);
    return true;
  }
  const auto wait = [&] {
    const std::int64_t until = steady_ns(deadline);
    if (stop == nullptr || !stop->stop_possible()) return finish_park(self, until);
    const std::stop_callback callback(
        *stop, [mine]() noexcept { wake_from_callback(mine, wake_code::stop); });
    return finish_park(self, until);
  };
  if (wait() != wake_code::ready && child.join.leave(mine.bits)) return false;
  check_not_left_behind(child);
  return true;
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

// ---- the end of a fiber
constexpr task_operations nothing_left{nullptr, nullptr};

void dispose_result(fiber_record& f) noexcept {
  f.drop_result();
  f.operations = &nothing_left;
  if (f.error) scheduler::unhandled(f);
}

void finish_rare(fiber_record& f) noexcept {
  if (f.has(fiber_record::has_extras)) drop_locals(f);
  if (f.has(fiber_record::in_scope)) {
    // The result first: its destructor is the child's doing, too, and must not outlive the scope.
    // It takes the error.
    f.drop_result();
    f.operations = &nothing_left;
    leave_scope(f);
  }
  if (f.join.is_detached()) dispose_result(f);
}

}  // namespace weft::detail
