// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/barrier.hpp - std::barrier for fibers and threads.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <type_traits>
#include <utility>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>

namespace WEFT_API weft {
namespace detail {

struct barrier_state {
  constexpr explicit barrier_state(std::ptrdiff_t n) noexcept : expected(n), pending(n) {}

  std::atomic<std::uint64_t> phase{0};
  // Under the lock of the list.
  std::ptrdiff_t expected, pending;
  wait_list waiters;
};

enum class barrier_drop : std::uint8_t { no, yes };
/// Returns true for the last arrival of the phase; the caller then runs the completion and calls
/// barrier_complete. `phase` is set to the phase arrived at.
[[nodiscard]] bool barrier_arrive(barrier_state& b, std::ptrdiff_t n, barrier_drop drop,
                                  std::uint64_t& phase) noexcept;
void barrier_complete(barrier_state& b) noexcept;
wait_end barrier_wait(barrier_state& b, std::uint64_t phase, const wait_limit& limit);

struct no_completion {
  void operator()() const noexcept {}
};

}  // namespace detail

/// A number of fibers or threads meet here again and again. The last one to arrive runs the
/// completion function; then all continue.
///
/// Blocks: `wait` and `arrive_and_wait`, the calling fiber or thread. An arrival cannot be taken
/// back: after a timeout or a stop request it still counts.
/// Orders: everything before the arrivals of a phase, before its completion; the completion, before
/// the returns of that phase's waits.
/// Throws: arrivals, nothing; the completion function must not throw either. A wait for a time or
/// until a moment throws std::bad_alloc if there is no memory for its deadline. The first wait of a
/// plain thread throws std::system_error if weft cannot keep a record of the thread. The arrival
/// counts all the same.
/// Lifetime: a caller that returns from the wait of a phase may destroy the barrier if no one else
/// waits or arrives.
/// Example: test/unit/examples_locks_test.cpp [barrier]
/// ```
///   weft::barrier step(n, [&]() noexcept { std::swap(now, next); });
///   const auto compute = [&](int i) {
///     for (int round = 0; round < rounds; ++round) {
///       next[i] = now[i] + now[(i + 1) % n];
///       step.arrive_and_wait();
///     }
///   };
///   for (int i = 0; i < n; ++i) all.spawn(compute, i);
/// ```
template <class Completion = detail::no_completion>
class barrier {
  static_assert(std::is_nothrow_invocable_v<Completion&>,
                "the completion of a barrier is noexcept");

 public:
  /// Names the phase that an arrival belongs to.
  class arrival_token {
   public:
    /// Move-only.
    arrival_token(arrival_token&&) noexcept = default;
    /// Move-only.
    arrival_token& operator=(arrival_token&&) noexcept = default;

   private:
    friend barrier;
    explicit arrival_token(std::uint64_t phase) noexcept : phase_(phase) {}
    std::uint64_t phase_;
  };

  /// The largest number of participants.
  [[nodiscard]] static constexpr std::ptrdiff_t max() noexcept { return PTRDIFF_MAX; }
  /// A barrier for `expected` participants, with `f` as its completion function.
  constexpr explicit barrier(std::ptrdiff_t expected, Completion f = Completion())
      : state_(expected), completion_(std::move(f)) {}
  barrier(const barrier&) = delete;
  barrier& operator=(const barrier&) = delete;

  /// Arrives `n` times at the current phase, without waiting.
  /// Blocks: never, except while the completion function runs.
  [[nodiscard]] arrival_token arrive(std::ptrdiff_t n = 1) {
    std::uint64_t phase = 0;
    arrive_at(n, detail::barrier_drop::no, phase);
    return arrival_token(phase);
  }
  /// Waits until the phase of `arrival` has ended.
  void wait(arrival_token&& arrival) const { finished(arrival.phase_, {}); }
  /// Arrives, then waits until the phase has ended.
  void arrive_and_wait() {
    std::uint64_t phase = 0;
    if (!arrive_at(1, detail::barrier_drop::no, phase)) finished(phase, {});
  }
  /// Arrives, and leaves: later phases expect one participant less.
  void arrive_and_drop() {
    std::uint64_t phase = 0;
    arrive_at(1, detail::barrier_drop::yes, phase);
  }

  /// Waits until the phase of `arrival` has ended or a stop is requested on `stop`. Returns true if
  /// the phase has ended; otherwise the token can be used again.
  [[nodiscard]] bool wait(const arrival_token& arrival, const std::stop_token& stop) const {
    return finished(arrival.phase_, detail::wait_limit(stop));
  }
  /// Arrives, then waits until the phase has ended or a stop is requested on `stop`. Returns true
  /// if the phase has ended; otherwise the arrival still counts.
  [[nodiscard]] bool arrive_and_wait(const std::stop_token& stop) {
    std::uint64_t phase = 0;
    return arrive_at(1, detail::barrier_drop::no, phase) ||
           finished(phase, detail::wait_limit(stop));
  }
  /// Waits as with a token alone, for at most `timeout`.
  template <class Rep, class Period>
  [[nodiscard]] bool wait_for(const arrival_token& arrival, const std::stop_token& stop,
                              const std::chrono::duration<Rep, Period>& timeout) const {
    return finished(arrival.phase_, detail::wait_limit(stop, detail::deadline_after(timeout)));
  }
  /// Waits as with a token alone, until `deadline` at the latest.
  template <class Clock, class Duration>
  [[nodiscard]] bool wait_until(const arrival_token& arrival, const std::stop_token& stop,
                                const std::chrono::time_point<Clock, Duration>& deadline) const {
    return finished(arrival.phase_, detail::wait_limit(stop, detail::to_steady(deadline)));
  }
  /// Waits until the phase of `arrival` has ended, for at most `timeout`; true if it has ended.
  template <class Rep, class Period>
  [[nodiscard]] bool wait_for(const arrival_token& arrival,
                              const std::chrono::duration<Rep, Period>& timeout) const {
    return finished(arrival.phase_, detail::wait_limit(detail::deadline_after(timeout)));
  }
  /// The same, until `deadline` at the latest.
  template <class Clock, class Duration>
  [[nodiscard]] bool wait_until(const arrival_token& arrival,
                                const std::chrono::time_point<Clock, Duration>& deadline) const {
    return finished(arrival.phase_, detail::wait_limit(detail::to_steady(deadline)));
  }

 private:
  // Returns true after the last arrival. The phase has ended then, and another participant may have
  // destroyed the barrier.
  bool arrive_at(std::ptrdiff_t n, detail::barrier_drop drop, std::uint64_t& phase) {
    if (!detail::barrier_arrive(state_, n, drop, phase)) return false;
    completion_();
    detail::barrier_complete(state_);
    return true;
  }
  bool finished(std::uint64_t phase, const detail::wait_limit& limit) const {
    return state_.phase.load(std::memory_order_acquire) != phase ||  // [BAR-1] barrier_complete
           detail::barrier_wait(state_, phase, limit) == detail::wait_end::ready;
  }

  mutable detail::barrier_state state_;
  [[no_unique_address]] Completion completion_;
};

}  // namespace WEFT_API weft
