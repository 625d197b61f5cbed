// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/worker.hpp - an OS thread that runs fibers while it holds a processor.
//
// The worker owns what belongs to the thread: free records, free stacks, its own context. Only its
// thread touches those, and a fiber that runs on it is frozen with it when it is preempted, so they
// need no protocol.

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include <weft/detail/export.hpp>
#include <weft/options.hpp>

#include "base/cache_line.hpp"
#include "base/intrusive_list.hpp"
#include "base/parker.hpp"
#include "base/rng.hpp"
#include "fiber/record.hpp"
#include "fiber/switch.hpp"
#include "os/os.hpp"
#include "sched/counters.hpp"
#include "sched/frozen_context.hpp"
#include "sched/preempt_request.hpp"
#include "sched/processor.hpp"
#include "sched/processor_lease.hpp"
#include "sched/step_budget.hpp"

namespace weft::detail {

// What the code that arrives on the next stack owes to the stack that was left.
enum class switch_action : std::uint8_t {
  own_context,  // it was the worker's own: keep its address
  yield,        // behind the others on this processor
  park,         // commit; enqueue if a wake came first
  requeue,      // no processor any more: to the inject queue
  finish,       // its fiber has ended: the stack is free
};

struct alignas(base::cache_line) worker : base::list_hook<> {
  explicit worker(stack_guard_policy guard = stack_guard_policy::checked) noexcept
      : stacks(guard) {}

  // ---- its own thread
  basic_processor_lease<processor> gate;    // and takers, see there
  processor* held = nullptr;                // what the gate gave, valid inside weft
  fiber_record* current = nullptr;          // the fiber it runs; null on its own context
  const fiber_record* own_fiber = nullptr;  // attributes::own_thread: it runs no other [OWN-1]
  fiber_record* left = nullptr;             // the fiber that was left, for `action`
  switch_action action = switch_action::own_context;
  bool searching = false;  // counted as such in the idle state
  step_budget budget;      // of the fiber it runs
  context own = nullptr;   // its own context, while a fiber runs
  stack_ref left_stack;    // action finish
  void* left_tsan = nullptr;
  thread_state state;
  scheduler* home = nullptr;
  std::uint32_t index = 0;
  std::int32_t spawn_allowance = 0;       // spawns until options::max_fibers is looked at again
  std::uint64_t next_id = 0, end_id = 0;  // fiber ids in hand
  // Spawned here, ended here; the own thread writes. [LIFE-6] live_fibers
  std::atomic<std::uint64_t> spawned{0}, ended{0};
  worker_counters counters;
  record_cache records;
  stack_cache stacks;
  std::uint32_t tidied = 0;        // requests to give the two back that it has met
  std::int64_t poll_pause_ns = 0;  // after events that nobody waited for
  base::rng random;
  stack_bounds own_bounds;

  // ---- set by others
  // look into the bound queue, or yield
  alignas(base::cache_line) std::atomic<std::uint32_t> resched_requested{0};
  // told when a processor was assigned, or the runtime ends [WAKE-1]
  base::parker parker;
  std::atomic<processor*> assigned{nullptr};  // given by its waker [WAKE-1]
  worker* froze = nullptr;                    // comes with `assigned`: who was preempted for it
  std::int64_t stands_by_since_ns = 0;        // monitor: frozen, and somebody's successor
  // ---- monitor and the preempted thread's handler (watch/preempter.cpp)
  basic_preempt_request<worker> preemption;
  std::atomic<std::uint32_t> runs_detached{0};  // leave the handler without a processor
  frozen_context frozen_at;                     // where its fiber stands meanwhile, for reports
  // set before the thread counts as started, as the next two
  os::thread_cpu_clock cpu;
  os::thread_stat stat;                   // of the first workers only: each is a descriptor
  std::atomic<pid_t> tid{0};              // relaxed
  std::int64_t cpu_seen = 0;              // monitor
  std::atomic<std::uint32_t> started{0};  // futex: 1 = its thread is up
  bool can_freeze = false;                // has an alternate stack; set before `started`
  // set by retake and thaw_detached, cleared by its worker on its way back; relaxed
  std::atomic<bool> detached{false};
  // monitor (watch/stalls.hpp): the stretch without a call that goes on now
  struct stall {
    fiber_record* record = nullptr;  // of it
    std::uint64_t fiber = 0;
    std::uint32_t tick = 0;
    char name[64] = "";
    std::int64_t since_ns = -1, cpu_ns = 0;
    bool told = false;
    // [SERVICE-2] The monitor writes the rest while `to_report` is false, the service thread reads
    // it while it is true.
    std::atomic<bool> to_report{false};
    fiber_record* told_record = nullptr;
    std::uint64_t told_fiber = 0;
    std::int64_t told_ns = 0;
    stall_kind told_kind{};
    char told_name[64] = "";
  } stall;
  // ---- under the idle lock (sleepers.hpp)
  bool frozen = false;         // in the list of the frozen, or reserved out of it
  bool frozen_inside = false;  // such a one that cannot continue without a processor [CB-1]
  // asleep, in no list but perhaps the poller: the monitor has plans for it
  bool reserved = false;
  worker* next_made = nullptr;  // watch/spares.cpp
  // worker_threads' lock: its thread has ended, another may take its place
  worker* next_ended = nullptr;
  fiber_record* bound_queue = nullptr;  // bound fibers to run, by `link`

  std::vector<fiber_record*> ready;  // own thread: what a poll brought
  void count_spawn() noexcept {
    --spawn_allowance;
    spawned.store(spawned.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  void count_end() noexcept {
    ended.store(ended.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  [[nodiscard]] pid_t thread_id() const noexcept { return tid.load(std::memory_order_relaxed); }
  [[nodiscard]] os::thread_activity activity() const noexcept { return stat.look(thread_id()); }
  std::thread thread;  // worker_threads' lock, once the runtime has started
};

/// The calling thread's worker. Null on a thread that is no worker. A compiler may keep the address
/// of a thread-local over a switch, so it is read by an instruction that names no address, or by a
/// function that is never inlined. initial-exec: one load in a shared library, too, where the
/// default model is a call.
#if defined(__x86_64__)
[[gnu::tls_model("initial-exec")]] WEFT_API extern thread_local constinit worker*
    current_worker asm("weft_current_worker");
inline worker* this_worker() noexcept {
  worker* w;
  // Volatile: two are not made one, and none is moved over a call.
  asm volatile(
      "movq weft_current_worker@gottpoff(%%rip), %0\n\t"
      "movq %%fs:(%0), %0"
      : "=r"(w));
  return w;
}
#else
WEFT_API [[gnu::noinline]] worker* this_worker() noexcept;
#endif
void set_this_worker(worker* w) noexcept;  // once per thread
/// A monitor: it must not allocate [MON-3].
[[gnu::noinline]] bool on_monitor() noexcept;
void set_on_monitor() noexcept;

}  // namespace weft::detail
