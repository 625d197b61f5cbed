// SPDX-License-Identifier: BSL-1.0
// sched/lifecycle.cpp - a runtime is made, and its threads start and end.
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <exception>
#include <iterator>
#include <mutex>
#include <string>
#include <system_error>

#include "base/check.hpp"
#include "sched/fork.hpp"
#include "sched/park.hpp"
#include "sched/runtime_entry.hpp"
#include "trace/recorder.hpp"

namespace weft::detail {
namespace {

struct scheduler_list {
  base::ranked_futex_lock<base::lock_rank::runtime> lock;
  std::vector<scheduler*> all;  // under lock
};
std::atomic<std::uint32_t> runtimes_made{0};  // relaxed: only uniqueness matters
scheduler_list& existing() {
  // outlives every static object; reachable, for leak checkers
  static scheduler_list& list = *new scheduler_list;
  return list;
}

}  // namespace

bool scheduler::exists(const scheduler* s) noexcept {
  scheduler_list& list = existing();
  const std::lock_guard guard(list.lock);
  return std::find(list.all.begin(), list.all.end(), s) != list.all.end();
}

scheduler::scheduler(const options& o, std::size_t most_processors,
                     std::unique_ptr<poll_source> poller, fiber_describer describe,
                     call_finder calls_of, deadlock_checker check_idle)
    : number_(runtimes_made.fetch_add(1, std::memory_order_relaxed) + 1),
      options_(o),
      default_class_(stack_class_for(o.stack_size)),
      describe_(describe),
      calls_of_(calls_of),
      check_idle_(check_idle),
      processors_(most_processors),
      counts_(static_cast<std::uint32_t>(
          o.workers != 0 ? o.workers
                         : std::clamp<std::size_t>(os::usable_cpus(), 1, most_processors))),
      poller_(std::move(poller)),
      creator_mask_(os::signal_mask()),
      offloads_(o.offload_threads, o.name, number_, creator_mask_),
      wake_word_(register_wake_word()) {
  os::membarrier_register();
  cpus_read_ns_ = os::now_ns();
  try {
    reserve_room(most_processors);
    scheduler_list& list = existing();
    const std::lock_guard guard(list.lock);
    list.all.push_back(this);
  } catch (...) {
    take_down(wake_word_);
    throw;
  }
}

// All that grows later, or is read while it grows.
void scheduler::reserve_room(std::size_t most_processors) {
  workers_.resize(options_.max_threads);
  for (std::uint32_t i = 0; i < counts_.serving(); ++i)
    if (make_processor() == nullptr || make_worker() == nullptr) throw std::bad_alloc();
  idle_processors_.reserve(most_processors);
  inactive_.reserve(most_processors);
  detached_.reserve(options_.max_threads);
  prepared_.reserve(options_.max_threads);
  watched_ready_.reserve(poll_source::longest_batch);
}

worker* scheduler::make_worker() noexcept try {
  if (worker* w = vacant_) {
    vacant_ = w->next_ended;
    return w;
  }
  const std::size_t i = worker_count_.load(std::memory_order_relaxed);
  if (i == workers_.size()) return nullptr;
  workers_[i] = std::make_unique<worker>(options_.stack_guard);
  workers_[i]->index = static_cast<std::uint32_t>(i);
  workers_[i]->home = this;
  workers_[i]->random = base::rng(i + 1);
  // Room for what a poll brings, so that all of it comes this way: what is queued one by one goes
  // to the next slot, where a worker that has found nothing else, and retires, does not look.
  workers_[i]->ready.reserve(poll_source::longest_batch);
  worker_count_.store(i + 1, std::memory_order_release);  // [LIFE-5]
  return workers_[i].get();
} catch (const std::bad_alloc&) {
  return nullptr;
}

processor* scheduler::make_processor() noexcept try {
  const std::size_t i = processor_count_.load(std::memory_order_relaxed);
  if (i == processors_.size()) return nullptr;
  processors_[i] = std::make_unique<processor>(static_cast<std::uint32_t>(i));
  processor_count_.store(i + 1, std::memory_order_release);  // [LIFE-5]
  return processors_[i].get();
} catch (const std::bad_alloc&) {
  return nullptr;
}

scheduler::~scheduler() {
  scheduler_list& list = existing();
  const std::lock_guard guard(list.lock);
  std::erase(list.all, this);
  if (has_wake_word_) take_down(wake_word_);
}

std::size_t scheduler::own_threads() const noexcept {
  return threads_running_.load(std::memory_order_acquire) + (monitor_.joinable() ? 1 : 0) +
         (service_thread_.joinable() ? 1 : 0) + offloads_.look().threads;
}

runtimes_held::runtimes_held() noexcept { existing().lock.lock(); }
runtimes_held::~runtimes_held() { existing().lock.unlock(); }
std::span<scheduler* const> runtimes_held::all() const noexcept { return existing().all; }

void scheduler::start() {
  refuse_in_forked_child();
  if (options_.time_slice.count() > 0 && options_.preempt_signal != 0)
    if (const auto ec = os::install_signal_handler(options_.preempt_signal, &on_preempt_signal))
      throw std::system_error(ec, "weft: no handler for options::preempt_signal " +
                                      std::to_string(options_.preempt_signal) +
                                      " could be installed; choose another, or 0 for none");
  runtime_has_threads();
  begin_schedtrace();
  const std::size_t n = processor_count();
  for (std::size_t i = 0; i < n; ++i) attach(*workers_[i], *processors_[i]);
  std::size_t made = 0;
  std::exception_ptr why;  // looked at when the threads are gone: its text may find no memory
  try {
    const os::block_signals blocked;
    for (; made < n; ++made) start_thread(*workers_[made]);
    service_thread_ = std::thread([this] { service_main(); });
    // For measurements of what the monitor costs, and nothing else: without it one stuck fiber
    // holds up the others.
    if (std::getenv("WEFT_WITHOUT_MONITOR") == nullptr)
      monitor_ = std::thread([this] { monitor_main(); });
  } catch (...) {
    for (std::size_t i = made; i < n; ++i) workers_[i]->gate.attach(nullptr);
    end_threads();
    why = std::current_exception();
  }
  if (why == nullptr) return;
  try {
    std::rethrow_exception(why);
  } catch (const std::system_error& e) {
    throw std::system_error(
        e.code(), "weft: thread " + std::to_string(made + 1) + " of " + std::to_string(n) +
                      " for the runtime could not be made (`ulimit -u`, pids cgroup)");
  }
}

void scheduler::start_thread(worker& w) {
  if (const auto ec = os::check_thread_limit()) throw std::system_error(ec);
  threads_running_.fetch_add(1, std::memory_order_relaxed);
  try {
    w.thread = std::thread([this, &w] { worker_main(w); });
  } catch (...) {
    threads_running_.fetch_sub(1, std::memory_order_relaxed);
    throw;
  }
}

void scheduler::worker_main(worker& w) noexcept {
  set_this_worker(&w);
  trace::thread_begins(trace::thread_role::worker, number_, w.index);
  const pid_t self = os::thread_id();
  w.tid.store(self, std::memory_order_relaxed);
  if (w.index < most_kept_stats) w.stat.open(self);
  w.state = this_thread_state();
  w.own_bounds = this_thread_bounds();
  w.cpu.of(pthread_self());
  const os::alternate_stack alternate;
  w.can_freeze = !alternate.error();
  w.started.store(1, std::memory_order_release);  // [MON-2] watch_processor, make_spare
  os::futex_wake(w.started, 1);
  char number[16] = "-";
  *std::to_chars(number + 1, std::end(number) - 1, w.index).ptr = 0;
  os::set_thread_name(options_.name, number);
  set_float_environment();
  os::inherit_signal_mask(creator_mask_);
  loop(w);
  w.records.flush();
  w.stacks.flush();
  w.stat.close();
  trace::thread_ends();
  set_this_worker(nullptr);
  vacate(w);  // from here on `w` may be another thread's
  threads_running_.fetch_sub(1, std::memory_order_release);  // [LIFE-3] end_threads
  drained_.fetch_add(1, std::memory_order_release);
  os::futex_wake(drained_, os::wake_all);
  if (stragglers_left_.load(std::memory_order_seq_cst)) leave_behind();  // [LEFT-1]
}

// POOL-4 The thread ends; its slot may be another's at once. Each joins the one that ended before,
// so that one stays at most.
void scheduler::vacate(worker& w) noexcept {
  std::thread before;
  {
    const std::lock_guard guard(spare_lock_);
    if (threads_end_.load(std::memory_order_relaxed)) return;  // end_threads joins us
    before = std::exchange(last_vacated_, std::move(w.thread));
    w.next_ended = std::exchange(vacant_, &w);
  }
  if (before.joinable()) before.join();
}

// [LIFE-6] All ends first, acquired from the threads that counted them: if an end was counted, its
// spawn is seen, too. So the difference is never less than what was alive between the two loops,
// and zero is zero.
std::size_t scheduler::live_fibers() const noexcept {
  std::uint64_t ended = outside_ended_.load(std::memory_order_acquire);
  for_each_worker([&](const worker& w) { ended += w.ended.load(std::memory_order_acquire); });
  std::uint64_t spawned = outside_spawned_.load(std::memory_order_seq_cst);  // [LIFE-1] allocate
  for_each_worker([&](const worker& w) { spawned += w.spawned.load(std::memory_order_relaxed); });
  return static_cast<std::size_t>(spawned - ended);
}

}  // namespace weft::detail
