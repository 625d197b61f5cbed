// SPDX-License-Identifier: BSL-1.0
// sched/thaw.cpp - a preempted thread continues, because it is its turn or because another may wait
// for what it holds.
//
//   thaw            a worker gives the first in line its processor and sleeps
//   reserve_frozen  the monitor takes a blocked or computing worker's processor, and no thread can
//                   be had for it: the first in line needs no new one. It is given the processor
//                   as a spare would be (retake, freeze)
//   thaw_detached   no processor can be given: the waiter waits inside weft, or keeps its processor
//                   by options::retake. The first in line continues without one, as after a retake,
//                   until it enters weft
//   the end         of a runtime with stragglers: all continue (end_threads)
//
// The proof that one of the four comes is PREEMPT-3.
#include <mutex>
#include <utility>

#include "sched/runtime_entry.hpp"

namespace weft::detail {
namespace {

constexpr std::int64_t stuck_ns = 2'000'000;
constexpr std::int64_t spins_ns = 4'000'000;  // of CPU time
constexpr int spins_looks = 5;
constexpr std::int64_t blind_ns = 10'000'000;  // longer than one waits for a CPU, as a rule

}  // namespace

bool scheduler::thaw(worker& w) noexcept {
  worker* z;
  {
    const std::lock_guard guard(idle_lock_);
    z = frozen_.pop_front();
    w.held->order.thaw_first = false;
    if (z == nullptr) return false;
    z->frozen = false;
    frozen_count_.fetch_sub(1, std::memory_order_relaxed);
  }
  if (w.searching) stop_searching(w);
  while (!w.gate.detach(w.held)) static_cast<void>(w.gate.await_taker());
  processor* p = std::exchange(w.held, nullptr);
  p->holder.store(nullptr, std::memory_order_relaxed);
  begin_turn(*p);
  z->assigned.store(p, std::memory_order_release);  // [WAKE-1] freeze
  kick(*z);
  return true;
}

void scheduler::begin_turn(processor& p) noexcept {
  p.bump_tick();
  const std::int64_t now = os::now_ns();
  p.thawed_ns.store(now, std::memory_order_relaxed);
  p.order.delay_frozen(now, frozen_slice());
}

void scheduler::line_up_frozen(processor& p, worker& z) noexcept {
  frozen_.push_back(z);
  z.frozen = true;
  frozen_count_.fetch_add(1, std::memory_order_release);
  p.order.delay_frozen(os::now_ns(), frozen_slice());  // it has had its turn
}

// By the monitor. It stays `frozen`: what is reserved this way goes back to the line
// (release_spare), not to sleep.
worker* scheduler::reserve_frozen() noexcept {
  const std::lock_guard guard(idle_lock_);
  worker* z = frozen_.pop_front();
  if (z == nullptr) return nullptr;
  frozen_count_.fetch_sub(1, std::memory_order_relaxed);
  z->reserved = true;
  return z;
}

// In the handler of one that was reserved, which now has `p`: what thaw does, and take_assigned.
// The lock is safe here: a thread that holds one of weft's is never frozen.
void scheduler::take_turn(worker& w, processor& p) noexcept {
  begin_turn(p);
  const std::lock_guard guard(idle_lock_);
  w.reserved = w.frozen = false;
  if (worker* other = std::exchange(w.froze, nullptr)) line_up_frozen(p, *other);
}

// [PREEMPT-3] By the monitor. Threads that stand by as successors count, too: one of them may hold
// the lock.
bool scheduler::thaw_detached() noexcept {
  worker* z = nullptr;
  {
    const std::lock_guard guard(idle_lock_);
    z = frozen_.pop_front();
    if (z != nullptr) frozen_count_.fetch_sub(1, std::memory_order_relaxed);
  }
  if (z == nullptr && standing_by_ > 0)
    for_each_worker([&](worker& w) {
      const worker* const s = w.preemption.provided();
      // PREEMPT-1
      if (z == nullptr && s != nullptr && s->stands_by_since_ns != 0) z = w.preemption.take_back();
    });
  if (z == nullptr) return false;
  {
    const std::lock_guard guard(idle_lock_);
    z->frozen = z->reserved = false;
  }
  z->runs_detached.store(1, std::memory_order_release);  // [PREEMPT-3] freeze
  kick(*z);
  return true;
}

// It stands still, and its CPU clock shows for how long. Without /proc there is no other evidence.
os::thread_activity scheduler::activity_of(const worker& w, std::int64_t still_ns) noexcept {
  const os::thread_activity a = w.activity();
  if (a != os::thread_activity::unknown) return a;
  monitor_counters_.blind_looks.add();
  return still_ns >= blind_ns ? os::thread_activity::sleeps : os::thread_activity::unknown;
}

// Asleep in user code.
bool scheduler::unblock(processor& p, worker& w, std::int64_t now) noexcept {
  if (options_.retake) return retake(p, w);
  return any_frozen() && now - p.seen.since_ns > stuck_ns && thaw_detached();
}

// Inside weft with the same tick, look after look: asleep, or spinning for a lock that yields and
// yields - a stop state's, an allocator's. A fiber that merely calls weft again and again yields
// when asked (request_resched), which is another tick.
bool scheduler::stuck_inside(processor& p, worker& w, std::int64_t now) noexcept {
  if (!any_frozen() || now - p.seen.since_ns <= stuck_ns) return false;
  // [MON-2]: it comes up, and may allocate
  if (!w.started.load(std::memory_order_acquire)) return true;
  auto& seen = p.seen;
  const std::int64_t cpu = w.cpu.now_ns();
  if (seen.inside_looks++ == 0) {
    seen.inside_ns = now;
    seen.inside_cpu_ns = cpu;
  }
  const std::int64_t used = cpu - seen.inside_cpu_ns;
  const bool spins = seen.inside_looks >= spins_looks && used >= spins_ns;
  const bool still = used < (now - seen.inside_ns) / 8;
  if (!spins && activity_of(w, still ? now - seen.inside_ns : 0) != os::thread_activity::sleeps)
    return false;
  seen.inside_looks = 0;  // one at a time
  return true;
}

}  // namespace weft::detail
