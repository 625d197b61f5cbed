// SPDX-License-Identifier: BSL-1.0
// sched/processor_lease.hpp - who may touch a processor: its worker, or the thread that took it
// away.
//
//   worker  enter:  1 in_weft = 1   2 compiler barrier [LEASE-1]   3 read my processor
//           leave:  in_weft = 0
//   taker   take:   1 processor -> contested   2 membarrier [LEASE-1]   3 read in_weft
//                   0: the processor is the taker's.   1: it goes back, nothing happened.
//
// The asymmetric Dekker: entering weft is a store and a load for the worker, thousands of times a
// millisecond; the membarrier (7-8 us) falls on the taker. Only the monitor takes: to retake, and
// to put a next slot and a claimed run where thieves reach them (share_out).
// Rejected: a CAS per entry (6 ns on every call); a signal to ask the worker (EINTR for the user's
// code).
#pragma once

#include <atomic>
#include <cstdint>

#include "base/sync_policy.hpp"

namespace weft::detail {

// LEASE-1  while a taker holds the processor, its worker does not; and the other way round.
// LEASE-2  what one holder wrote to the processor, the next holder sees.
template <class Processor, class Sync = base::real_sync>
class basic_processor_lease {
  template <class U>
  using atomic = typename Sync::template atomic<U>;

 public:
  // ---- the worker
  // The processor, or null if it was taken or is being fought over: then see `await_taker`.
  Processor* enter() {
    in_weft_.store(1, std::memory_order_relaxed);
    Sync::light_fence();  // [LEASE-1] heavy_fence in try_take
    const std::uintptr_t p = processor_.load(std::memory_order_acquire);  // [LEASE-2] give_back
    return p & contested ? nullptr : reinterpret_cast<Processor*>(p);
  }
  void leave() { in_weft_.store(0, std::memory_order_release); }  // [LEASE-2] acquire in try_take

  // After enter returned null: waits out a taker. Null now means the processor is gone for good.
  Processor* await_taker() {
    for (;;) {
      const std::uintptr_t p = processor_.load(std::memory_order_acquire);  // [LEASE-2] give_back
      if (!(p & contested)) return reinterpret_cast<Processor*>(p);
      Sync::pause();
    }
  }

  // Inside weft only: takes up or gives up a processor that no other thread can reach through this
  // gate.
  void attach(Processor* p) {
    processor_.store(reinterpret_cast<std::uintptr_t>(p), std::memory_order_release);
  }
  // False if a taker has its hand on it: await_taker and look again.
  bool detach(Processor* p) {
    std::uintptr_t expected = reinterpret_cast<std::uintptr_t>(p);
    return processor_.compare_exchange_strong(expected, 0, std::memory_order_acq_rel,
                                              std::memory_order_relaxed);
  }

  bool inside() const { return in_weft_.load(std::memory_order_relaxed) != 0; }
  Processor* held() const {  // a moment's guess, for others; acquire: attach, it may be new
    return reinterpret_cast<Processor*>(processor_.load(std::memory_order_acquire) & ~contested);
  }

  // ---- takers
  // True: the processor is the caller's, until give_back or keep.
  bool try_take(Processor* p) {
    std::uintptr_t expected = reinterpret_cast<std::uintptr_t>(p);
    if (in_weft_.load(std::memory_order_relaxed) != 0) return false;  // spares the membarrier
    if (!processor_.compare_exchange_strong(expected, expected | contested,
                                            std::memory_order_acq_rel, std::memory_order_relaxed))
      return false;
    Sync::heavy_fence();  // [LEASE-1] light_fence in enter
    if (in_weft_.load(std::memory_order_acquire) == 0) return true;  // [LEASE-2] release in leave
    give_back(p);
    return false;
  }
  void give_back(Processor* p) {
    processor_.store(reinterpret_cast<std::uintptr_t>(p), std::memory_order_release);  // [LEASE-2]
  }
  // the worker is detached from now on
  void keep() { processor_.store(0, std::memory_order_release); }

 private:
  static constexpr std::uintptr_t contested = 1;
  atomic<std::uint32_t> in_weft_{1};     // the worker writes; a thread starts inside
  atomic<std::uintptr_t> processor_{0};  // the worker and takers, by the protocol above
};

}  // namespace weft::detail
