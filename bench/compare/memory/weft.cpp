// SPDX-License-Identifier: BSL-1.0
// memory: TASKS fibers parked in a sleep that only a stop request ends; what each keeps
// resident and what spawning it took.
#include <atomic>

#include "common/weft.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"TASKS"});
  // relaxed throughout: the counts publish nothing, the joins order them
  std::atomic<std::int64_t> parked{0};
  std::atomic<std::int64_t> released{0};
  const int status = bench::run_weft(size.workers, [&] {
    const double tasks = double(size[0]);
    std::vector<weft::fiber<void>> fibers;
    const double before = bench::resident_bytes();
    const auto start = bench::clock::now();
    fibers.reserve(std::size_t(size[0]));
    for (std::int64_t i = 0; i < size[0]; ++i) {
      fibers.push_back(weft::spawn([&] {
        parked.fetch_add(1, std::memory_order_relaxed);
        weft::this_fiber::sleep_until(bench::clock::time_point::max());
        released.fetch_add(1, std::memory_order_relaxed);
      }));
    }
    while (parked.load(std::memory_order_relaxed) < size[0]) weft::this_fiber::yield();
    bench::metric("spawn", bench::ns_since(start) / tasks, "ns");
    bench::metric("resident", (bench::resident_bytes() - before) / tasks, "B/task");
    bench::metric("mappings", bench::mappings(), "maps");
    for (auto& fiber : fibers) fiber.request_stop();
    for (auto& fiber : fibers) fiber.join();
    return 0;
  });
  bench::answer(released.load(std::memory_order_relaxed));
  return status;
}
