// SPDX-License-Identifier: BSL-1.0
// sleepers: TASKS threads, each sleeping MS milliseconds once.
#include <atomic>

#include "common/thread.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"TASKS", "MS"});
  std::atomic<std::int64_t> woken{0};
  bench::begin_threads(size);
  {
    const double cpu = bench::cpu_seconds();
    const auto start = bench::clock::now();
    std::vector<std::thread> threads;
    threads.reserve(std::size_t(size[0]));
    for (std::int64_t i = 0; i < size[0]; ++i) {
      threads.emplace_back([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(size[1]));
        woken.fetch_add(1, std::memory_order_relaxed);  // the joins order it before the read
      });
    }
    for (auto& thread : threads) thread.join();
    bench::metric("wall", bench::ns_since(start) * 1e-6, "ms");
    bench::metric("cpu", bench::cpu_seconds() - cpu, "s");
  }
  bench::answer(woken.load(std::memory_order_relaxed));
}
