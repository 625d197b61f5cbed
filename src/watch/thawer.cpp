// SPDX-License-Identifier: BSL-1.0
// watch/thawer.cpp - see the header.
#include "watch/thawer.hpp"

namespace weft::detail {
namespace {

constexpr std::int64_t stuck_ns = 2'000'000;
constexpr std::int64_t spins_ns = 4'000'000;  // of CPU time
constexpr int spins_looks = 5;
constexpr std::int64_t blind_ns = 10'000'000;  // longer than one waits for a CPU, as a rule

}  // namespace

// [PREEMPT-3] By the monitor. Threads that stand by as successors count, too: one of them may hold
// the lock.
bool thawer::thaw_detached() noexcept {
  worker* z = s_.sleeping().take_frozen_outside();
  if (z == nullptr) z = preempter_.take_back_standing_by();
  if (z == nullptr) return false;
  s_.sleeping().unfreeze(*z);
  z->runs_detached.store(1, std::memory_order_release);  // [PREEMPT-3] freeze
  sleepers::wake(*z);
  return true;
}

// It stands still, and its CPU clock shows for how long. Without /proc there is no other evidence.
os::thread_activity thawer::activity_of(const worker& w, std::int64_t still_ns) noexcept {
  const os::thread_activity a = w.activity();
  if (a != os::thread_activity::unknown) return a;
  blind_looks_.add();
  return still_ns >= blind_ns ? os::thread_activity::sleeps : os::thread_activity::unknown;
}

// Asleep in user code.
bool thawer::unblock(processor& p, worker& w, std::int64_t now) noexcept {
  if (s_.settings().retake) return retaker_.retake(p, w);
  return any_frozen() && now - p.seen.since_ns > stuck_ns && thaw_detached();
}

// Inside weft with the same tick, look after look: asleep, or spinning for a lock that yields and
// yields - a stop state's, an allocator's. A fiber that merely calls weft again and again yields
// when asked (request_resched), which is another tick.
bool thawer::stuck_inside(processor& p, worker& w, std::int64_t now) noexcept {
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
