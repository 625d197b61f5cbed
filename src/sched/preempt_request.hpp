// SPDX-License-Identifier: BSL-1.0
// sched/preempt_request.hpp - what the monitor and a worker's signal handler say to each other
// (watch/preempter.hpp).
//
//   monitor   1 provide: a spare, reserved   2 ask: the tick it saw, then the flag   3 the signal
//             4 a later round, the tick has moved: take_back
//   handler   1 accept: the flag, once       2 the tick                             3 take_spare
//
// PREEMPT-1  a spare that was provided is used by the handler or taken back by the monitor, never
//            both, never neither.
// PREEMPT-2  the handler acts at most once for each request, and knows the tick it was made for or
//            a later one's.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/sync_policy.hpp"

namespace weft::detail {

template <class Spare, class Sync = base::real_sync>
class basic_preempt_request {
 public:
  // ---- the monitor
  [[nodiscard]] const Spare* provided() const { return spare_.load(std::memory_order_relaxed); }
  // The handler may take it on an older request than the one that follows, so the flag does not
  // tell it what the spare is.
  void provide(Spare& s) { spare_.store(&s, std::memory_order_release); }  // [PREEMPT-1] take_spare
  // PREEMPT-1
  [[nodiscard]] Spare* take_back() { return spare_.exchange(nullptr, std::memory_order_relaxed); }
  void ask(std::uint32_t tick) {  // after provide
    tick_.store(tick, std::memory_order_relaxed);
    asked_.store(1, std::memory_order_release);  // [PREEMPT-2] accept
  }
  void withdraw() { asked_.store(0, std::memory_order_relaxed); }  // no signal could be sent

  // ---- the handler, on the worker's own thread
  // [PREEMPT-2] ask
  [[nodiscard]] bool accept() { return asked_.exchange(0, std::memory_order_acq_rel) != 0; }
  [[nodiscard]] std::uint32_t tick() const { return tick_.load(std::memory_order_relaxed); }
  // [PREEMPT-1] provide
  [[nodiscard]] Spare* take_spare() { return spare_.exchange(nullptr, std::memory_order_acquire); }

 private:
  template <class U>
  using atomic = typename Sync::template atomic<U>;

  atomic<Spare*> spare_{nullptr};  // reserved; the thread that exchanges it out has it
  atomic<std::uint32_t> asked_{0};
  atomic<std::uint32_t> tick_{0};
};

}  // namespace weft::detail
