// SPDX-License-Identifier: BSL-1.0
// sync/rate_limiter.cpp - a reservation is a moment; waiting for it is sleeping.
//
//   RATE-1  reservations are given in the order of asking, and never come due in another: full_at
//           only grows, except for what a stopped waiter gives back.
// Rejected: a queue of waiters and a thread that refills (a wake-up per token, and a timer that
// runs without waiters).
#include <weft/rate_limiter.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "sync/waiting.hpp"

namespace weft::detail {
namespace {

// Intervals are kept in 1/1024 of a nanosecond: a rate of 1e9/3 is right to a per mille. 2^63 of
// them are 104 days: all that is more than one interval is counted in 128 bits.
constexpr std::int64_t fine = 1024;

}  // namespace

bucket make_bucket(double per_second, std::int64_t burst) {
  if (!(per_second >= 1e-3 && per_second <= 1e9))
    throw std::invalid_argument("weft::rate_limiter: per_second is " + std::to_string(per_second) +
                                ", which is not in 0.001 ... 1e9");
  if (burst < 1 || burst > 1'000'000)
    throw std::invalid_argument("weft::rate_limiter: burst is " + std::to_string(burst) +
                                ", which is not in 1 ... 1000000");
  return {static_cast<std::int64_t>(1e9 / per_second * fine), burst};
}

bool bucket_acquire(bucket& b, std::int64_t n, const wait_limit& limit) {
  yield_if_requested_slow();
  if (n < 1 || n > b.burst)
    throw std::invalid_argument("weft::rate_limiter: " + std::to_string(n) +
                                " tokens were asked for; with a burst of " +
                                std::to_string(b.burst) + " that many are never there");
  waiter me(park_reason::rate_limiter, &b);
  waiting_guard g(&b);
  const std::int64_t now = os::now_ns();
  const wide full_at = std::max(b.full_at, wide{now} * fine) + wide{n} * b.interval;
  const std::int64_t due = narrowed((full_at - wide{b.burst} * b.interval) / fine);
  if (due <= now) {
    b.full_at = full_at;
    return true;
  }
  if (due > steady_ns(limit.deadline)) return false;
  if (limit.stop != nullptr && limit.stop->stop_requested()) return false;
  b.full_at = full_at;  // RATE-1
  wait_limit until = limit;
  until.deadline = steady_at(due);
  push_back(b.waiters, me);
  const wait_end end = waiting_env::park(g, me, until);
  const waiting_guard again(&b);
  unlink(me);
  if (end != wait_end::stopped) return true;
  b.full_at -= wide{n} * b.interval;
  return false;
}

}  // namespace weft::detail
