// SPDX-License-Identifier: BSL-1.0
// idle: the CPU time of MS milliseconds in which TASKS fibers are parked and nothing happens.
#include <atomic>
#include <mutex>

#include "common/boost.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"TASKS", "MS"});
  // relaxed throughout: the counts publish nothing, the joins order them
  std::atomic<std::int64_t> parked{0};
  std::atomic<std::int64_t> released{0};
  bench::run_boost(size.workers, [&] {
    boost::fibers::mutex mutex;
    boost::fibers::condition_variable gate;
    bool open = false;
    std::vector<boost::fibers::fiber> fibers;
    fibers.reserve(std::size_t(size[0]));
    for (std::int64_t i = 0; i < size[0]; ++i) {
      fibers.emplace_back([&] {
        std::unique_lock lock(mutex);
        parked.fetch_add(1, std::memory_order_relaxed);
        gate.wait(lock, [&] { return open; });
        released.fetch_add(1, std::memory_order_relaxed);
      });
    }
    while (parked.load(std::memory_order_relaxed) < size[0]) boost::this_fiber::yield();
    // The tail of the spawning is not idleness.
    boost::this_fiber::sleep_for(std::chrono::milliseconds(100));
    const double cpu = bench::cpu_seconds();
    boost::this_fiber::sleep_for(std::chrono::milliseconds(size[1]));
    bench::metric("cpu", (bench::cpu_seconds() - cpu) * 1e3, "ms");
    {
      const std::lock_guard lock(mutex);
      open = true;
    }
    gate.notify_all();
    for (auto& fiber : fibers) fiber.join();
  });
  bench::answer(released.load(std::memory_order_relaxed));
}
