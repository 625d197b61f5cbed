// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/scheduler.hpp - one runtime: its processors, its workers, and the walk of a fiber between
// them.
//
//   spawn.cpp      a record, filled; onto the local deque, or the inject queue from outside
//   sleepers.hpp   who sleeps, who is woken; idle.cpp: the last look before that
//   worker_threads.hpp  the threads
//   own_thread.cpp a fiber that has a thread to itself
//   find.cpp       a worker looks for a fiber: its own queues in the order of service_order.hpp,
//                  inject queue, timers, poller, steal
//   run.cpp        onto its stack; to the next one; its end
//   unhandled.cpp  an exception that nobody can observe, and where it was thrown
//   park.cpp       a fiber waits; somebody readies it
//   handoff_processor.cpp  gives its processor away before it blocks
//   thaw.cpp       a preempted thread goes on; deactivate.cpp: a processor leaves service
//   offload.cpp    threads for calls known to block
//   lifecycle.cpp  a runtime is made, its threads start; shutdown.cpp: it ends
// What looks after all this from outside - the monitor, and what it takes away, makes and reports -
// is a layer above, src/watch.
// Rejected: one class for each of these with a pointer to each other (a fiber's walk crosses all of
// them in 20 ns).

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <typeinfo>
#include <vector>

#include <weft/options.hpp>

#include "base/lock_guard.hpp"
#include "sched/inject_queue.hpp"
#include "sched/offload.hpp"
#include "sched/poll_source.hpp"
#include "sched/processor.hpp"
#include "sched/processor_counts.hpp"
#include "sched/sleepers.hpp"
#include "sched/visitors.hpp"
#include "sched/watcher.hpp"
#include "sched/worker.hpp"
#include "sched/worker_threads.hpp"

namespace weft::detail {

/// Throws std::system_error, invalid_argument, with a text that says what would be right.
void check_stack_size(std::size_t size, const char* what);

class scheduler {
 public:
  /// options::workers 0: as many processors as the process may use CPUs, now and later; at most
  /// `most_workers`.
  scheduler(const options& o, std::size_t most_workers, std::unique_ptr<poll_source> poller);
  ~scheduler();
  scheduler(const scheduler&) = delete;
  scheduler& operator=(const scheduler&) = delete;

  // ---- lifecycle.cpp
  void start();  // throws std::system_error if a thread cannot be made
  std::size_t shutdown();
  /// The process exits: no spawns from outside any more, and all else goes on.
  void refuse_outsiders() noexcept;  // see runtime::shutdown
  void keep_for_ever() noexcept;     // instead of destroying it: stragglers are left
  [[nodiscard]] bool accepts_spawns() const noexcept {
    return phase_.load(std::memory_order_seq_cst) == phase::running;  // [LIFE-1] shutdown
  }
  [[nodiscard]] std::size_t live_fibers() const noexcept;  // at some moment of the call, or more
  [[nodiscard]] const options& settings() const noexcept { return options_; }
  [[nodiscard]] std::size_t own_threads() const noexcept;  // that there are now; once it is started
  [[nodiscard]] std::size_t serving() const noexcept { return counts_.serving(); }
  template <class Visit>
  void for_each_worker(Visit&& visit) const {
    threads_.for_each(visit);
  }
  [[nodiscard]] std::span<const std::unique_ptr<processor>> processors() const noexcept {
    return {processors_.data(), processor_count()};
  }
  [[nodiscard]] std::size_t most_processors() const noexcept { return processors_.size(); }
  [[nodiscard]] std::size_t most_workers() const noexcept { return most_workers_; }
  /// Those that serve, without the ones that compensate for blocked fibers
  /// (watch/compensator.hpp).
  [[nodiscard]] std::size_t workers() const noexcept {
    return std::min<std::size_t>(serving(), shown_workers_.load(std::memory_order_relaxed));
  }
  void show_workers(std::size_t n) noexcept { shown_workers_.store(n, std::memory_order_relaxed); }
  [[nodiscard]] bool has_ended() const noexcept {
    return phase_.load(std::memory_order_relaxed) == phase::ended;
  }
  [[nodiscard]] std::uint32_t number() const noexcept { return number_; }
  [[nodiscard]] std::int64_t made_ns() const noexcept { return made_ns_; }
  /// It has ended, and fibers of it have not: those will not be resumed.
  [[nodiscard]] bool has_left_fibers_behind() const noexcept {
    return stragglers_left_.load(std::memory_order_seq_cst);
  }

  // ---- its parts
  [[nodiscard]] offload_pool& offloads() noexcept { return offloads_; }
  [[nodiscard]] poll_source& poller() noexcept { return *poller_; }
  [[nodiscard]] sleepers& sleeping() noexcept { return sleepers_; }
  [[nodiscard]] worker_threads& threads() noexcept { return threads_; }
  [[nodiscard]] processor_counts& counts() noexcept { return counts_; }
  [[nodiscard]] monitor_word& monitor_call() noexcept { return monitor_word_; }
  [[nodiscard]] watcher& watch() noexcept { return *watch_; }
  /// Null if there are as many as may be. By start and the service thread.
  processor* make_processor() noexcept;

