// SPDX-License-Identifier: BSL-1.0
#pragma once
// watch/monitor.hpp - one thread that watches the processors, and never holds one.
//
// A round looks at every busy processor's tick. If the tick is the same as in the round before, its
// fiber has not come back to the scheduler since. Then the monitor does what that processor's
// holder would do for others:
//
//   due timers            fired; their fibers go to the inject queue
//   next slot, claimed    put where thieves reach them, if some processor is idle (share_out)
//   the poller            a sleeper is sent there, if a processor is idle; else looked at every 2
//                         ms, 4 while no fiber stalls, and not while all who could run what it
//                         finds wait for a CPU
//   blocked in the kernel, others wait       the processor is retaken (retaker.hpp)
//   computing past its slice, others wait    the thread is preempted (preempter.hpp); a fiber that
//                         a timer or a descriptor made ready meanwhile waits for a quarter of the
//                         slice only
//   a sleeper overlooked  wakes, if there is work: one that was reserved could not be woken
//                         (retire, wake_one)
//   affinity, CPU quota   read again once a second (resizer.hpp)
//   blocked for moments, again and again     more processors serve (compensator.hpp)
//   a stack without guard looked at (sched/stack_look.cpp)
//   many idle stacks      the service thread gives their memory back (fiber/stack_trim.hpp)
// It never allocates, blocks or calls the user: see service_thread.hpp [MON-3].
// Rounds come 50 us apart after a retake. While there is none the distance doubles up to 1 ms, and
// to 4 ms after 0.1 s of that. So much later is a fiber that blocks noticed; a round costs 15 us of
// a CPU. What was done for others beside a fiber that computes keeps the millisecond for 0.1 s;
// beside a thread that waits for a CPU, which is any server that shares the machine, it does not. A
// fiber that blocks for less than that, again and again, brings the quick rounds back
// (blocks_briefly); a second look follows after 50 us, if it may have begun to block just now.
// Timers and ends of slices are kept on time, but for a holder that waits for a CPU itself.
// When all processors have been idle for a while it sleeps for good: [MON-1] asleep = 1, fence,
// look for a busy processor; attach, then read asleep. The relaxed read of attach may miss the 1:
// the next attach, or the poller, makes up for it. Only a bound on lateness depends on it.

#include <atomic>
#include <cstdint>
#include <thread>

#include "base/counter.hpp"
#include "base/rng.hpp"
#include "sched/scheduler.hpp"
#include "watch/compensator.hpp"
#include "watch/preempter.hpp"
#include "watch/resizer.hpp"
#include "watch/retaker.hpp"
#include "watch/service_thread.hpp"
#include "watch/spares.hpp"
#include "watch/stack_trimmer.hpp"
#include "watch/stalls.hpp"
#include "watch/thawer.hpp"

namespace weft::detail {

/// What it asks for what it finds.
struct monitor_helpers {
  service_thread& service;
  spares& spare;
  stalls& stall;
  retaker& retake;
  preempter& preempt;
  thawer& thaw;
  resizer& resize;
  stack_trimmer& trim;
};

class monitor {
 public:
  monitor(scheduler& s, const monitor_helpers& helpers);

  void start();  // throws std::system_error
  void end() noexcept;
  [[nodiscard]] bool is_there() const noexcept { return thread_.joinable(); }

  /// For the service thread: true, once, if the runtime has been idle for options::deadlock_after.
  [[nodiscard]] bool take_idle_too_long() noexcept {
    return idle_too_long_.exchange(false, std::memory_order_acquire);
  }
  [[nodiscard]] const poll_counters& polled() const noexcept { return counters_; }
  [[nodiscard]] std::uint64_t timers_fired() const noexcept { return timers_fired_.get(); }

  // Tests only: it preempts and retakes at random instants, deserved or not; relaxed.
  static constexpr std::uint32_t stress_preempts = 1, stress_retakes = 2;

 private:
  // What a round met: how soon the next one is worth it.
  enum class met : std::uint8_t { nothing, stall, block };

  // monitor.cpp
  void main() noexcept;
  met watch(std::int64_t now) noexcept;
  bool watch_idle(std::int64_t now) noexcept;  // true: something had to be done
  [[nodiscard]] bool any_left_behind() const noexcept;
  [[nodiscard]] bool any_has_a_cpu() const noexcept;
  [[nodiscard]] bool may_sleep() noexcept;
  void compensate(std::int64_t now) noexcept;
  bool fire_late_timers(processor& p, std::int64_t now) noexcept;
  [[nodiscard]] std::int64_t delay(std::int64_t now, int quiet_rounds) const noexcept;
  void sleep_until_busy() noexcept;
  void count_resched_request() noexcept;
  // processor_watch.cpp
  met watch_processor(processor& p, std::int64_t now) noexcept;
  bool watch_step(processor& p, worker& w, std::int64_t now) noexcept;
  bool blocks_briefly(processor& p, worker& w, std::int64_t now) noexcept;
  void found_computing(processor& p, worker& w, std::int64_t now) noexcept;
  bool share_out(processor& p) noexcept;
  [[nodiscard]] bool others_wait(processor& p) noexcept;
  void request_resched(processor& p, worker& w, std::int64_t now) noexcept;
  bool apply_stress(processor& p, worker& w, std::uint32_t stress) noexcept;
  static std::int64_t patience(const processor& p, std::int64_t slice) noexcept;

  friend struct watch_probe;  // tests set stress_

  scheduler& s_;
  service_thread& service_;
  spares& spares_;
  stalls& stalls_;
  retaker& retaker_;
  preempter& preempter_;
  thawer& thawer_;
  resizer& resizer_;
  stack_trimmer& trimmer_;

  std::atomic<std::uint32_t> ends_{0};  // futex: 1 = end
  std::atomic<std::uint32_t> stress_{0};
  std::atomic<bool> idle_too_long_{false};
  // ---- its thread
  poll_source::batch ready_;
  poll_counters counters_;
  base::counter timers_fired_;
  base::rng stress_random_{1};
  std::int64_t watched_ns_ = 0;  // when the round before was
  bool asks_for_resched_ = false, counted_as_asking_ = false;
  std::int64_t brief_blocks_not_before_ns_ = 0;
  compensator compensation_;
  std::int64_t compensated_ns_ = 0;  // when it last asked for more processors, or fewer
  std::thread thread_;
};

}  // namespace weft::detail
