// SPDX-License-Identifier: BSL-1.0
// api/offload.cpp - the entry points of weft/offload.hpp.
#include <weft/offload.hpp>

#include <system_error>

#include "api/inline_join.hpp"
#include "sched/hooks.hpp"
#include "sched/offload.hpp"
#include "sched/park.hpp"
#include "sched/runtime_entry.hpp"
#include "sched/scheduler.hpp"

namespace weft::detail {
namespace {

// The end of the call, or of the patience.
wake_code wait_for_end(fiber_record& self, ticket mine, const wait_limit& limit) {
  if (limit.stop == nullptr) return finish_park(self, steady_ns(limit.deadline));
  const std::stop_callback callback(
      *limit.stop, [mine]() noexcept { wake_from_callback(mine, wake_code::stop); });
  return finish_park(self, steady_ns(limit.deadline));
}

[[noreturn]] void throw_not_begun(std::errc why) {
  throw std::system_error(
      std::make_error_code(why),
      "weft::offload: the call had not begun (options::offload_threads are at work)");
}

[[noreturn]] void throw_no_thread(const std::error_code& why) {
  throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again),
                          "weft::offload: the runtime ends, or the system gives no thread (" +
                              why.message() + "; `ulimit -u`, pids cgroup)");
}

}  // namespace

void offload(offload_job& job, const wait_limit& limit) {
  if (limit.stop != nullptr && limit.stop->stop_requested())
    throw_not_begun(std::errc::operation_canceled);
  // Nested: here it may block, and a second thread of a pool whose threads all wait for one would
  // never come.
  if (offload_pool::on_pool_thread()) return job.run(job);
  fiber_record& self = this_agent();
  worker* w = enter();  // inside weft, so that nobody stops us with the pool's lock
  offload_pool& pool = (w != nullptr ? *w->home : upper.default_scheduler()).offloads();
  const offload_pool::awaiting counted(pool);
  const ticket mine = begin_park(self, park_reason::offload, &job);
  job.fiber = self.has(fiber_record::is_thread) ? 0 : self.id;
  const std::error_code failed = pool.submit(job, mine);
  if (failed) {
    cancel_park(self);
    pool.refuse_line_without_threads();  // [POOL-2]
  }
  if (w != nullptr) leave(*w);
  if (failed) throw_no_thread(failed);
  const wake_code why = wait_for_end(self, mine, limit);
  offload_pool::late now = offload_pool::late::done;
  if (why == wake_code::ready) {
    if (offload_pool::was_refused(job)) now = offload_pool::late::refused;
  } else {
    w = enter();
    now = pool.withdraw(job, self);
    if (w != nullptr) leave(*w);
  }
  switch (now) {
    case offload_pool::late::done:
      break;
    case offload_pool::late::keep_waiting:
      static_cast<void>(finish_park(self));
      break;
    case offload_pool::late::refused:
      throw_no_thread(std::make_error_code(std::errc::resource_unavailable_try_again));
    case offload_pool::late::withdrawn:
      throw_not_begun(why == wake_code::stop ? std::errc::operation_canceled
                                             : std::errc::timed_out);
  }
}

bool begin_blocking() noexcept {
  worker* w = enter();
  return w != nullptr && w->home->handoff_processor(*w);
}

}  // namespace weft::detail
