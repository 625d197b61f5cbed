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

#include <weft/detail/waiting.hpp>

namespace weft {
namespace detail {

struct barrier_state {
  constexpr explicit barrier_state(std::ptrdiff_t n) noexcept : expected(n), pending(n) {}

  std::atomic<std::uint64_t> phase{0};
  std::ptrdiff_t expected, pending;  // under the lock of the list
  wait_list waiters;
};

enum class barrier_drop : std::uint8_t { no, yes };
/// True: the last one of the phase; the caller runs the completion and then barrier_complete.
/// `phase` is the one arrived at.
[[nodiscard]] bool barrier_arrive(barrier_state& b, std::ptrdiff_t n, barrier_drop drop,
                                  std::uint64_t& phase) noexcept;
void barrier_complete(barrier_state& b) noexcept;
wait_end barrier_wait(barrier_state& b, std::uint64_t phase, const wait_limit& limit);

struct no_completion {
  void operator()() const noexcept {}
};

}  // namespace detail

/// A number of execution agents meet, again and again. The last to arrive runs the completion
/// function; then all go on.
///
/// Blocks: `wait` and `arrive_and_wait` the calling fiber, or thread; an arrival cannot be taken
/// back, so giving up
///         (the timed form, or a token) leaves it counted.
/// Orders: everything before the arrivals of a phase, before its completion; that, before the
/// returns of its waits.
/// Throws: nothing; the completion must not either.
/// Lifetime: who returns from the wait of a phase may destroy it, if nobody else waits or arrives.
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
  class arrival_token {
   public:
    arrival_token(arrival_token&&) noexcept = default;
    arrival_token& operator=(arrival_token&&) noexcept = default;

   private:
    friend barrier;
    explicit arrival_token(std::uint64_t phase) noexcept : phase_(phase) {}
    std::uint64_t phase_;
  };

  [[nodiscard]] static constexpr std::ptrdiff_t max() noexcept { return PTRDIFF_MAX; }
  constexpr explicit barrier(std::ptrdiff_t expected, Completion f = Completion())
      : state_(expected), completion_(std::move(f)) {}
  barrier(const barrier&) = delete;
  barrier& operator=(const barrier&) = delete;

  /// Blocks: never, but for the completion.
  [[nodiscard]] arrival_token arrive(std::ptrdiff_t n = 1) {
    std::uint64_t phase = 0;
    arrive_at(n, detail::barrier_drop::no, phase);
    return arrival_token(phase);
  }
  void wait(arrival_token&& arrival) const { finished(arrival.phase_, {}); }
  void arrive_and_wait() {
    std::uint64_t phase = 0;
    if (!arrive_at(1, detail::barrier_drop::no, phase)) finished(phase, {});
  }
  void arrive_and_drop() {
    std::uint64_t phase = 0;
    arrive_at(1, detail::barrier_drop::yes, phase);
  }

  /// Waits until `stop` is requested, or for a time. Has the phase ended? If not, the token can be
  /// used again.
  [[nodiscard]] bool wait(const arrival_token& arrival, const std::stop_token& stop) const {
    return finished(arrival.phase_, detail::wait_limit(stop));
  }
  /// The same at once. Has the phase ended? If not, the arrival counts all the same.
  [[nodiscard]] bool arrive_and_wait(const std::stop_token& stop) {
    std::uint64_t phase = 0;
    return arrive_at(1, detail::barrier_drop::no, phase) ||
           finished(phase, detail::wait_limit(stop));
  }
  template <class Rep, class Period>
  [[nodiscard]] bool wait_for(const arrival_token& arrival, const std::stop_token& stop,
                              const std::chrono::duration<Rep, Period>& timeout) const {
    return finished(arrival.phase_, detail::wait_limit(stop, detail::deadline_after(timeout)));
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool wait_until(const arrival_token& arrival, const std::stop_token& stop,
                                const std::chrono::time_point<Clock, Duration>& deadline) const {
    return finished(arrival.phase_, detail::wait_limit(stop, detail::to_steady(deadline)));
  }
  template <class Rep, class Period>
  [[nodiscard]] bool wait_for(const arrival_token& arrival,
                              const std::chrono::duration<Rep, Period>& timeout) const {
    return finished(arrival.phase_, detail::wait_limit(detail::deadline_after(timeout)));
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool wait_until(const arrival_token& arrival,
                                const std::chrono::time_point<Clock, Duration>& deadline) const {
    return finished(arrival.phase_, detail::wait_limit(detail::to_steady(deadline)));
  }

 private:
  // True: it was the last arrival, and the phase has ended; others may have destroyed the barrier.
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

}  // namespace weft
