// SPDX-License-Identifier: BSL-1.0
// never_stalls - one worker thread, and fibers that behave badly on it: an endless loop, a sleep(1)
// that nobody declared, a std::mutex held across a wait while others want it. Beside them a ticker
// that sleeps 1 ms at a time and keeps a record of how late it wakes.
#include <fmt/format.h>
#include <unistd.h>
#include <weft/weft.hpp>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <mutex>
#include <string>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;
using namespace std::chrono_literals;

/// How late each tick was, in ms.
class record {
 public:
  void add(clock_type::duration late) {
    late_.push_back(std::chrono::duration<double, std::milli>(late).count());
  }
  /// Prints, and starts afresh. False if there was no tick at all.
  bool report(const std::string& beside) {
    std::sort(late_.begin(), late_.end());
    if (late_.empty()) {
      fmt::print("{:<44} no tick\n", beside);
      return false;
    }
    fmt::print("{:<44} {:>5} ticks, late by {:.2f} ms (median) {:.2f} ms (worst)\n", beside,
               late_.size(), late_[late_.size() / 2], late_.back());
    late_.clear();
    return true;
  }

 private:
  std::vector<double> late_;
};

void endless_loop(const std::atomic<bool>& stop) {
  while (!stop.load(std::memory_order_relaxed)) continue;  // no call: nothing weft could hook
}

void undeclared_sleep() { ::sleep(1); }

void mutex_across_a_wait(std::chrono::milliseconds held) {
  std::mutex m;
  weft::scope contenders;
  contenders.spawn([&] {
    const std::lock_guard guard(m);
    weft::this_fiber::sleep_for(held);  // parks, with the lock
  });
  for (int i = 0; i < 3; ++i)
    // each blocks a thread in the kernel
    contenders.spawn([&] { const std::lock_guard guard(m); });
}

int show(std::chrono::milliseconds each) {
  std::atomic<bool> done{false};
  record ticks;
  std::mutex lock;  // of ticks: a plain one will do
  auto ticker = weft::spawn([&] {
    while (!done.load(std::memory_order_relaxed)) {
      const auto due = clock_type::now() + 1ms;
      weft::this_fiber::sleep_until(due);
      const std::lock_guard guard(lock);
      ticks.add(clock_type::now() - due);
    }
  });
  bool ticked = true;
  const auto report = [&](const char* beside) {
    const std::lock_guard guard(lock);
    ticked = ticks.report(beside) && ticked;
  };

  weft::this_fiber::sleep_for(each);
  report("nothing");

  std::atomic<bool> stop{false};
  auto loop = weft::spawn([&] { endless_loop(stop); });
  weft::this_fiber::sleep_for(each);
  stop.store(true, std::memory_order_relaxed);
  loop.join();
  report("an endless loop");

  weft::spawn(undeclared_sleep).join();
  report("sleep(1)");

  weft::spawn(mutex_across_a_wait, each).join();
  report("a std::mutex held across a wait, 3 contenders");

  done.store(true, std::memory_order_relaxed);
  ticker.join();
  return ticked ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("One worker, fibers that would stall it, and a ticker that goes on.");
  std::int64_t each_ms = 1000;
  app.add_option("--ms", each_ms, "how long each part lasts, in ms")
      ->check(CLI::Range(1, 3'600'000));
  CLI11_PARSE(app, argc, argv);
  try {
    weft::options options;
    options.workers = 1;
    options.name = "stalls";
    return weft::run(options, [&] { return show(std::chrono::milliseconds(each_ms)); });
  } catch (const std::exception& e) {
    fmt::print(stderr, "never_stalls: {}\n", e.what());
    return 1;
  }
}
