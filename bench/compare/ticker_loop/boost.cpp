// SPDX-License-Identifier: BSL-1.0
// ticker_loop: LOOPS endless loops without a call beside a ticker; how late the ticker is.
// A plain thread sets the flag that ends them, so that a starving ticker ends too.
#include <atomic>
#include <thread>

#include "common/boost.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"LOOPS", "MS", "TICK_MS"});
  // relaxed throughout: the flag and the count publish nothing, the joins order them
  std::atomic<bool> stop{false};
  std::atomic<std::int64_t> ended{0};
  bench::run_boost(size.workers, [&] {
    bench::lateness lateness;
    const auto tick = std::chrono::milliseconds(size[2]);
    const auto first_due = bench::clock::now() + tick;  // late even if the ticker never starts
    std::thread stopper([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(size[1]));
      stop.store(true, std::memory_order_relaxed);
    });
    std::vector<boost::fibers::fiber> fibers;
    fibers.emplace_back([&] {
      for (auto due = first_due;; due = bench::clock::now() + tick) {
        boost::this_fiber::sleep_until(due);
        lateness.add(due, bench::clock::now());
        if (stop.load(std::memory_order_relaxed)) return;
      }
    });
    for (std::int64_t i = 0; i < size[0]; ++i) {
      fibers.emplace_back([&] {
        while (!stop.load(std::memory_order_relaxed)) continue;
        ended.fetch_add(1, std::memory_order_relaxed);
      });
    }
    for (auto& fiber : fibers) fiber.join();
    stopper.join();
    lateness.report(double(size[1]) / double(size[2]));
  });
  bench::answer(ended.load(std::memory_order_relaxed));
}
