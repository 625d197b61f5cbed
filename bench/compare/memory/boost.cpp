// SPDX-License-Identifier: BSL-1.0
// memory: TASKS fibers parked on one event; what each keeps resident and what spawning it took.
#include <atomic>
#include <mutex>

#include "common/boost.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"TASKS"});
  // relaxed throughout: the counts publish nothing, the joins order them
  std::atomic<std::int64_t> parked{0};
  std::atomic<std::int64_t> released{0};
  bench::run_boost(size.workers, [&] {
    boost::fibers::mutex mutex;
    boost::fibers::condition_variable gate;
    bool open = false;
    const double tasks = double(size[0]);
    std::vector<boost::fibers::fiber> fibers;
    const double before = bench::resident_bytes();
    const auto start = bench::clock::now();
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
    bench::metric("spawn", bench::ns_since(start) / tasks, "ns");
    bench::metric("resident", (bench::resident_bytes() - before) / tasks, "B/task");
    bench::metric("mappings", bench::mappings(), "maps");
    {
      const std::lock_guard lock(mutex);
      open = true;
    }
    gate.notify_all();
    for (auto& fiber : fibers) fiber.join();
  });
  bench::answer(released.load(std::memory_order_relaxed));
}
