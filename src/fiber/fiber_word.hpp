// SPDX-License-Identifier: BSL-1.0
// fiber/fiber_word.hpp - the one word that says what a fiber is doing, and the park/ready protocol.
//
//   parker                                     waker (has the ticket: fiber and epoch)
//   1 begin_park: running -> parking, ++epoch  1 wake(epoch, code)
//   2 publish the ticket where wakers look         parking -> woken     nothing owed: the parker
//     sees it
//   3 leave the stack                              parked  -> runnable  the waker enqueues the
//     fiber
//   4 commit: parking -> parked                    another epoch: stale, nothing happens
//     or, if woken came first: run again
//
// The epoch makes tickets disposable: a timer, a wait list and a stop request may all hold one for
// the same park; one wins, the others find the epoch gone. Records are never unmapped (see
// record.hpp), so even a ticket of a fiber long dead is safe to try. Its 32 bits wrap after four
// thousand million parks of one record: a ticket would have to be kept exactly that long to be
// mistaken.
// Rejected: holding the object's lock until the fiber is off its stack (one lock per park, and
// select needs many); a separate "wake pending" flag (two sources of truth).
#pragma once

#include <atomic>
#include <cstdint>

#include "base/sync_policy.hpp"

namespace weft::detail {

enum class fiber_state : std::uint8_t {
  unused,    // in a record cache; has no owner
  fresh,     // on exactly one queue, or with the spawner; has no stack yet
  runnable,  // on exactly one queue; stack at rest; the queue's consumer runs it
  running,   // a worker is on its stack; that worker owns it
  parking,   // still on its stack, its ticket is published; the worker owns it until commit
  parked,    // off its stack; the winner of wake() must enqueue it
  woken,     // wake() came before commit; the worker that commits enqueues it
  dead,      // its function has ended
};

enum class wake_code : std::uint16_t { ready = 0, timeout = 1, stop = 2, first_free = 8 };
enum class stoppable : std::uint8_t { no, yes };
// enqueue: a wake came first; fiber is yours
enum class commit_duty : std::uint8_t { none, enqueue };
// none: you won, the parker does the rest
enum class wake_duty : std::uint8_t { stale, none, enqueue };

using epoch_t = std::uint32_t;

// PARK-1  a wake with the current epoch is delivered exactly once, however it falls against commit.
// PARK-2  a stop request made before or during a stoppable park ends it.
// PARK-3  a wake with another epoch changes nothing.
template <class Sync = base::real_sync>
class basic_fiber_word {
 public:
  static constexpr std::uint64_t pack(fiber_state s, stoppable st, wake_code c, epoch_t e) {
    return static_cast<std::uint64_t>(s) | static_cast<std::uint64_t>(st) << 8 |
           static_cast<std::uint64_t>(c) << 16 | static_cast<std::uint64_t>(e) << 32;
  }
  static constexpr fiber_state state_of(std::uint64_t w) {
    return static_cast<fiber_state>(w & 0xff);
  }
  static constexpr bool stoppable_of(std::uint64_t w) { return (w >> 8 & 1) != 0; }
  static constexpr wake_code code_of(std::uint64_t w) {
    return static_cast<wake_code>(w >> 16 & 0xffff);
  }
  static constexpr epoch_t epoch_of(std::uint64_t w) { return static_cast<epoch_t>(w >> 32); }

  // ---- owner: the worker on the fiber's stack, or the one that has it from a queue
  fiber_state state() const { return state_of(word_.load(std::memory_order_relaxed)); }
  epoch_t epoch() const { return epoch_of(word_.load(std::memory_order_relaxed)); }
  wake_code code() const { return code_of(word_.load(std::memory_order_relaxed)); }
  std::uint64_t snapshot() const { return word_.load(std::memory_order_acquire); }  // for reports
  // True if the word is what it was; called after the reads that belong to it [SNAPSHOT-1]. What
  // the fiber does next must not be seen before its word is: the thread that sets it running and
  // then stores needs stores in order, which x86-64's are.
  bool still(std::uint64_t w) const {
    Sync::fence(std::memory_order_acquire);
    return word_.load(std::memory_order_relaxed) == w;
  }

  // unused/dead/runnable/fresh/running -> s; keeps epoch and code. No other thread writes in these
  // states: a stale waker's CAS fails, so a plain store is enough.
  void set(fiber_state s) {
    const std::uint64_t w = word_.load(std::memory_order_relaxed);
    word_.store((w & ~std::uint64_t{0xffff}) | static_cast<std::uint64_t>(s),
                std::memory_order_relaxed);
  }

  // The same, for readers that do not own the fiber: they see with the state what was written to
  // the record before.
  void publish(fiber_state s) {
    const std::uint64_t w = word_.load(std::memory_order_relaxed);
    word_.store((w & ~std::uint64_t{0xffff}) | static_cast<std::uint64_t>(s),
                std::memory_order_release);  // snapshot
  }

  // A free record's memory was dropped, and comes back: the epoch goes on, so that no ticket of
  // before matches [PARK-3]. Other threads may read the word at any time.
  void revive(epoch_t e) {
    word_.store(pack(fiber_state::unused, stoppable::no, wake_code::ready, e),
                std::memory_order_relaxed);
  }

  // running -> parking. The result is the epoch for this park's tickets.
  epoch_t begin_park(stoppable st) {
    const epoch_t e = epoch_of(word_.load(std::memory_order_relaxed)) + 1;
    // Release: wakers that saw the ticket (by the object's own ordering) must find this word, not
    // the last.
    word_.store(pack(fiber_state::parking, st, wake_code::ready, e), std::memory_order_release);
    return e;
  }

