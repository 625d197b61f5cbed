// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/scheduler.hpp - one runtime: its processors, its workers, and the walk of a fiber between
// them.
//
//   spawn.cpp           a record, filled; onto the local deque, or the inject queue from outside
//   idle.cpp            sleeping and waking
//   own_thread.cpp      a fiber that has a thread to itself
//   find.cpp            a worker looks for a fiber: its own queues in the order of
//                       service_order.hpp, inject queue, timers, poller, steal
//   run.cpp             onto its stack; to the next one; its end
//   park.cpp            a fiber waits, and is made ready
//   monitor.cpp         watches processors; retake.cpp, preempt.cpp take them away;
//                       handoff_processor.cpp gives one away
//   thaw.cpp            a preempted thread continues
//   resize.cpp          as many processors as the machine grants CPUs
//   service_thread.cpp  does for the monitor what may block
//   offload.cpp         threads for calls known to block
//   metrics.cpp         the sum of all counters; schedtrace.cpp prints it
//   stalls.cpp          reports fibers that keep their thread too long to the user
//   lifecycle.cpp       threads start and end; shutdown.cpp ends them
// Rejected: one class per concern with a pointer to each other (the walk crosses all of them in 20
// ns).

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include <weft/metrics.hpp>
#include <weft/options.hpp>

#include "base/futex_lock.hpp"
#include "base/intrusive_list.hpp"
#include "sched/idle_state.hpp"
#include "sched/inject_queue.hpp"
#include "sched/offload.hpp"
#include "sched/poll_source.hpp"
#include "sched/processor.hpp"
#include "sched/processor_counts.hpp"
#include "sched/wake_word.hpp"
#include "sched/worker.hpp"

namespace weft::detail {

/// Throws std::system_error, invalid_argument, with a text that says what would be right.
void check_stack_size(std::size_t size, const char* what);

bool on_preempt_signal(int signal, siginfo_t* info, void* context);

/// Puts a fiber into words (src/debug, a layer above).
using fiber_describer = std::string (*)(fiber_record& f);
/// The calls of the fiber in that record, if it is still the one with this id (src/debug); may
/// allocate and block.
using call_finder = std::vector<const void*> (*)(fiber_record& f, std::uint64_t id);
/// Looks whether fibers of an idle runtime can ever run again (src/debug); on the service thread's
/// thread.
using deadlock_checker = void (*)(scheduler& s);

class scheduler {
 public:
  /// options::workers 0: as many processors as the process may use CPUs, now and later; at most
  /// `most_processors`.
  scheduler(const options& o, std::size_t most_processors, std::unique_ptr<poll_source> poller,
            fiber_describer describe, call_finder calls_of, deadlock_checker check_idle);
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
    const std::size_t n = worker_count_.load(std::memory_order_acquire);  // [LIFE-5]
    for (std::size_t i = 0; i < n; ++i) visit(*workers_[i]);
  }
  [[nodiscard]] std::span<const std::unique_ptr<processor>> processors() const noexcept {
    return {processors_.data(), processor_count()};
  }
  [[nodiscard]] poll_source& poller() noexcept { return *poller_; }
  /// It has ended, and fibers of it have not: those will not be resumed.
  [[nodiscard]] bool has_left_fibers_behind() const noexcept {
    return stragglers_left_.load(std::memory_order_seq_cst);
  }
  [[nodiscard]] offload_pool& offloads() noexcept { return offloads_; }

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
  void wake_one_if_needed() noexcept {
    if (idle_.must_wake()) [[unlikely]]
      wake_one();
  }
  void inject(fiber_record& f) noexcept;
  void push_no_alloc(fiber_record& f) noexcept;  // never allocates; the caller wakes
  bool take_idle_processor(worker& w) noexcept;  // for a detached worker that comes back
  timer_queue& timers_for_outside() noexcept;    // for callers without a processor: add, then
  void tell_of_timer(std::int64_t when) noexcept;

  // ---- metrics.cpp
  [[nodiscard]] runtime_metrics measure();
  /// Of all that live and have not ended.
  [[nodiscard]] static std::vector<runtime_metrics> measure_all();
  void count_outside_wake(fiber_record& f) noexcept;

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
  static void unhandled(fiber_record& f) noexcept;  // outside weft

 private:
  static bool exists(const scheduler* s) noexcept;

  enum class phase : std::uint8_t { running, stopping, ended };
  // So many workers keep a descriptor by which the monitor asks whether they sleep.
  static constexpr std::uint32_t most_kept_stats = 32;

