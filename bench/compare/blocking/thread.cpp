// SPDX-License-Identifier: BSL-1.0
// blocking: TASKS threads, each in CALLS blocking sleeps of the kernel that nobody declared, beside
// a ticker.
#include <unistd.h>

#include <atomic>

#include "common/thread.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"TASKS", "CALLS", "MS", "TICK_MS"});
  // relaxed throughout: the flag and the count publish nothing, the joins order them
  std::atomic<bool> stop{false};
  std::atomic<std::int64_t> calls{0};
  bench::begin_threads(size);
  {
    bench::lateness lateness;
    const auto tick = std::chrono::milliseconds(size[3]);
    const auto first_due = bench::clock::now() + tick;  // late even if the ticker never starts
    std::thread ticker([&] {
      for (auto due = first_due;; due = bench::clock::now() + tick) {
        std::this_thread::sleep_until(due);
        lateness.add(due, bench::clock::now());
        if (stop.load(std::memory_order_relaxed)) return;
      }
    });
    const auto start = bench::clock::now();
    std::vector<std::thread> threads;
    for (std::int64_t i = 0; i < size[0]; ++i) {
      threads.emplace_back([&] {
        for (std::int64_t call = 0; call < size[1]; ++call) {
          usleep(useconds_t(size[2] * 1000));
          calls.fetch_add(1, std::memory_order_relaxed);
        }
      });
    }
    for (auto& thread : threads) thread.join();
    const double wall = bench::ns_since(start) * 1e-6;
    stop.store(true, std::memory_order_relaxed);
    ticker.join();
    bench::metric("wall", wall, "ms");
    lateness.report(wall / double(size[3]));
  }
  bench::answer(calls.load(std::memory_order_relaxed));
}
