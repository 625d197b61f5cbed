// SPDX-License-Identifier: BSL-1.0
// idle: the CPU time of MS milliseconds in which TASKS fibers are parked (until a stop request) and
// nothing happens.
#include <atomic>

#include "common/weft.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"TASKS", "MS"});
  // relaxed throughout: the counts publish nothing, the joins order them
  std::atomic<std::int64_t> parked{0};
  std::atomic<std::int64_t> released{0};
  const int status = bench::run_weft(size.workers, [&] {
    std::vector<weft::fiber<void>> fibers;
    fibers.reserve(std::size_t(size[0]));
    for (std::int64_t i = 0; i < size[0]; ++i) {
      fibers.push_back(weft::spawn([&] {
        parked.fetch_add(1, std::memory_order_relaxed);
        weft::this_fiber::sleep_until(bench::clock::time_point::max());
        released.fetch_add(1, std::memory_order_relaxed);
      }));
    }
    while (parked.load(std::memory_order_relaxed) < size[0]) weft::this_fiber::yield();
    // The tail of the spawning is not idleness.
    weft::this_fiber::sleep_for(std::chrono::milliseconds(100));
    const double cpu = bench::cpu_seconds();
    weft::this_fiber::sleep_for(std::chrono::milliseconds(size[1]));
    bench::metric("cpu", (bench::cpu_seconds() - cpu) * 1e3, "ms");
    for (auto& fiber : fibers) fiber.request_stop();
    for (auto& fiber : fibers) fiber.join();
    return 0;
  });
  bench::answer(released.load(std::memory_order_relaxed));
  return status;
}