  // lifecycle.cpp
  void reserve_room(std::size_t most_processors);
  void worker_main(worker& w) noexcept;
  void start_thread(worker& w);
  void vacate(worker& w) noexcept;
  // null at options::max_threads, or without memory; start and monitor only
  worker* make_worker() noexcept;
  processor* make_processor() noexcept;  // null if there are as many as may be; the same
  [[nodiscard]] std::size_t processor_count() const noexcept {
    return processor_count_.load(std::memory_order_acquire);  // [LIFE-5]
  }
  void ask_all_to_stop() noexcept;
  bool wait_until_empty(std::int64_t deadline_ns) noexcept;
  std::size_t report_stragglers() noexcept;
  void leave_behind() noexcept;
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
  fiber_record* steal_from(worker& w, processor& victim) noexcept;
  fiber_record* take_bound(worker& w) noexcept;
  void stop_searching(worker& w) noexcept;

  // idle.cpp
  void wake_one() noexcept;
  bool retire(worker& w) noexcept;  // lays the processor down, sleeps; false: the runtime ends
  [[nodiscard]] bool wakeable_in_poller() const noexcept;
  bool take_assigned(worker& w) noexcept;
  bool sleep(worker& w) noexcept;  // has none; until it has one
  bool may_end(worker& w) noexcept;
  bool sleep_in_poller(worker& w) noexcept;
  bool work_in_sight() noexcept;
  [[nodiscard]] std::int64_t earliest_timer() const noexcept;
  bool appoint_poller() noexcept;  // true: a worker is on its way
  void send_to_bound_worker(worker& w, fiber_record& f) noexcept;
  void attach(worker& w, processor& p) noexcept;
  void kick(worker& w) noexcept;

  // run.cpp
  [[WEFT_SWITCHES]] void run(worker& w, fiber_record& f) noexcept;
  void end_unstarted(worker& w, fiber_record& f, std::exception_ptr why) noexcept;

  // own_thread.cpp
  bool run_bound(worker& w, fiber_record& f) noexcept;  // false: w is not to run it
  void give_thread(worker& w, fiber_record& f) noexcept;
  bool wait_for_own(worker& w) noexcept;  // false: the threads end
  void end_own_thread(worker& w) noexcept;

  // monitor.cpp
  void monitor_main() noexcept;
  bool watch(std::int64_t now) noexcept;  // true: something had to be done
  bool watch_processor(processor& p, std::int64_t now) noexcept;
  bool blocks_in_bits(processor& p, worker& w, std::int64_t now) noexcept;
  bool share_out(processor& p) noexcept;
  [[nodiscard]] bool others_wait(processor& p) noexcept;
  void request_resched(processor& p, worker& w, std::int64_t now) noexcept;
  void count_resched_request() noexcept;
  bool watch_idle(std::int64_t now) noexcept;
  [[nodiscard]] bool left_behind() const noexcept;
  bool apply_stress(processor& p, worker& w, std::uint32_t storm) noexcept;
  [[nodiscard]] bool may_sleep() noexcept;
  bool fire_late_timers(processor& p, std::int64_t now) noexcept;
  [[nodiscard]] std::int64_t monitor_delay(std::int64_t now, int quiet_rounds) const noexcept;
  void sleep_until_busy() noexcept;
  void end_monitor() noexcept;
  void wake_monitor() noexcept {
    // relaxed: read late, it costs the monitor a round, and it looks again before it sleeps
    // [MON-1].
    if (monitor_asleep_.load(std::memory_order_relaxed) != 0) [[unlikely]]
      rouse_monitor();
  }
  void rouse_monitor() noexcept;

  // stalls.cpp
  [[nodiscard]] bool stalls_matter() const noexcept;
  void watch_stall(processor& p, worker& w, std::int64_t now, std::int64_t cpu,
                   bool still) noexcept;
  bool report_stall(worker& w, std::int64_t took, stall_kind kind) noexcept;  // false: later
  void begin_detached(worker& w, std::int64_t since) noexcept;                // its gate is taken
  void watch_detached(std::int64_t now) noexcept;

  // resize.cpp
  void watch_cpus(std::int64_t now) noexcept;  // monitor
  void resize() noexcept;                      // service thread, as what it calls
  bool deactivate_idle() noexcept;
  bool activate_one_more() noexcept;
  bool rest(worker& w) noexcept;
  void move_timers(processor& from) noexcept;

  // retake.cpp
  worker* reserve_spare() noexcept;
  worker* make_spare() noexcept;
  void release_spare(worker& s) noexcept;
  void prepare_spares(std::size_t wanted) noexcept;
  void release_prepared() noexcept;
  bool retake(processor& p, worker& w) noexcept;

