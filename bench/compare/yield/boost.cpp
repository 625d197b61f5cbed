// SPDX-License-Identifier: BSL-1.0
// yield: TASKS fibers, each yielding YIELDS times.
#include <atomic>

#include "common/boost.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"TASKS", "YIELDS"});
  std::atomic<std::int64_t> total{0};
  bench::run_boost(size.workers, [&] {
    const auto start = bench::clock::now();
    std::vector<boost::fibers::fiber> fibers;
    for (std::int64_t i = 0; i < size[0]; ++i) {
      fibers.emplace_back([&] {
        std::int64_t done = 0;
        for (; done < size[1]; ++done) boost::this_fiber::yield();
        total.fetch_add(done, std::memory_order_relaxed);  // the joins order it before the read
      });
    }
    for (auto& fiber : fibers) fiber.join();
    bench::metric("yield", bench::ns_since(start) / double(size[0] * size[1]), "ns");
  });
  bench::answer(total.load(std::memory_order_relaxed));
}
