// SPDX-License-Identifier: BSL-1.0
// spawn_join: TASKS empty fibers kept and joined in order.
#include <atomic>

#include "common/weft.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"TASKS", "ROUNDS"});
  std::atomic<std::int64_t> counter{0};
  const int status = bench::run_weft(size.workers, [&] {
    const auto round = [&] {
      const auto start = bench::clock::now();
      std::vector<weft::fiber<void>> fibers;
      fibers.reserve(std::size_t(size[0]));
      for (std::int64_t i = 0; i < size[0]; ++i) {
        // relaxed: the joins order the sum before it is read
        fibers.push_back(weft::spawn([&] { counter.fetch_add(1, std::memory_order_relaxed); }));
      }
      for (auto& fiber : fibers) fiber.join();
      return bench::ns_since(start) / double(size[0]);
    };
    round();  // warm-up
    std::vector<double> times;
    for (std::int64_t i = 0; i < size[1]; ++i) times.push_back(round());
    bench::metric("spawn_join", bench::median(times), "ns");
    return 0;
  });
  bench::answer(counter.load(std::memory_order_relaxed));
  return status;
}