  // service_thread.cpp
  void service_main() noexcept;
  void wake_service_thread() noexcept;
  bool ask_for_spares(std::size_t n) noexcept;  // by the monitor
  void make_spares_asked_for() noexcept;
  void take_made_spares() noexcept;  // by the monitor
  void report_stalls() noexcept;
  void end_service_thread() noexcept;
  void watch_idle_stacks() noexcept;         // by the monitor
  std::int64_t trim_idle_stacks() noexcept;  // when next; INT64_MAX for never

  // schedtrace.cpp: WEFT_SCHEDTRACE
  void begin_schedtrace() noexcept;
  // if it is due; when it will be next, INT64_MAX for never
  std::int64_t print_schedtrace() noexcept;

  // preempt.cpp
  bool ask_to_preempt(processor& p, worker& w) noexcept;  // false: a spare is on its way
  void collect_successors() noexcept;
  void freeze(worker& w, const void* context) noexcept;  // in the signal handler

  // thaw.cpp
  // w's processor to the oldest preempted thread
  bool thaw(worker& w) noexcept;
  // What a frozen thread leaves to the others between two turns [ORDER-6].
  [[nodiscard]] std::int64_t frozen_slice() const noexcept {
    return std::clamp<std::int64_t>(options_.time_slice.count(), 1, 1000) * 1'000'000;
  }
  bool thaw_detached() noexcept;
  worker* reserve_frozen() noexcept;
  void take_turn(worker& w, processor& p) noexcept;       // in the signal handler
  void begin_turn(processor& p) noexcept;                 // of a thawed one
  void line_up_frozen(processor& p, worker& z) noexcept;  // under the idle lock
  [[nodiscard]] bool any_frozen() const noexcept {
    return frozen_count_.load(std::memory_order_relaxed) > 0 || standing_by_ > 0;
  }
  [[nodiscard]] os::thread_activity activity_of(const worker& w, std::int64_t still_ns) noexcept;
  [[nodiscard]] bool stuck_inside(processor& p, worker& w, std::int64_t now) noexcept;
  bool unblock(processor& p, worker& w, std::int64_t now) noexcept;
  friend bool on_preempt_signal(int, siginfo_t*, void*);

  class outside_spawn;
  friend struct scheduler_probe;  // tests look, and set stress_

  const std::uint32_t number_;  // of this runtime in the process, for the tracer
  const options options_;
  const stack_class default_class_;
  const std::int64_t made_ns_ = os::now_ns();
  const fiber_describer describe_;
  const call_finder calls_of_;
  const deadlock_checker check_idle_;
  std::atomic<bool> idle_too_long_{false};  // by the monitor, for the service thread
  bool has_wake_word_ = true;
  // Room for as many as may be from the start: it is read while it grows.
  std::vector<std::unique_ptr<processor>> processors_;  // [0, processor_count_)
  std::atomic<std::size_t> processor_count_{0};         // release by make_processor [LIFE-5]
  // how many of them serve [RESIZE-1]
  processor_counts counts_;
  // Room for options::max_threads from the start: it is read while it grows.
  std::vector<std::unique_ptr<worker>> workers_;  // [0, worker_count_)
  // release by make_worker, acquire by readers [LIFE-5]
  std::atomic<std::size_t> worker_count_{0};
  std::unique_ptr<poll_source> poller_;
  std::atomic<phase> phase_{phase::running};
  std::atomic<bool> threads_end_{false};
  scheduler* next_kept_ = nullptr;

  idle_state idle_;
  base::ranked_futex_lock<base::lock_rank::idle> idle_lock_;
  // under idle_lock_
  std::vector<processor*> idle_processors_;
  std::vector<processor*> inactive_;  // made, and not serving [RESIZE-2]
  base::intrusive_list<worker> parked_;
  // threads of one fiber each, which waits [OWN-1]
  base::intrusive_list<worker> own_asleep_;
  // threads that were made for such, and are ordinary workers now [OWN-2]
  std::size_t own_ended_ = 0;
  base::intrusive_list<worker> frozen_;  // preempted, each in its handler, oldest first
  worker* in_poller_ = nullptr;

  // [TIMER-1] until when the worker in the poller sleeps; INT64_MIN: there is none.
  std::atomic<std::int64_t> poll_until_{INT64_MIN};
  std::atomic<std::int64_t> polled_at_{0};  // when it was last polled; relaxed

