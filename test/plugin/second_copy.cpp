// SPDX-License-Identifier: BSL-1.0
// A shared object with a weft of its own, as a plugin has that was linked with the static library.
// test/unit/two_copies_test.cpp loads it into a program that has another one.
#include <atomic>
#include <chrono>
#include <csignal>

#include <weft/weft.hpp>

using namespace std::chrono_literals;

// A runtime runs fibers that sleep, compute until they are preempted, block, and wait for each
// other. 0: all is right.
extern "C" [[gnu::visibility("default")]] int second_copy_works() {
  weft::options o;
  o.workers = 1;
  o.name = "plugin";
  return weft::run(o, [] {
    weft::channel<int> c(0);
    std::atomic<bool> stop{false};
    // Computes for ever without a call into weft: the others go on by its preemption only.
    auto hog = weft::spawn([&] {
      while (!stop.load(std::memory_order_relaxed)) {
      }
    });
    auto sender = weft::spawn([&] {
      for (int i = 1; i <= 10; ++i) {
        static_cast<void>(weft::this_fiber::sleep_for(1ms));
        if (!c.send(i)) return;
      }
      c.close();
    });
    int sum = 0;
    for (const int i : c) sum += i;
    const int offloaded = weft::offload([] { return 5; });
    stop = true;
    sender.join();
    hog.join();
    for (const auto& r : weft::metrics().runtimes)  // its own only
      if (r.name == "host") return 2;
    return sum == 55 && offloaded == 5 ? 0 : 1;
  });
}

extern "C" [[gnu::visibility("default")]] int second_copy_default_runtime() {
  return weft::spawn([] { return weft::spawn([] { return 3; }).join(); }).join();
}
