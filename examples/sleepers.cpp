// SPDX-License-Identifier: BSL-1.0
// sleepers - how long N fibers take to sleep together, and what a sleeping fiber costs.
//
// Every fiber counts itself in before it sleeps and out after. When all are in and none is out yet,
// they are asleep at the same time: that is when the memory and the mappings of the process are
// read.
#include <fmt/format.h>
#include <unistd.h>
#include <weft/weft.hpp>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>

namespace {

using clock_type = std::chrono::steady_clock;

double ms_since(clock_type::time_point start) {
  return std::chrono::duration<double, std::milli>(clock_type::now() - start).count();
}

std::uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t mappings() {
  std::ifstream maps("/proc/self/maps");
  return static_cast<std::uint64_t>(
      std::count(std::istreambuf_iterator<char>(maps), std::istreambuf_iterator<char>(), '\n'));
}

struct settings {
  std::uint64_t fibers = 100'000;
  std::uint64_t sleep_ms = 100;
  std::size_t workers = 0;
  bool wake = false;
  bool progress = false;
};

struct sleeper_counts {
  std::atomic<std::uint64_t> in{0};
  std::atomic<std::uint64_t> out{0};
};

void report_memory(const settings& s, const sleeper_counts& counts, std::uint64_t resident_before) {
  const std::uint64_t resident = resident_bytes() - resident_before;
  const std::uint64_t maps = mappings();
  // Read last: whoever is out now may have been in at the readings above, never the reverse.
  const std::uint64_t asleep = s.fibers - counts.out.load(std::memory_order_relaxed);
  fmt::print("asleep at once      {}\n", asleep);
  fmt::print("resident per fiber  {} bytes\n", resident / s.fibers);
  fmt::print("mappings            {}\n", maps);
}

int sleep_together(const settings& s) {
  sleeper_counts counts;
  const std::uint64_t resident_before = resident_bytes();
  const auto start = clock_type::now();
  const auto nap = std::chrono::milliseconds(s.sleep_ms);

  weft::scope sleepers;
  for (std::uint64_t i = 0; i < s.fibers; ++i) {
    sleepers.spawn([&counts, nap] {
      counts.in.fetch_add(1, std::memory_order_relaxed);  // a count, orders nothing
      weft::this_fiber::sleep_for(nap);
      counts.out.fetch_add(1, std::memory_order_relaxed);
    });
    if (s.progress && (i + 1) % 250'000 == 0) fmt::print(stderr, "  {} spawned\n", i + 1);
  }
  const double spawned_ms = ms_since(start);
  // Each has slept, sleeps, or has yet to start; the last to start makes the count full.
  while (counts.in.load(std::memory_order_relaxed) < s.fibers) weft::this_fiber::yield();
  const double asleep_ms = ms_since(start);

  fmt::print("fibers              {}\n", s.fibers);
  fmt::print("spawned in          {:.0f} ms\n", spawned_ms);
  fmt::print("all begun in        {:.0f} ms\n", asleep_ms);
  report_memory(s, counts, resident_before);
  if (s.progress) fmt::print(stderr, "  all have begun, waiting for them to wake\n");
  if (s.wake) sleepers.request_stop();  // ends every sleep
  sleepers.join();
  fmt::print("wall time           {:.0f} ms\n", ms_since(start));
  if (const auto woken = counts.out.load(std::memory_order_relaxed); woken != s.fibers) {
    fmt::print(stderr, "sleepers: {} of {} woke\n", woken, s.fibers);
    return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  settings s;
  CLI::App app{"Lets many fibers sleep at the same time and says what that took."};
  app.add_option("--fibers", s.fibers, "how many")
      ->check(CLI::Range(1, 30'000'000))
      ->capture_default_str();
  app.add_option("--sleep-ms", s.sleep_ms, "how long each sleeps")
      ->check(CLI::Range(0, 3'600'000))
      ->capture_default_str();
  app.add_flag("--wake", s.wake, "ask all to stop once they have been counted");
  app.add_option("--workers", s.workers, "processors; 0: what this process may use");
  app.add_flag("--progress", s.progress, "say on stderr how far it is");
  CLI11_PARSE(app, argc, argv);

  try {
    weft::options options;
    options.workers = s.workers;
    return weft::run(options, [&] { return sleep_together(s); });
  } catch (const std::exception& e) {
    fmt::print(stderr, "sleepers: {}\n", e.what());
    return 1;
  }
}
