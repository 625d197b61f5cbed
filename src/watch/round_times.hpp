// SPDX-License-Identifier: BSL-1.0
#pragma once
// watch/round_times.hpp - how often the monitor looks, and after how long it acts.

#include <cstddef>
#include <cstdint>

namespace weft::detail {

inline constexpr std::int64_t shortest_round_ns = 50'000, longest_round_ns = 1'000'000,
                              quiet_round_ns = 4'000'000;
inline constexpr std::int64_t poll_at_least_ns = 2'000'000;
// nothing waits: a blocked worker keeps its processor
inline constexpr std::int64_t undisturbed_block_ns = 10'000'000;
inline constexpr std::int64_t timer_grace_ns = 200'000, timer_grace_with_many_steps_ns = 1'000'000;
inline constexpr std::uint32_t many_steps_a_round = 64;  // in a round: about one look at the timers
inline constexpr std::int64_t quick_rounds_again_ns = 24'000'000;
inline constexpr std::int64_t urgent_share = 4;
// Fibers whose wait is over: a mutex's next owner, for one, is promised its turn after a
// millisecond.
inline constexpr std::int64_t ready_patience_ns = 1'000'000;
inline constexpr int quiet_before_slowing = 20, quiet_before_sleep = 40,
                     quiet_before_quiet_rounds = 150;
// rounds are a millisecond apart from there on
inline constexpr int quiet_after_a_stall = quiet_before_slowing + 5;
// A server idles for moments thousands of times a second; to sleep at each is to be roused, by a
// worker, right after.
inline constexpr int idle_before_sleep = 10;
inline constexpr std::int64_t compensation_retry_ns = 20'000'000;
// of those that compensate: one holds it, one is blocked, one comes up
inline constexpr std::size_t threads_a_processor = 3;
inline constexpr std::int64_t first_ask_pause_ns = 200'000, longest_ask_pause_ns = 10'000'000;

}  // namespace weft::detail