  // ---- spawn.cpp
  /// `w`: the calling worker of this scheduler, or null. Throws as weft::spawn.
  fiber_record& allocate(worker* w, const attributes* a);
  fiber_record* allocate_quick(worker& w) noexcept;  // spawn.hpp, and the next two
  void submit(worker* w, fiber_record& f, const void* site) noexcept;  // inside weft, or w null
  // Frees the record. Static, as unhandled: a handle may outlive its runtime.
  static void release(worker* w, fiber_record& f) noexcept;

  // ---- park.cpp: the caller has won the wake
  void make_runnable(fiber_record& f) noexcept;  // from anywhere
  // inside weft, on w of this scheduler
  void make_runnable_inside(worker& w, fiber_record& f) noexcept;
  void put_next(worker& w, fiber_record& f) noexcept;  // the same, untold

  // ---- idle.cpp
  void wake_one_if_needed() noexcept { sleepers_.wake_one_if_needed(); }
  void inject(fiber_record& f) noexcept;
  void inject_from_outside(fiber_record& f) noexcept;  // by a thread that is no worker of ours
  void push_no_alloc(fiber_record& f) noexcept;        // never allocates; the caller wakes
  timer_queue& timers_for_outside() noexcept;          // of who has no processor: add, then
  void tell_of_timer(std::int64_t when) noexcept;
  [[nodiscard]] bool work_in_sight() noexcept;
  [[nodiscard]] std::int64_t injected() const noexcept {  // a moment's guess
    return injected_size_.load(std::memory_order_relaxed);
  }
  struct poll_end {
    std::int64_t when;
    bool in_vain;  // poll_source::poll
  };
  /// Looks at the descriptors, into an empty batch; counts it.
  poll_end poll(std::int64_t until, poll_source::batch& ready, poll_counters& counters) noexcept;
  /// Moves the fibers that became ready into a queue and returns how many; the batch is empty then.
  /// `w`: as trace_ready.
  template <class Queue>
  std::size_t take_ready(worker* w, poll_source::batch& ready, Queue&& queue) noexcept;
  [[nodiscard]] std::int64_t polled_at() const noexcept {  // when somebody last looked
    return polled_at_.load(std::memory_order_relaxed);
  }

  // ---- wake_samples.cpp
  void count_outside_wake(fiber_record& f) noexcept;
  /// The same as a worker counts, by threads that are none. [LIFE-1], [LIFE-6]
  struct outside_counts {
    std::atomic<std::uint64_t> spawned{0}, ended{0};
    std::atomic<std::uint64_t> wakes{0};  // relaxed
  };
  [[nodiscard]] const outside_counts& outside() const noexcept { return outside_; }

  // ---- deactivate.cpp, thaw.cpp
  void drain(processor& p) noexcept;           // into the inject queue, its timers into the first
  void move_timers(processor& from) noexcept;  // to the first processor
  void begin_turn(processor& p) noexcept;      // of a thread that was frozen
  /// A frozen thread sleeps until it is given a processor. False: it has none, see thaw_detached.
  bool wait_for_turn(worker& w) noexcept;
  /// The caller, inside weft without a processor, freezes with its fiber. False: the threads end.
  bool wait_frozen(worker& w) noexcept;

  // ---- handoff_processor.cpp
  /// The caller's thread is about to block: its processor goes to another one. Inside weft; leaves.
  /// False: there is no other thread, the monitor will see what it can do.
  bool handoff_processor(worker& w) noexcept;

  // ---- run.cpp
  void end_inline(worker& w, fiber_record& f) noexcept;  // run by its joiner
  void end_joined(worker& w, fiber_record& f) noexcept;  // the same, and released
  void forget(worker* w, fiber_record& f) noexcept;      // allocated, never submitted
  /// Inside weft; the worker it returns on may be another one.
  worker* end_fiber(worker& w, fiber_record& f) noexcept;
  void fail_start(worker& w, fiber_record& f, std::error_code why) noexcept;
  // ---- unhandled.cpp, outside weft
  static void unhandled(fiber_record& f) noexcept;
  /// An exception is about to leave the calling fiber's function.
  static void witness_throw(const std::type_info& type, void* object) noexcept;

  /// A handle may outlive its runtime. If that exists still, it is not destroyed before this is.
  class kept_alive {
   public:
    explicit kept_alive(const scheduler* s) noexcept;
    kept_alive(const kept_alive&) = delete;
    kept_alive& operator=(const kept_alive&) = delete;
    ~kept_alive();
    explicit operator bool() const noexcept { return kept_ != nullptr; }
    [[nodiscard]] static bool by_others(const scheduler* s) noexcept;

   private:
    const scheduler* kept_ = nullptr;
    const void* const by_;
    kept_alive* next_ = nullptr;
  };

 private:
  enum class phase : std::uint8_t { running, stopping, ended };

