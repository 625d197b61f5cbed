// SPDX-License-Identifier: BSL-1.0
// blocking: TASKS fibers, each in CALLS blocking sleeps of the kernel that nobody declared, beside
// a ticker.
#include <unistd.h>

#include <atomic>

#include "common/weft.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"TASKS", "CALLS", "MS", "TICK_MS"});
  // relaxed throughout: the flag and the count publish nothing, the joins order them
  std::atomic<bool> stop{false};
  std::atomic<std::int64_t> calls{0};
  const int status = bench::run_weft(size.workers, [&] {
    bench::lateness lateness;
    const auto tick = std::chrono::milliseconds(size[3]);
    const auto first_due = bench::clock::now() + tick;  // late even if the ticker never starts
    weft::fiber<void> ticker = weft::spawn([&] {
      for (auto due = first_due;; due = bench::clock::now() + tick) {
        weft::this_fiber::sleep_until(due);
        lateness.add(due, bench::clock::now());
        if (stop.load(std::memory_order_relaxed)) return;
      }
    });
    const auto start = bench::clock::now();
    std::vector<weft::fiber<void>> fibers;
    for (std::int64_t i = 0; i < size[0]; ++i) {
      fibers.push_back(weft::spawn([&] {
        for (std::int64_t call = 0; call < size[1]; ++call) {
          usleep(useconds_t(size[2] * 1000));
          calls.fetch_add(1, std::memory_order_relaxed);
        }
      }));
    }
    for (auto& fiber : fibers) fiber.join();
    const double wall = bench::ns_since(start) * 1e-6;
    stop.store(true, std::memory_order_relaxed);
    ticker.join();
    bench::metric("wall", wall, "ms");
    lateness.report(wall / double(size[3]));
    return 0;
  });
  bench::answer(calls.load(std::memory_order_relaxed));
  return status;
}