  std::atomic<std::uint32_t> frozen_count_{0};  // written under idle_lock_
  std::atomic<std::uint64_t> retakes_{0}, preemptions_{0};
  struct {
    base::counter polls, poll_events, timers_fired, stalls, blind_looks;
  } monitor_counters_;  // the monitor writes

  alignas(base::cache_line) inject_queue<fiber_record*> injected_;
  alignas(base::cache_line) std::atomic<std::int64_t> injected_size_{0};  // the late ones, too
  std::atomic<fiber_record*> no_alloc_list_{nullptr};  // by `link`, newest first [MON-3]
  // The same as a worker's, by threads that are none. [LIFE-1], [LIFE-6]
  std::atomic<std::uint64_t> outside_spawned_{0}, outside_ended_{0};
  std::atomic<std::uint64_t> outside_wakes_{0};  // relaxed
  std::atomic<std::uint32_t> drained_{0};        // futex: counts fiber ends while stopping
  // futex: 1 = asleep until a processor is busy [MON-1]
  std::atomic<std::uint32_t> monitor_asleep_{0};
  std::atomic<std::uint32_t> monitor_ends_{0};  // futex: 1 = end
  const sigset_t creator_mask_;                 // workers and offload threads have it, too
  offload_pool offloads_;
  std::thread monitor_;
  std::int64_t watched_ns_ = 0;  // monitor: when the round before was
  // monitor: when it last requested the number of our CPUs
  std::int64_t cpus_read_ns_ = 0;
  std::atomic<bool> cpus_due_{false};
  std::atomic<std::int64_t> cpus_every_ns_{1'000'000'000};  // relaxed; only tests change it
  // Tests only: the monitor preempts and retakes at random instants, without need; relaxed.
  static constexpr std::uint32_t stress_preempts = 1, stress_retakes = 2;
  std::atomic<std::uint32_t> stress_{0};
  base::rng stress_random_{1};                                 // monitor
  bool asks_to_make_way_ = false, counted_as_asking_ = false;  // monitor: for resched_requests
  // monitor: provided, those that are frozen; or were, a round ago
  int successors_ = 0, standing_by_ = 0;
  std::int64_t bits_not_before_ns_ = 0;  // monitor: blocks_in_bits
  int rounds_after_retake_ = 0;          // monitor: a retake was not long ago
  // monitor: retaken and not reported (stalls.cpp); has room for all
  std::vector<worker*> detached_;
  // monitor: spares it reserved before it needs them; has room for all
  std::vector<worker*> prepared_;
  std::atomic<worker*> made_{nullptr};  // by `next_made`: on their way there
  poll_source::batch watched_ready_;    // monitor
  std::thread service_thread_;
  // its count changes with every call [SERVICE-1]
  wake_word& wake_word_;
  std::atomic<std::uint32_t> spares_asked_{0};
  std::atomic<std::int64_t> spares_hopeless_until_{0};
  // since when it has been at work; 0: it sleeps
  std::atomic<std::int64_t> service_busy_since_{0};
  std::atomic<pid_t> service_thread_id_{0};  // relaxed: set before it is first at work
  os::thread_stat aide_stat_;
  std::atomic<bool> service_ends_{false};
  // our service thread has the claim (fiber/stack_trim.hpp); relaxed: before it is called
  std::atomic<bool> trims_{false};
  // service thread; 0: not asked for
  std::int64_t schedtrace_every_ns_ = 0, schedtrace_at_ns_ = INT64_MAX;
  std::unique_ptr<runtime_metrics> schedtrace_last_;  // service thread
  base::ranked_futex_lock<base::lock_rank::scheduler> spare_lock_;
  bool thread_limit_reported_ = false;  // under spare_lock_
  // under spare_lock_: the system gave no thread for it
  worker* unstarted_ = nullptr;
  // under spare_lock_: their threads have ended, by `next_ended`
  worker* vacant_ = nullptr;
  // under spare_lock_: that of the last of them, not joined yet
  std::thread last_vacated_;
  std::atomic<std::int64_t> idle_thread_ns_{10'000'000'000};  // relaxed; only tests change it
  // workers that have not left their loop [LIFE-3]
  std::atomic<std::size_t> threads_running_{0};
  std::mutex shutdown_lock_;                  // one shutdown at a time
  std::size_t stragglers_ = 0;                // under shutdown_lock_
  std::atomic<bool> stragglers_left_{false};  // seq_cst [LEFT-1]
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

/// That of the default runtime, for callers without one. Made on first use, never shut down
/// (src/api/runtime.cpp).
[[nodiscard]] scheduler& default_scheduler();

}  // namespace weft::detail
