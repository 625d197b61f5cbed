// SPDX-License-Identifier: BSL-1.0
// sleep20: TASKS fibers, each sleeping SLEEPS times for 1 to 50 ms; CPU time, and how late they
// woke.
#include <atomic>

#include "common/boost.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"TASKS", "SLEEPS"});
  std::atomic<std::int64_t> total{0};
  bench::run_boost(size.workers, [&] {
    std::vector<float> late(std::size_t(size[0] * size[1]));
    const double cpu = bench::cpu_seconds();
    const auto start = bench::clock::now();
    std::vector<boost::fibers::fiber> fibers;
    fibers.reserve(std::size_t(size[0]));
    for (std::int64_t task = 0; task < size[0]; ++task) {
      fibers.emplace_back([&, task] {
        bench::sleeps sleeps{std::uint64_t(task)};
        std::int64_t asked = 0;
        for (std::int64_t i = 0; i < size[1]; ++i) {
          const std::int64_t ms = sleeps.next_ms();
          asked += ms;
          const auto until = bench::clock::now() + std::chrono::milliseconds(ms);
          boost::this_fiber::sleep_until(until);
          late[std::size_t(task * size[1] + i)] = float(bench::ns_since(until) * 1e-6);
        }
        total.fetch_add(asked, std::memory_order_relaxed);  // the joins order it before the read
      });
    }
    for (auto& fiber : fibers) fiber.join();
    bench::metric("wall", bench::ns_since(start) * 1e-6, "ms");
    bench::metric("cpu", bench::cpu_seconds() - cpu, "s");
    bench::metric("late_p50", bench::percentile(late, 0.50), "ms");
    bench::metric("late_p99", bench::percentile(late, 0.99), "ms");
  });
  bench::answer(total.load(std::memory_order_relaxed));
}
