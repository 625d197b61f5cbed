// SPDX-License-Identifier: BSL-1.0
// idle: the CPU time of MS milliseconds in which TASKS threads are parked and nothing happens.
#include <atomic>

#include "common/thread.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"TASKS", "MS"});
  // relaxed throughout: the counts publish nothing, the joins order them
  std::atomic<std::int64_t> parked{0};
  std::atomic<std::int64_t> released{0};
  bench::begin_threads(size);
  {
    std::atomic<bool> open{false};
    std::vector<std::thread> threads;
    threads.reserve(std::size_t(size[0]));
    for (std::int64_t i = 0; i < size[0]; ++i) {
      threads.emplace_back([&] {
        parked.fetch_add(1, std::memory_order_relaxed);
        open.wait(false, std::memory_order_relaxed);
        released.fetch_add(1, std::memory_order_relaxed);
      });
    }
    while (parked.load(std::memory_order_relaxed) < size[0]) std::this_thread::yield();
    // The tail of the spawning is not idleness.
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const double cpu = bench::cpu_seconds();
    std::this_thread::sleep_for(std::chrono::milliseconds(size[1]));
    bench::metric("cpu", (bench::cpu_seconds() - cpu) * 1e3, "ms");
    open.store(true, std::memory_order_relaxed);
    open.notify_all();
    for (auto& thread : threads) thread.join();
  }
  bench::answer(released.load(std::memory_order_relaxed));
}
