// SPDX-License-Identifier: BSL-1.0
// memory: TASKS threads parked on one event; what each keeps resident and what spawning it took.
#include <atomic>

#include "common/thread.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"TASKS"});
  // relaxed throughout: the counts publish nothing, the joins order them
  std::atomic<std::int64_t> parked{0};
  std::atomic<std::int64_t> released{0};
  bench::begin_threads(size);
  {
    std::atomic<bool> open{false};
    const double tasks = double(size[0]);
    std::vector<std::thread> threads;
    const double before = bench::resident_bytes();
    const auto start = bench::clock::now();
    threads.reserve(std::size_t(size[0]));
    for (std::int64_t i = 0; i < size[0]; ++i) {
      threads.emplace_back([&] {
        parked.fetch_add(1, std::memory_order_relaxed);
        open.wait(false, std::memory_order_relaxed);
        released.fetch_add(1, std::memory_order_relaxed);
      });
    }
    while (parked.load(std::memory_order_relaxed) < size[0]) std::this_thread::yield();
    bench::metric("spawn", bench::ns_since(start) / tasks, "ns");
    bench::metric("resident", (bench::resident_bytes() - before) / tasks, "B/task");
    bench::metric("mappings", bench::mappings(), "maps");
    open.store(true, std::memory_order_relaxed);
    open.notify_all();
    for (auto& thread : threads) thread.join();
  }
  bench::answer(released.load(std::memory_order_relaxed));
}
