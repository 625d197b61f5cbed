// SPDX-License-Identifier: BSL-1.0
#pragma once
// model/hand_off_world.hpp - what bound_worker_model.cpp's workers share: the lists, who is woken,
// and the mistakes.
#include "sched/idle_state.hpp"

#include <array>
#include <memory>

#include "base/parker.hpp"
#include "model/explorer.hpp"
#include "model/sync.hpp"

namespace weft::model_hand_off {

using namespace weft::detail;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;

enum class mistake {
  none,
  bound_queue_not_checked,  // by who lies down
  // send_to_bound_worker takes a sleeper that has been given a processor already
  poller_woken_twice,
  not_counted,          // send_to_bound_worker wakes a sleeper that nobody counts as searching
  role_ends_with_wake,  // the next one may wait in the poller before the woken one has left it
  blind_second_look,    // retire takes a processor though it has been given one
  put_back_silently,    // sleepers::release wakes nobody for what came meanwhile
  // sleepers::release puts a sleeper into the list that has not left the poller yet
  put_back_twice,
  // who finds nobody to wake says so after the lock, when the next one has looked in vain
  undone_late,
  own_leaves_silently,  // a thread of one fiber's wakes nobody for the work it leaves
};

using index = std::uint32_t;
constexpr index nobody = 7;
constexpr index bound_to = 1;  // the worker all bound fibers are bound to

// Under the idle lock.
struct lists {
  std::uint32_t idle = 0, parked = 0, reserved = 0;  // bit i: processor, worker i
  // fibers bound to `bound_to`, in its bound queue
  std::uint32_t bound_queue = 0;
  index in_poller = nobody;
  bool own_asleep = false;  // `bound_to`, if it is a thread of one fiber's

  static constexpr std::uint32_t locked = 1U << 31;
  [[nodiscard]] std::uint32_t pack() const {
    return idle | parked << 4 | reserved << 8 | bound_queue << 12 | in_poller << 16 |
           (own_asleep ? 1U << 20 : 0);
  }
  static lists of(std::uint32_t w) {
    return {w & 15, w >> 4 & 15, w >> 8 & 15, w >> 12 & 15, w >> 16 & 7, (w >> 20 & 1) != 0};
  }
};

index take_lowest(std::uint32_t& set) {
  const auto i = static_cast<index>(__builtin_ctz(set));
  set &= set - 1;
  return i;
}

template <class Sync>
struct scene {
  mistake wrong = mistake::none;
  bool own = false;  // `bound_to` runs bound fibers only [OWN-1]
  basic_idle_state<Sync> gate;
  model::atomic<std::uint32_t> guarded{0};
  model::atomic<unsigned> unbound{0}, bound{0};  // on the inject queue
  model::atomic<unsigned> interrupts{0};         // the poller's eventfd
  model::atomic<unsigned> resched_requested{0};  // of `bound_to`
  struct worker {
    model::atomic<unsigned> assigned{0};  // a processor's index + 1
    base::basic_parker<Sync> parker;
  };
  std::array<worker, 3> workers;
  std::array<model::plain<int>, 2> visits{};  // of processors: two holders are a race
  model::atomic<unsigned> ran{0}, ran_bound{0};

  lists lock() {
    std::uint32_t w = 0;
    while (w & lists::locked ||
           !guarded.compare_exchange_strong(w, w | lists::locked, acquire, relaxed)) {
      if (!(w & lists::locked)) continue;
      Sync::pause();
      w = guarded.load(relaxed);
    }
    return lists::of(w);
  }
  void unlock(const lists& l) { guarded.store(l.pack(), release); }
  bool work_in_sight() { return unbound.load(relaxed) != 0 || bound.load(relaxed) != 0; }
  bool wakeable_in_poller(const lists& l) {
    return l.in_poller != nobody && !(l.reserved >> l.in_poller & 1) &&
           workers[l.in_poller].assigned.load(relaxed) == 0;
  }

  void interrupt() {
    interrupts.store(1, release);
    interrupts.futex_wake(1);
  }
  void kick(index w) { workers[w].parker.unpark(); }

  void wake_one_if_needed() {
    if (!gate.must_wake() || !gate.try_claim_wake()) return;
    lists l = lock();
    index w = nobody;
    const bool in_poller =
        wakeable_in_poller(l) && (__builtin_popcount(l.idle) == 1 || l.parked == 0);
    if (in_poller)
      w = l.in_poller;
    else if (l.parked != 0)
      w = take_lowest(l.parked);
    if (w != nobody) {
      model::check(l.idle != 0, "IDLE-2: who has the right to one finds an idle processor");
      workers[w].assigned.store(take_lowest(l.idle) + 1, release);
      if (in_poller && wrong == mistake::role_ends_with_wake) l.in_poller = nobody;
    } else if (wrong != mistake::undone_late) {
      gate.undo_claim_wake();
    }
    unlock(l);
    if (w == nobody) {
      if (wrong == mistake::undone_late) gate.undo_claim_wake();
      return;
    }
    if (in_poller)
      interrupt();
    else
      kick(w);
  }
};
template <class Sync>
using shared = std::shared_ptr<scene<Sync>>;

bool take(model::atomic<unsigned>& jobs) {
  unsigned n = jobs.load(relaxed);
  while (n != 0)
    if (jobs.compare_exchange_strong(n, n - 1, acquire, relaxed)) return true;
  return false;
}

}  // namespace weft::model_hand_off
