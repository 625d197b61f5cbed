// SPDX-License-Identifier: BSL-1.0
// sleepers: TASKS fibers, each sleeping MS milliseconds once.
#include <atomic>

#include "common/weft.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"TASKS", "MS"});
  std::atomic<std::int64_t> woken{0};
  const int status = bench::run_weft(size.workers, [&] {
    const double cpu = bench::cpu_seconds();
    const auto start = bench::clock::now();
    std::vector<weft::fiber<void>> fibers;
    fibers.reserve(std::size_t(size[0]));
    for (std::int64_t i = 0; i < size[0]; ++i) {
      fibers.push_back(weft::spawn([&] {
        weft::this_fiber::sleep_for(std::chrono::milliseconds(size[1]));
        woken.fetch_add(1, std::memory_order_relaxed);  // the joins order it before the read
      }));
    }
    for (auto& fiber : fibers) fiber.join();
    bench::metric("wall", bench::ns_since(start) * 1e-6, "ms");
    bench::metric("cpu", bench::cpu_seconds() - cpu, "s");
    return 0;
  });
  bench::answer(woken.load(std::memory_order_relaxed));
  return status;
}
