// SPDX-License-Identifier: BSL-1.0
// stress/descriptor_stress_test.cpp - io::descriptor, while pollers are slow: a wait that ends well
// has something to read.
#include <weft/io/descriptor.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <vector>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "support/descriptors.hpp"
#include "support/runtimes.hpp"
#include "support/seed.hpp"

using namespace std::chrono_literals;
using namespace weft::test;

namespace {

constexpr int event_count = 64;

bool take(int event) {
  std::uint64_t n = 0;
  return ::read(event, &n, sizeof n) == sizeof n;
}

}  // namespace

// A poller takes many events at once. While it reports the first ones, a reader of one of the last
// comes to its deadline, finds the descriptor ready, reads, and waits again: that event is old by
// then. [POLL-6]
TEST_CASE("io::descriptor: the only reader finds something after each wait") {
  struct source {
    number event = new_eventfd();
    descriptor watched = descriptor::borrow(event.n);
  };
  with_runtime(workers(8), [](weft::runtime& rt) {
    std::deque<source> sources(event_count);
    std::atomic<bool> over{false};
    std::atomic<std::size_t> found{0}, nothing{0};
    std::vector<weft::fiber<void>> readers;
    for (source& s : sources)
      readers.push_back(rt.spawn([&] {
        choices random(static_cast<unsigned>(s.event.n));
        while (!over.load(std::memory_order_relaxed))
          if (s.watched.wait_readable_for(std::chrono::microseconds(random.below(100))))
            ++(take(s.event.n) ? found : nothing);
      }));
    rt.spawn([&] {
        const std::size_t enough = scaled(50'000);
        while (found < enough) {
          for (const source& s : sources) post(s.event.n);
          weft::this_fiber::sleep_for(20us);
        }
        over = true;
      }).join();
    for (auto& r : readers) r.join();
    CHECK(nothing == 0);
  });
}
