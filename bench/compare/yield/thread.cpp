// SPDX-License-Identifier: BSL-1.0
// yield: TASKS threads, each yielding YIELDS times.
#include <atomic>

#include "common/thread.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"TASKS", "YIELDS"});
  std::atomic<std::int64_t> total{0};
  bench::begin_threads(size);
  {
    const auto start = bench::clock::now();
    std::vector<std::thread> threads;
    for (std::int64_t i = 0; i < size[0]; ++i) {
      threads.emplace_back([&] {
        std::int64_t done = 0;
        for (; done < size[1]; ++done) std::this_thread::yield();
        total.fetch_add(done, std::memory_order_relaxed);  // the joins order it before the read
      });
    }
    for (auto& thread : threads) thread.join();
    bench::metric("yield", bench::ns_since(start) / double(size[0] * size[1]), "ns");
  }
  bench::answer(total.load(std::memory_order_relaxed));
}
