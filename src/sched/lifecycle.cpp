// SPDX-License-Identifier: BSL-1.0
// sched/lifecycle.cpp - a runtime is made, and its threads start and end.
#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <exception>
#include <iterator>
#include <string>
#include <system_error>

#include "base/check.hpp"
#include "base/lock_guard.hpp"
#include "sched/fork.hpp"
#include "sched/hooks.hpp"
#include "sched/park.hpp"
#include "sched/runtime_entry.hpp"
#include "trace/recorder.hpp"

namespace weft::detail {
namespace {

struct scheduler_list {
  base::ranked_futex_lock<base::lock_rank::runtime> lock;
  std::vector<scheduler*> all WEFT_GUARDED_BY(lock);
  scheduler::kept_alive* kept WEFT_GUARDED_BY(lock) = nullptr;  // by `next_`
};
std::atomic<std::uint32_t> runtimes_made{0};  // relaxed: only uniqueness matters
// What a frozen thread leaves to the others between two turns [ORDER-6].
std::int64_t frozen_slice_ns(const options& o) noexcept {
  return std::clamp<std::int64_t>(o.time_slice.count(), 1, 1000) * 1'000'000;
}
scheduler_list& existing() {
  // outlives every static object; reachable, for leak checkers
  static scheduler_list& list = *new scheduler_list;
  return list;
}

}  // namespace

// Who calls: a fiber, wherever it goes on, or a thread.
static const void* caller() noexcept {
  const worker* const w = this_worker();
  if (w != nullptr && w->current != nullptr) return w->current;
  return reinterpret_cast<const void*>(static_cast<std::uintptr_t>(os::thread_id()));
}

scheduler::kept_alive::kept_alive(const scheduler* s) noexcept : by_(caller()) {
  scheduler_list& list = existing();
  const base::lock_guard guard(list.lock);
  if (std::find(list.all.begin(), list.all.end(), s) == list.all.end()) return;
  kept_ = s;
  next_ = std::exchange(list.kept, this);
}

scheduler::kept_alive::~kept_alive() {
  if (kept_ == nullptr) return;
  scheduler_list& list = existing();
  const base::lock_guard guard(list.lock);
  kept_alive** at = &list.kept;
  while (*at != this) at = &(*at)->next_;
  *at = next_;
}

// The caller may keep it itself: what it runs meanwhile destroys the runtime, or exits.
bool scheduler::kept_alive::by_others(const scheduler* s) noexcept {
  const void* const me = caller();
  scheduler_list& list = existing();
  const base::lock_guard guard(list.lock);
  for (const kept_alive* k = list.kept; k != nullptr; k = k->next_)
    if (k->kept_ == s && k->by_ != me) return true;
  return false;
}

// With those that compensate for blocked fibers.
static std::size_t room_for_processors(const options& o, std::size_t most_workers) noexcept {
  if (!o.retake) return most_workers;
  const std::size_t more = std::min(most_workers * compensation_share, compensation_most);
  return std::max(most_workers, std::min(most_workers + more, o.max_threads / 2));
}

scheduler::scheduler(const options& o, std::size_t most_workers,
                     std::unique_ptr<poll_source> poller)
    : number_(runtimes_made.fetch_add(1, std::memory_order_relaxed) + 1),
      options_(o),
      default_class_(stack_class_for(o.stack_size)),
      processors_(room_for_processors(o, most_workers)),
      most_workers_(most_workers),
      shown_workers_(o.workers != 0 ? o.workers : SIZE_MAX),  // what serves
      counts_(static_cast<std::uint32_t>(
          o.workers != 0 ? o.workers
                         : std::clamp<std::size_t>(os::usable_cpus(), 1, most_workers))),
      poller_(std::move(poller)),
      sleepers_(*poller_, monitor_word_, frozen_slice_ns(options_)),
      threads_(options_, *this, [](worker& w) noexcept { w.home->worker_main(w); }),
      creator_mask_(os::signal_mask()),
      offloads_(o.offload_threads, o.name, number_, creator_mask_) {
  os::membarrier_register();
  reserve_room();
  watch_ = upper.watch(*this);
  scheduler_list& list = existing();
  const base::lock_guard guard(list.lock);
  list.all.push_back(this);
}

// All that grows later, or is read while it grows.
void scheduler::reserve_room() {
  threads_.reserve();
  for (std::uint32_t i = 0; i < counts_.serving(); ++i)
    if (make_processor() == nullptr || threads_.make_first() == nullptr) throw std::bad_alloc();
  sleepers_.reserve(processors_.size());
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
  {
    scheduler_list& list = existing();
    const base::lock_guard guard(list.lock);
    std::erase(list.all, this);
  }
  while (kept_alive::by_others(this)) ::sched_yield();
}

std::size_t scheduler::own_threads() const noexcept {
  return threads_.running() + watch_->threads() + offloads_.look().threads;
}

runtimes_held::runtimes_held() noexcept { existing().lock.lock(); }
runtimes_held::~runtimes_held() { existing().lock.unlock(); }
// The constructor of this object has the lock.
std::span<scheduler* const> runtimes_held::all() const noexcept WEFT_NO_THREAD_SAFETY_ANALYSIS {
  return existing().all;
}

void scheduler::start() {
  refuse_in_forked_child();
  runtime_has_threads();
  const std::size_t n = processor_count();
  for (std::size_t i = 0; i < n; ++i) sleepers_.attach(threads_.at(i), *processors_[i]);
  std::size_t made = 0;
  std::exception_ptr why;  // looked at when the threads are gone: its text may find no memory
  try {
    const os::block_signals blocked;
    for (; made < n; ++made) threads_.start_first(threads_.at(made));
    watch_->start();
  } catch (...) {
    for (std::size_t i = made; i < n; ++i) threads_.at(i).gate.attach(nullptr);
    end_threads();
    why = std::current_exception();
  }
  if (why == nullptr) return;
  try {
    std::rethrow_exception(why);
  } catch (const std::system_error& e) {
    const std::string which =
        made == n ? "the monitor's or the service thread"
                  : "thread " + std::to_string(made + 1) + " of " + std::to_string(n);
    throw std::system_error(e.code(), "weft: " + which +
                                          " for the runtime could not be made (`ulimit -u`, pids "
                                          "cgroup)");
  }
}

void scheduler::worker_main(worker& w) noexcept {
  set_this_worker(&w);
  trace::thread_begins(trace::thread_role::worker, number_, w.index);
  const pid_t self = os::thread_id();
  w.tid.store(self, std::memory_order_relaxed);
  if (w.index < worker_threads::most_kept_stats) w.stat.open(self);
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
  threads_.vacate(w);    // from here on `w` may be another thread's
  threads_.count_out();  // [LIFE-3] end_threads
  drained_.fetch_add(1, std::memory_order_release);
  os::futex_wake(drained_, os::wake_all);
  base::real_sync::fence(std::memory_order_seq_cst);  // [LEFT-1] commit of a fiber that was woken
  if (stragglers_left_.load(std::memory_order_seq_cst)) leave_behind();  // [LEFT-1] shutdown
}

// [LIFE-6] All ends first, acquired from the threads that counted them: if an end was counted, its
// spawn is seen, too. So the difference is never less than what was alive between the two loops,
// and zero is zero.
std::size_t scheduler::live_fibers() const noexcept {
  std::uint64_t ended = outside_.ended.load(std::memory_order_acquire);
  for_each_worker([&](const worker& w) { ended += w.ended.load(std::memory_order_acquire); });
  std::uint64_t spawned = outside_.spawned.load(std::memory_order_seq_cst);  // [LIFE-1] allocate
  for_each_worker([&](const worker& w) { spawned += w.spawned.load(std::memory_order_relaxed); });
  return static_cast<std::size_t>(spawned - ended);
}

}  // namespace weft::detail
