// SPDX-License-Identifier: BSL-1.0
// mixed/mixed.hpp - what the C++ subjects of mixed share: the computing, and what is reported.
//
// CLIENTS connections over loopback, each ROUNDS times a number there and the number plus one back,
// while JOBS tasks count the primes below LIMIT: what computing costs the waiting, and the reverse.
#pragma once

#include <mutex>

#include "common/bench.hpp"

namespace bench {

/// By trial division: some milliseconds for 100,000.
inline std::int64_t primes_below(std::int64_t limit) {
  std::int64_t count = 0;
  for (std::int64_t n = 2; n < limit; ++n) {
    std::int64_t divisor = 2;
    while (divisor * divisor <= n && n % divisor != 0) ++divisor;
    count += divisor * divisor > n;
  }
  return count;
}

class mixed_result {
 public:
  /// A client's sum of answers and its round trips in microseconds.
  void add(std::int64_t sum, const std::vector<double>& round_trips) {
    const std::lock_guard lock(mutex_);
    total_ += sum;
    round_trips_.insert(round_trips_.end(), round_trips.begin(), round_trips.end());
  }
  void add(std::int64_t primes) { add(primes, {}); }

  void report(clock::time_point start) {
    metric("wall", ns_since(start) * 1e-6, "ms");
    metric("round_trip_p50", percentile(round_trips_, 0.50), "us");
    metric("round_trip_p99", percentile(round_trips_, 0.99), "us");
  }
  std::int64_t total() const { return total_; }

 private:
  std::mutex mutex_;  // held for a copy, never while anything waits
  std::int64_t total_ = 0;
  std::vector<double> round_trips_;
};

/// ROUNDS round trips by `exchange(number)`, which returns the answer.
template <class Exchange>
void mixed_client(std::int64_t rounds, mixed_result& result, Exchange exchange) {
  std::int64_t sum = 0;
  std::vector<double> round_trips;
  for (std::int64_t i = 0; i < rounds; ++i) {
    const auto start = clock::now();
    sum += exchange(i);
    round_trips.push_back(ns_since(start) * 1e-3);
  }
  result.add(sum, round_trips);
}

}  // namespace bench
