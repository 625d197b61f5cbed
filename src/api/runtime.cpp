// SPDX-License-Identifier: BSL-1.0
// api/runtime.cpp - options checked, a scheduler wired to its poller; the default runtime.
#include <weft/profile.hpp>
#include <weft/runtime.hpp>
#include <weft/trace.hpp>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>

#include "api/runtime_access.hpp"
#include "base/check.hpp"
#include "base/lock_guard.hpp"
#include "debug/dump_trigger.hpp"
#include "debug/gdb_script.hpp"
#include "debug/inspect.hpp"
#include "debug/overflow.hpp"
#include "debug/stack_copy.hpp"
#include "net/netpoller.hpp"
#include "os/fault_signals.hpp"
#include "os/os.hpp"
#include "sched/fork.hpp"
#include "sched/scheduler.hpp"
#include "sched/worker.hpp"

namespace weft {
namespace {

[[noreturn]] void refuse(const std::string& text) {
  throw std::system_error(std::make_error_code(std::errc::invalid_argument), "weft: " + text);
}

constexpr std::size_t most_workers = 1024;
// Linux has no more threads (PID_MAX_LIMIT).
constexpr std::size_t most_threads = std::size_t{1} << 22;

options checked(options o) {
  if (o.workers > most_workers)
    refuse("options::workers is " + std::to_string(o.workers) + "; the most is " +
           std::to_string(most_workers) + " (0 takes the CPUs this process may use)");
  detail::check_stack_size(o.stack_size, "options::stack_size");
  if (o.max_fibers == 0) refuse("options::max_fibers is 0; at least one fiber must be allowed");
  // if they follow the CPUs, there are as many as max_threads allows (most_processors)
  const std::size_t workers = std::max<std::size_t>(o.workers, 1);
  if (o.max_threads < workers + 1)
    refuse("options::max_threads is " + std::to_string(o.max_threads) + " for " +
           std::to_string(workers) + (workers == 1 ? " worker" : " workers") +
           "; at least one more than workers is needed, a spare");
  if (o.max_threads > most_threads)
    refuse("options::max_threads is " + std::to_string(o.max_threads) + "; the most is " +
           std::to_string(most_threads) + ", which is Linux's own limit");
  if (o.offload_threads == 0)
    refuse("options::offload_threads is 0; weft::offload needs at least one");
  if (o.stall_after < std::chrono::milliseconds::zero())
    refuse("options::stall_after is negative; 0 reports nothing");
  if (o.time_slice < std::chrono::milliseconds::zero())
    refuse("options::time_slice is negative; 0 turns preemption off");
  if (o.preempt_signal < 0 || o.preempt_signal > SIGRTMAX || o.preempt_signal == SIGKILL ||
      o.preempt_signal == SIGSTOP || os::is_fault_signal(o.preempt_signal))
    refuse(
        "options::preempt_signal is " + std::to_string(o.preempt_signal) +
        "; it must be 0 (none) or a signal that can be handled, such as SIGURG or a real-time one");
  if (o.deadlock_after <= std::chrono::milliseconds::zero())
    refuse("options::deadlock_after is not positive; deadlock_policy::ignore looks for none");
  if (o.dump_signal < 0 || o.dump_signal > SIGRTMAX || o.dump_signal == SIGKILL ||
      o.dump_signal == SIGSTOP)
    refuse("options::dump_signal is " + std::to_string(o.dump_signal) +
           "; it must be 0 (none) or a signal that can be handled");
  if (os::is_fault_signal(o.dump_signal))
    refuse("options::dump_signal is " + std::to_string(o.dump_signal) +
           ", the signal of a crash; options::dump_on_crash makes the dump then");
  if (o.shutdown_timeout < std::chrono::milliseconds::zero())
    refuse("options::shutdown_timeout is negative; 0 does not wait at all");
  return o;
}

// How many processors there may ever be: the quota and the affinity mask may grow up to what is
// online.
std::size_t most_processors(const options& o) noexcept {
  if (o.workers != 0) return o.workers;
  const std::size_t cpus = std::max<std::size_t>(os::online_cpus(), os::usable_cpus());
  return std::min({cpus, most_workers, o.max_threads - 1});
}

// The default runtime is never shut down, and outlives every static object: fibers, timers and
// channels work until the last destructor. When the process begins to exit, only spawns from
// outside end, so that no caller counts on a fiber that may not run any more. exit() runs this on
// the thread or fiber that called it, and waits for no fiber.
// Rejected: to shut it down there. A fiber that calls exit() would wait for itself, an offloaded
// call for its own thread, and the destructors of older statics would find a runtime that is gone.
struct default_setup {
  base::mutex lock;
  options wanted WEFT_GUARDED_BY(lock);
  bool started WEFT_GUARDED_BY(lock) = false;
};
default_setup& setup_of_default() {
  static default_setup& setup = *new default_setup;
  return setup;
}

runtime& make_default_runtime() {
  default_setup& setup = setup_of_default();
  const options* wanted = nullptr;
  {
    const base::lock_guard guard(setup.lock);
    setup.started = true;  // nobody changes them from here on
    wanted = &setup.wanted;
  }
  static runtime* rt = nullptr;  // reachable, for leak checkers
  try {
    rt = new runtime(*wanted);  // copies the user's hooks, which may do what they like
  } catch (...) {
    const base::lock_guard guard(setup.lock);
    setup.started = false;
    throw;
  }
  std::atexit([] {
    if (!detail::is_forked_child()) detail::runtime_access::scheduler_of(*rt).refuse_outsiders();
  });
  return *rt;
}

runtime& default_runtime() {
  static runtime& rt = make_default_runtime();
  return rt;
}

}  // namespace

void set_default_options(const options& o) {
  options c = checked(o);
  default_setup& setup = setup_of_default();
  const base::lock_guard guard(setup.lock);
  if (setup.started)
    throw std::system_error(std::make_error_code(std::errc::device_or_resource_busy),
                            "weft::set_default_options: the default runtime runs already; call it "
                            "before the first use");
  std::swap(setup.wanted, c);  // the hooks that were there end without the lock
}

runtime::runtime(const options& o) {
  detail::guard_stack_walks();
  detail::install_overflow_report();
  detail::carry_gdb_script();
  trace::start_from_environment();
  profile::start_from_environment();
  const options c = checked(o);
  detail::install_dump_triggers(c);
  // first: a request must not be taken for a request to preempt
  detail::open_diagnostics_port(c.preempt_signal);
  auto s = std::make_unique<detail::scheduler>(c, most_processors(c), detail::make_netpoller());
  s->start();
  scheduler_ = s.release();
}

runtime::~runtime() {
  if (detail::is_forked_child()) return;  // exit() runs this, too; there is no thread to wait for
  // The runtime that stragglers may still refer to is kept: tickets that others hold lead to it. So
  // is one that a hook of its own has ended.
  if (scheduler_->shutdown() == 0 && !scheduler_->watch().is_still_used())
    delete scheduler_;
  else
    scheduler_->keep_for_ever();
}

std::size_t runtime::shutdown() { return scheduler_->shutdown(); }
std::size_t runtime::workers() const noexcept { return scheduler_->workers(); }
std::size_t runtime::fibers() const noexcept { return scheduler_->live_fibers(); }

offload_statistics runtime::offloads() const noexcept { return scheduler_->offloads().look(); }

namespace detail {

scheduler& default_scheduler() { return runtime_access::scheduler_of(default_runtime()); }

void check_run_outside_fiber() {
  if (this_worker() == nullptr) return;
  throw std::system_error(
      std::make_error_code(std::errc::resource_deadlock_would_occur),
      "weft::run: called from a fiber; spawn into the runtime that is there, or make a "
      "weft::runtime and join what you spawn into it");
}

}  // namespace detail
}  // namespace weft
