// SPDX-License-Identifier: BSL-1.0
// What the runtimes count, and the text it becomes.
#include <weft/weft.hpp>

#include <regex>
#include <thread>
#include <vector>

#include "fiber/stack_watermarks.hpp"
#include "sched/counters.hpp"
#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;
using weft::latency_histogram;

TEST_CASE("every length of time falls into the interval that ends just above it") {
  for (const std::int64_t ns : {0LL, 1LL, 127LL, 128LL, 159LL, 160LL, 1000LL, 1023LL, 1024LL,
                                5'000'000LL, 3'600'000'000'000LL}) {
    CAPTURE(ns);
    const std::size_t i = latency_histogram::index_of(ns);
    CHECK(ns < latency_histogram::end_of(i).count());
    if (i > 0) CHECK(ns >= latency_histogram::end_of(i - 1).count());
  }
  for (std::size_t i = 1; i + 1 < latency_histogram::size; ++i) {
    const auto begin = latency_histogram::end_of(i - 1), end = latency_histogram::end_of(i);
    REQUIRE(begin < end);
    REQUIRE(latency_histogram::index_of(begin.count()) == i);
    REQUIRE(latency_histogram::index_of(end.count() - 1) == i);
    REQUIRE(end.count() <= begin.count() * 5 / 4);
  }
}

TEST_CASE("a quantile is the end of the interval that holds it") {
  latency_histogram h;
  CHECK(h.quantile(0.5) == 0ns);
  h.counts[latency_histogram::index_of(1000)] = 99;
  h.counts[latency_histogram::index_of(1'000'000)] = 1;
  CHECK(h.count() == 100);
  CHECK(h.quantile(0.5) == latency_histogram::end_of(latency_histogram::index_of(1000)));
  CHECK(h.quantile(0.99) == latency_histogram::end_of(latency_histogram::index_of(1000)));
  CHECK(h.quantile(1) == latency_histogram::end_of(latency_histogram::index_of(1'000'000)));
}

TEST_CASE("spawned, ended, parked and woken fibers are counted, whoever wakes them") {
  each_runtime([](weft::runtime& rt) {
    constexpr std::size_t sleepers = 50;
    weft::event go;
    std::vector<weft::fiber<void>> fibers;
    for (std::size_t i = 0; i < sleepers; ++i) fibers.push_back(rt.spawn([&] { go.wait(); }));
    until([&] { return weft::metrics(rt).waiting == sleepers; });
    weft::runtime_metrics m = weft::metrics(rt);
    CHECK(m.alive == sleepers);
    CHECK(m.spawned - m.ended == sleepers);
    CHECK(m.parks - m.wakes == sleepers);
    CHECK(m.runnable == 0);
    CHECK(m.serving == rt.workers());
    CHECK(m.processors.size() == rt.workers());
    CHECK(m.threads >= rt.workers());
    go.set();  // from outside
    for (auto& f : fibers) f.join();
    rt.spawn([&] {  // by fibers, timers and the offload pool
        auto child = weft::spawn([] { weft::this_fiber::sleep_for(1ms); });
        child.join();
        weft::offload([] {});
      })
        .join();
    until([&] { return weft::metrics(rt).alive == 0; });
    m = weft::metrics(rt);
    CHECK(m.parks == m.wakes);
    CHECK(m.parks >= sleepers + 1);
    CHECK(m.timers_fired >= 1);
    CHECK(m.offloads.completed == 1);
    CHECK(m.steps >= sleepers);
    CHECK(m.injected >= sleepers);
    CHECK(m.start_latency.count() >= 1);
  });
}

