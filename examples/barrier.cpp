// SPDX-License-Identifier: BSL-1.0
// barrier - 100,000 fibers go through phases together: a textbook's simulation step.
//
//   each fiber   adds its part to the sum of this phase, and waits for all others
//   the last one of a phase runs the completion: it checks the sum, alone
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include <weft/weft.hpp>

int main(int argc, char** argv) {
  std::ptrdiff_t fibers = 100'000;
  int phases = 10;
  CLI::App app{"Many fibers go through phases together."};
  app.add_option("--fibers", fibers, "how many")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--phases", phases, "how often they wait for each other")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  return weft::run([&] {
    std::atomic<std::int64_t> sum{0};
    int right = 0;  // only the completion touches it
    const std::int64_t expected = static_cast<std::int64_t>(fibers) * (fibers - 1) / 2;
    auto check = [&]() noexcept {
      if (sum.exchange(0) == expected) ++right;
    };
    weft::barrier together(fibers, check);
    const auto start = std::chrono::steady_clock::now();
    {
      weft::scope all;
      for (std::ptrdiff_t i = 0; i < fibers; ++i)
        all.spawn([&, i] {
          for (int phase = 0; phase < phases; ++phase) {
            sum += i;
            together.arrive_and_wait();
          }
        });
    }
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    fmt::print("{} fibers, {} of {} phases right, {:.0f} ms, {:.0f} ns per arrival\n", fibers,
               right, phases, took.count(),
               took.count() * 1e6 / static_cast<double>(fibers) / phases);
    return right == phases ? 0 : 1;
  });
}
