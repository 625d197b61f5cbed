// SPDX-License-Identifier: BSL-1.0
// Shutdown in its numbered steps (runtime.hpp): what ends by itself, what is asked, what is left
// behind.
#include <atomic>
#include <chrono>
#include <csignal>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <weft/channel.hpp>

#include "support/descriptors.hpp"
#include "support/in_child.hpp"
#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

TEST_CASE("fibers that end on a stop request end") {
  for (const std::size_t workers : worker_counts) {
    weft::options o;
    o.workers = workers;
    std::atomic<int> ended{0};
    with_runtime(o, [&](weft::runtime& rt) {
      for (int i = 0; i < 100; ++i)
        rt.spawn([&] {
            park_until_stopped();
            ++ended;
          }).detach();
      CHECK(rt.shutdown() == 0);
      CHECK(ended == 100);
      CHECK(rt.shutdown() == 0);
    });
  }
}

TEST_CASE("fibers may spawn and join while the runtime shuts down, outsiders may not spawn") {
  for (const std::size_t workers : worker_counts) {
    weft::options o;
    o.workers = workers;
    with_runtime(o, [&](weft::runtime& rt) {
      std::atomic<int> sum{0};
      std::atomic<bool> outsider_refused{false};
      for (int i = 0; i < 20; ++i)
        rt.spawn([&] {
            auto sibling = weft::spawn([] {
              park_until_stopped();
              return 1;
            });
            park_until_stopped();
            until([&] { return outsider_refused.load(); });
            sum += sibling.join();  // also asked to stop
            sum += weft::spawn([] { return 2; }).join();
          }).detach();
      std::thread outsider([&] {
        for (;;) try {
            rt.spawn([] {}).detach();
          } catch (const std::system_error& e) {
            CHECK(e.code() == std::errc::operation_not_permitted);
            break;
          }
        outsider_refused = true;
      });
      CHECK(rt.shutdown() == 0);
      outsider.join();
      CHECK(sum == 60);
    });
  }
}

TEST_CASE("a spawn that was accepted runs, however it falls against shutdown") {
  for (int round = 0; round < static_cast<int>(scaled(200)); ++round) {
    weft::options o;
    o.workers = 2;
    weft::runtime rt(o);
    std::atomic<int> ran{0};
    std::atomic<bool> go{false};
    std::vector<std::thread> threads;
    std::atomic<int> accepted{0};
    for (int t = 0; t < 3; ++t)
      threads.emplace_back([&] {
        while (!go) std::this_thread::yield();
        for (int i = 0; i < 200; ++i) try {
            rt.spawn([&] { ++ran; }).detach();
            ++accepted;
          } catch (const std::system_error&) {
            return;
          }
      });
    go = true;
    CHECK(rt.shutdown() == 0);
    for (auto& t : threads) t.join();
    REQUIRE(ran == accepted);
  }
}

TEST_CASE("a fiber that will not end is named and left behind") {
  const child_end end = in_child([] {
    weft::options o;
    o.workers = 2;
    o.name = "stuck";
    o.shutdown_timeout = 50ms;
    weft::runtime rt(o);
    weft::attributes a;
    a.name = "deaf";
    rt.spawn(a, [] {
        for (;;) static_cast<void>(weft::this_fiber::sleep_for(1ms));
      }).detach();
    weft::attributes b;
    b.name = "joiner";
    auto joiner = rt.spawn(b, [] {
      std::atomic<bool> begun{false};
      auto child = weft::spawn([&] {
        begun = true;
        for (;;) weft::this_fiber::yield();
      });
      while (!begun) weft::this_fiber::yield();  // or the join runs it
      child.join();
    });
    b.name = "forgotten";
    static auto& channel = *new weft::channel<int>(0);  // the fiber stays in it
    auto forgotten = rt.spawn(b, [] { static_cast<void>(channel.receive()); });
    until([&] { return is_parked(joiner) && is_parked(forgotten); });
    joiner.detach();
    forgotten.detach();
    return static_cast<int>(rt.shutdown());
  });
  CHECK(end.exit_code == 4);
  CHECK(end.errors.find("\"forgotten\": parked, waits: channel receive (0x") != std::string::npos);
  CHECK(end.errors.find("), where nobody else waits\n") != std::string::npos);
  CHECK(end.errors.find("runtime \"stuck\" ends, and 4 of its fibers did not within 50 ms") !=
        std::string::npos);
  CHECK(end.errors.find("\"deaf\"") != std::string::npos);
  CHECK(end.errors.find("\"joiner\": parked, waits: ") != std::string::npos);
}

TEST_CASE("with straggler_policy::abort the process ends after the report") {
  const child_end end = in_child([] {
    weft::options o;
    o.workers = 1;
    o.shutdown_timeout = 0ms;
    o.on_stragglers = weft::straggler_policy::abort;
    weft::runtime rt(o);
    rt.spawn([] {
        for (;;) static_cast<void>(weft::this_fiber::sleep_for(1ms));
      }).detach();
    rt.shutdown();
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CHECK(end.errors.find("left behind") != std::string::npos);
}

TEST_CASE("a fiber in an endless loop does not hang the shutdown") {
  const child_end end = in_child([] {
    weft::options o;
    o.workers = 2;
    o.shutdown_timeout = 10ms;
    weft::runtime rt(o);
    std::atomic<bool> begun{false};
    rt.spawn([&] {
        begun = true;
        for (;;) {
          asm volatile("");
        }
      }).detach();
    while (!begun) std::this_thread::yield();
    return static_cast<int>(rt.shutdown());
  });
  CHECK(end.exit_code == 1);
}

TEST_CASE("a fiber cannot shut down its own runtime") {
  each_runtime([](weft::runtime& rt) {
    rt.spawn([&] {
        try {
          rt.shutdown();
          FAIL("no exception");
        } catch (const std::system_error& e) {
          CHECK(e.code() == std::errc::resource_deadlock_would_occur);
          CHECK(std::string(e.what()).find("a fiber cannot shut down the runtime it runs on") !=
                std::string::npos);
        }
      }).join();
  });
}

TEST_CASE("two threads may shut down at once, and one runtime's fiber another runtime") {
  each_runtime([](weft::runtime& rt) {
    weft::runtime other;
    other.spawn(park_until_stopped).detach();
    std::thread second([&] { CHECK(other.shutdown() == 0); });
    rt.spawn([&] { CHECK(other.shutdown() == 0); }).join();
    second.join();
  });
}

TEST_CASE("a shutdown stops fibers of its own runtime only") {
  std::atomic<bool> end{false};
  std::atomic<int> wrongly_stopped{0};
  weft::options o;
  o.workers = 2;
  with_runtime(o, [&](weft::runtime& bystander) {
    auto spawner = bystander.spawn([&] {
      while (!end) {
        auto f = weft::spawn([] {
          weft::this_fiber::yield();
          return weft::this_fiber::stop_requested();
        });
        weft::this_fiber::yield();
        if (f.join()) ++wrongly_stopped;
      }
    });
    for (int i = 0; i < static_cast<int>(scaled(100)); ++i) {
      weft::runtime rt(o);
      for (int k = 0; k < 30; ++k)
        rt.spawn([] {
            while (!weft::this_fiber::stop_requested()) weft::this_fiber::yield();
          }).detach();
      CHECK(rt.shutdown() == 0);
    }
    end = true;
    spawner.join();
  });
  CHECK(wrongly_stopped == 0);
}