TEST_CASE("waits that end are timed, some of them, and their number is near one in 64") {
  weft::options o;
  o.workers = 1;
  with_runtime(o, [](weft::runtime& rt) {
    rt.spawn([] {
        weft::channel<int> there, back;
        auto echo = weft::spawn([&] {
          while (const auto got = there.receive()) static_cast<void>(back.send(*got));
        });
        for (int i = 0; i < 20'000; ++i) {
          static_cast<void>(there.send(i));
          static_cast<void>(back.receive());
        }
        there.close();
        echo.join();
      }).join();
    const weft::runtime_metrics m = weft::metrics(rt);
    const std::uint64_t n = m.wake_latency.count();
    CHECK(m.wakes >= 20'000);
    CHECK(n > m.wakes / 128);
    CHECK(n < m.wakes / 32);
    CHECK(m.wake_latency.sum.count() > 0);
    CHECK(m.wake_latency.quantile(0.5) > 0ns);
  });
}

TEST_CASE("who has to wait for its turn shows in the histogram") {
  weft::options o;
  o.workers = 1;
  o.time_slice = 0ms;  // nobody helps
  o.retake = false;
  with_runtime(o, [](weft::runtime& rt) {
    // A first spawn of a thread is timed: it starts after the one that computes.
    rt.spawn([] {
        auto child = weft::spawn([] {});
        const auto end = std::chrono::steady_clock::now() + 30ms;
        while (std::chrono::steady_clock::now() < end) {
        }
        weft::this_fiber::yield();
        child.join();
      }).join();
    CHECK(weft::metrics(rt).start_latency.quantile(1) >= 30ms);
  });
}

TEST_CASE("what is in the queues is seen while its processor is busy") {
  weft::options o;
  o.workers = 1;
  o.time_slice = 0ms;  // nobody runs them meanwhile
  o.retake = false;
  with_runtime(o, [](weft::runtime& rt) {
    rt.spawn([&] {
        std::vector<weft::fiber<void>> fibers;
        for (int i = 0; i < 40; ++i) fibers.push_back(weft::spawn([] {}));
        const weft::runtime_metrics m = weft::metrics(rt);
        CHECK(m.processors[0].queued >= 40);
        CHECK(m.processors[0].busy);
        CHECK(m.runnable >= 40);
        CHECK(m.running >= 1);
        CHECK(m.busy == 1);
        REQUIRE(m.workers.size() >= 1);
        for (auto& f : fibers) f.join();
      }).join();
  });
}

TEST_CASE("steals bring fibers, and bring them once") {
  weft::options o;
  o.workers = 2;
  with_runtime(o, [](weft::runtime& rt) {
    std::atomic<bool> stop{false};
    auto hog = rt.spawn([&] {
      std::vector<weft::fiber<void>> fibers;
      while (!stop.load(std::memory_order_relaxed)) {
        for (int i = 0; i < 100; ++i)
          fibers.push_back(weft::spawn([] { weft::this_fiber::yield(); }));
        for (auto& f : fibers) f.join();
        fibers.clear();
      }
    });
    until([&] { return weft::metrics(rt).steals > 0; });
    stop.store(true, std::memory_order_relaxed);
    hog.join();
    const weft::runtime_metrics m = weft::metrics(rt);
    CHECK(m.stolen >= m.steals);
    CHECK(m.stolen <= m.steps);
  });
}

TEST_CASE("retakes and preemptions are counted") {
  weft::options o;
  o.workers = 1;
  o.time_slice = 2ms;
  with_runtime(o, [](weft::runtime& rt) {
    std::atomic<bool> stop{false};
    auto hog = rt.spawn([&] {
      while (!stop.load(std::memory_order_relaxed)) {
      }
    });
    auto other = rt.spawn([&] {
      while (!stop.load(std::memory_order_relaxed)) {
        std::this_thread::sleep_for(20ms);  // blocks, undeclared
        weft::this_fiber::yield();
      }
    });
    until([&] {
      const auto m = weft::metrics(rt);
      return m.preemptions > 0 && m.retakes > 0;
    });
    stop.store(true, std::memory_order_relaxed);
    hog.join();
    other.join();
  });
}

namespace {
[[gnu::noinline]] int touch(std::size_t bytes) {
  auto* p = static_cast<volatile char*>(__builtin_alloca(bytes));
  for (std::size_t i = 0; i < bytes; i += 1024) p[i] = 1;
  return p[bytes / 2];
}
}  // namespace

TEST_CASE("a stack size is judged by the deepest stack of it, and the suggestion fits") {
  constexpr std::size_t size = std::size_t{4} << 20, used = std::size_t{300} << 10;
  weft::options o;
  o.workers = 1;
  o.stack_size = size;
  const auto of_size = [](const weft::process_metrics& m) {
    for (const weft::stack_metrics& s : m.stacks)
      if (s.size == size) return s;
    return weft::stack_metrics{};
  };
  weft::stack_metrics then{};
  {
    weft::runtime rt(o);
    rt.spawn([] { return touch(used); }).join();
    then = of_size(weft::metrics());
  }
  REQUIRE(then.looked_at >= 1);
  CHECK(then.touched_most >= used);
  CHECK(then.touched_most < used + (64 << 10));
  CHECK(then.suggested == (std::size_t{512} << 10));
  CHECK(then.touched_median <= then.touched_99);
  // Its pages were dropped with its thread: what it was is remembered.
  CHECK(of_size(weft::metrics()).touched_most >= used);
  CHECK(weft::detail::suggested_stack_size(0) == weft::detail::min_stack_size);
  CHECK(weft::detail::suggested_stack_size(9 << 10) == (16 << 10));
  CHECK(weft::detail::suggested_stack_size(10 << 10) == (32 << 10));
}

TEST_CASE("metrics() knows the runtimes that live, and no others") {
  const std::size_t before = weft::metrics().runtimes.size();
  weft::options o;
  o.workers = 1;
  o.name = "first";
  weft::runtime first(o);
  {
    o.name = "second";
    weft::runtime second(o);
    const weft::process_metrics m = weft::metrics();
    REQUIRE(m.runtimes.size() == before + 2);
    CHECK(m.runtimes[before].name == "first");
    CHECK(m.runtimes[before + 1].name == "second");
    CHECK(m.runtimes[before].number != m.runtimes[before + 1].number);
    second.shutdown();
    CHECK(weft::metrics().runtimes.size() == before + 1);
  }
  CHECK(weft::metrics().runtimes.size() == before + 1);
}

TEST_CASE("the text names every series once, and escapes what a label must not hold") {
  weft::options o;
  o.workers = 2;
  o.name = "a\"b\\c\nd\xff\u00e9\xed\xa0\x80";
  weft::runtime rt(o);
  rt.spawn([] {}).join();
  const std::string text = weft::to_prometheus(weft::metrics());
  // bytes that are no UTF-8 as U+FFFD, each
  const std::string name = "runtime=\"a\\\"b\\\\c\\nd\ufffd\u00e9\ufffd\ufffd\ufffd\"";
  CHECK(text.find(name) != std::string::npos);
  CHECK(text.find("weft_fibers_spawned_total{" + name + ",number=\"") != std::string::npos);
  CHECK(text.back() == '\n');
  std::vector<std::string> seen;
  const std::regex series(R"(^([a-z_]+\{.*\}) )", std::regex::multiline);
  for (std::sregex_iterator i(text.begin(), text.end(), series), end; i != end; ++i)
    seen.push_back((*i)[1]);
  const std::size_t n = seen.size();
  CHECK(n > 100);
  std::sort(seen.begin(), seen.end());
  CHECK(static_cast<std::size_t>(std::unique(seen.begin(), seen.end()) - seen.begin()) == n);
}