  // lifecycle.cpp
  void reserve_room();
  void worker_main(worker& w) noexcept;
  [[nodiscard]] std::size_t processor_count() const noexcept {
    return processor_count_.load(std::memory_order_acquire);  // [LIFE-5]
  }
  void ask_all_to_stop() noexcept;
  bool wait_until_empty(std::int64_t deadline_ns) noexcept;
  std::size_t find_stragglers() noexcept;
  std::size_t report_stragglers() noexcept;
  void leave_behind() noexcept;
  void pass_on_wakes() noexcept;
  void end_threads() noexcept;
  void count_end(worker* w) noexcept;
  void notify_drained() noexcept;
  // spawn.cpp
  void reset(fiber_record& f, std::uint64_t id) noexcept;
  [[gnu::noinline]] static void trace_created(const worker* w, fiber_record& f,
                                              const void* site) noexcept;
  static void clean_and_release(worker* w, fiber_record& f) noexcept;

  // find.cpp
  void loop(worker& w) noexcept;
  bool spin_for_offload(worker& w) noexcept;
  fiber_record* find(worker& w) noexcept;
  struct check_env;
  std::int64_t begin_check(processor& p) noexcept;
  bool bring_injected(worker& w, processor& p) noexcept;  // true: there was some
  std::size_t bring_late(worker& w, processor& p) noexcept;
  std::size_t fire_timers(worker& w, processor& of) noexcept;
  std::size_t poll_now(worker& w) noexcept;
  fiber_record* search(worker& w) noexcept;
  fiber_record* steal_from_stalled(worker& w) noexcept;
  processor* find_stalled(worker& w, std::int64_t now) noexcept;
  fiber_record* steal_from(worker& w, processor& victim) noexcept;
  void stop_searching(worker& w) noexcept;

  // idle.cpp
  bool retire(worker& w) noexcept;  // lays the processor down, sleeps; false: the runtime ends
  bool sleep(worker& w) noexcept;   // has none; until it has one
  bool sleep_in_poller(worker& w) noexcept;
  [[nodiscard]] std::int64_t earliest_timer() const noexcept;

  // run.cpp
  [[WEFT_SWITCHES]] void run(worker& w, fiber_record& f) noexcept;
  void end_unstarted(worker& w, fiber_record& f, std::exception_ptr why) noexcept;

  // own_thread.cpp
  bool run_bound(worker& w, fiber_record& f) noexcept;  // false: w is not to run it
  void give_thread(worker& w, fiber_record& f) noexcept;
  bool wait_for_own(worker& w) noexcept;  // false: the threads end

  // deactivate.cpp: true if its processor leaves service
  bool rest(worker& w) noexcept;

  // thaw.cpp: w's processor to the oldest preempted thread
  bool thaw(worker& w) noexcept;

  class outside_spawn;
  friend struct scheduler_probe;  // tests look
  friend struct debug_offsets;

  const std::uint32_t number_;  // of this runtime in the process, for the tracer
  const options options_;
  const stack_class default_class_;
  const std::int64_t made_ns_ = os::now_ns();
  // Room for as many as may be from the start: it is read while it grows.
  std::vector<std::unique_ptr<processor>> processors_;  // [0, processor_count_)
  std::atomic<std::size_t> processor_count_{0};         // release by make_processor [LIFE-5]
  const std::size_t most_workers_;
  std::atomic<std::size_t> shown_workers_;  // relaxed, by the service thread
  // how many of them serve [RESIZE-1]
  processor_counts counts_;
  std::unique_ptr<poll_source> poller_;
  std::atomic<phase> phase_{phase::running};
  scheduler* next_kept_ = nullptr;

  monitor_word monitor_word_;
  sleepers sleepers_;
  worker_threads threads_;
  std::atomic<std::int64_t> polled_at_{0};  // when somebody last looked; relaxed

  alignas(base::cache_line) inject_queue<fiber_record*> injected_;
  alignas(base::cache_line) std::atomic<std::int64_t> injected_size_{0};  // the late ones, too
  basic_visitors<> visitors_;
  std::atomic<fiber_record*> no_alloc_list_{nullptr};  // by `link`, newest first [MON-3]
  outside_counts outside_;
  std::atomic<std::uint32_t> drained_{0};  // futex: counts fiber ends while stopping
  const sigset_t creator_mask_;            // workers and offload threads have it, too
  offload_pool offloads_;
  std::atomic<std::int64_t> idle_thread_ns_{10'000'000'000};  // relaxed; only tests change it
  base::mutex shutdown_lock_;                                 // one shutdown at a time
  std::size_t stragglers_ = 0;                                // under shutdown_lock_
  std::atomic<bool> stragglers_left_{false};                  // seq_cst [LEFT-1]
  std::unique_ptr<watcher> watch_;  // the last: it refers to all the others
};

/// While it lives no runtime begins or ends. For reports: one at a time.
class runtimes_held {
 public:
  runtimes_held() noexcept;
  ~runtimes_held();
  runtimes_held(const runtimes_held&) = delete;
  runtimes_held& operator=(const runtimes_held&) = delete;
  [[nodiscard]] std::span<scheduler* const> all() const noexcept;  // oldest first
};

}  // namespace weft::detail