  // parking -> running, by the parker itself, before it left its stack. False if a wake came first
  // (then the word is running too, and code() says what the wake brought).
  bool cancel_park() {
    // [PARK-1] wake, if it has come already
    std::uint64_t w = word_.load(std::memory_order_acquire);
    const std::uint64_t back =
        (w & ~std::uint64_t{0xff}) | static_cast<std::uint64_t>(fiber_state::running);
    if (state_of(w) == fiber_state::parking &&
        word_.compare_exchange_strong(w, back, std::memory_order_acq_rel,
                                      std::memory_order_acquire))
      return true;
    set(fiber_state::running);  // woken: ours again
    return false;
  }

  // The parker, still on its stack, found out that a wake already came: no switch is needed.
  bool woken_early() const {
    return state_of(word_.load(std::memory_order_acquire)) == fiber_state::woken;  // [PARK-1] wake
  }

  // parking -> parked, after the stack was left. `stop_requested` loads the fiber's stop flag,
  // seq_cst.
  template <class StopRequested>
  commit_duty commit(StopRequested&& stop_requested) {
    std::uint64_t w = word_.load(std::memory_order_relaxed);
    if (state_of(w) == fiber_state::parking) {
      const std::uint64_t parked =
          (w & ~std::uint64_t{0xff}) | static_cast<std::uint64_t>(fiber_state::parked);
      if (word_.compare_exchange_strong(w, parked, std::memory_order_seq_cst,  // [PARK-1] wake
                                        std::memory_order_acquire)) {
        // [PARK-2] this CAS, then the flag; wake_for_stop: the flag, then this word; all four
        // seq_cst.
        if (stoppable_of(parked)) {
          if (stop_requested() && wake(epoch_of(parked), wake_code::stop) == wake_duty::enqueue)
            return commit_duty::enqueue;
        }
        return commit_duty::none;
      }
    }
    // woken: no other thread touches it now. [PARK-1] pairs with the release in wake.
    w = word_.load(std::memory_order_acquire);
    word_.store((w & ~std::uint64_t{0xff}) | static_cast<std::uint64_t>(fiber_state::runnable),
                std::memory_order_relaxed);
    return commit_duty::enqueue;
  }

  // ---- anyone with a ticket
  [[nodiscard]] wake_duty wake(epoch_t e, wake_code code) {
    std::uint64_t w = word_.load(std::memory_order_acquire);
    while (epoch_of(w) == e) {
      const wake_duty duty = try_wake(w, code);
      if (duty != wake_duty::stale || !waits(w)) return duty;
    }
    return wake_duty::stale;  // PARK-3
  }

  // Called after the stop flag is set (seq_cst): ends a stoppable park.
  [[nodiscard]] wake_duty wake_for_stop() {
    std::uint64_t w = word_.load(std::memory_order_seq_cst);  // [PARK-2] the CAS in commit
    while (stoppable_of(w) && waits(w)) {
      const wake_duty duty = try_wake(w, wake_code::stop);
      if (duty != wake_duty::stale) return duty;
    }
    return wake_duty::stale;
  }

  // Its runtime ends without it: the wait of a parked fiber is won, and it is never resumed. One
  // that is parking is on its stack.
  void leave_behind() {
    std::uint64_t w = word_.load(std::memory_order_seq_cst);  // [LEFT-1] the CAS in commit
    while (state_of(w) == fiber_state::parked && try_wake(w, wake_code::stop) == wake_duty::stale) {
    }
  }
  // The same for one that was woken, and has not run since: nobody runs it any more. True, once, if
  // it got what it waited for: the caller passes that on.
  [[nodiscard]] bool take_back_wake() {
    std::uint64_t w = word_.load(std::memory_order_seq_cst);  // [LEFT-1] commit, the fence after it
    while (state_of(w) == fiber_state::runnable && code_of(w) == wake_code::ready)
      if (word_.compare_exchange_weak(
              w, pack(fiber_state::runnable, stoppable::no, wake_code::stop, epoch_of(w)),
              std::memory_order_acq_rel, std::memory_order_acquire))
        return true;
    return false;
  }

  // True if the fiber still waits under this ticket. (Timers drop entries of waits that are over.)
  bool awaits(epoch_t e) const {
    const std::uint64_t w = word_.load(std::memory_order_acquire);
    return epoch_of(w) == e && waits(w);
  }

 private:
  static constexpr bool waits(std::uint64_t w) {
    return state_of(w) == fiber_state::parking || state_of(w) == fiber_state::parked;
  }

  // One attempt; reloads w on failure.
  wake_duty try_wake(std::uint64_t& w, wake_code code) {
    if (!waits(w)) return wake_duty::stale;
    const bool was_parked = state_of(w) == fiber_state::parked;
    const std::uint64_t next = pack(was_parked ? fiber_state::runnable : fiber_state::woken,
                                    stoppable::no, code, epoch_of(w));
    if (!word_.compare_exchange_weak(w, next, std::memory_order_acq_rel,  // [PARK-1] commit
                                     std::memory_order_acquire))
      return wake_duty::stale;
    return was_parked ? wake_duty::enqueue : wake_duty::none;
  }

  typename Sync::template atomic<std::uint64_t> word_{0};
};

using fiber_word = basic_fiber_word<>;

}  // namespace weft::detail
