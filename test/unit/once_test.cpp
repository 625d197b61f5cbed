// SPDX-License-Identifier: BSL-1.0
// unit/once_test.cpp - once, by whoever comes first; a failure does not count.
#include <weft/once.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <string>

#include <weft/this_fiber.hpp>

#include "support/agents.hpp"
#include "support/in_child.hpp"

using weft::test::agents;
using weft::test::on_all_agents;

constinit weft::once_flag at_namespace_scope;

TEST_CASE("once [example]: the connection is made once") {
  weft::run([] {
    weft::once_flag connected;
    std::unique_ptr<std::string> connection;
    std::vector<weft::fiber<void>> fibers;
    for (int i = 0; i < 20; ++i)
      fibers.push_back(weft::spawn([&] {
        weft::call_once(connected, [&] {
          weft::this_fiber::yield();
          connection = std::make_unique<std::string>("open");
        });
        CHECK(*connection == "open");
      }));
    for (auto& f : fibers) f.join();
  });
}

TEST_CASE("once: arguments, move-only ones too") {
  weft::once_flag flag;
  int got = 0;
  weft::call_once(
      flag, [&](std::unique_ptr<int> p, int& out) { out = *p; }, std::make_unique<int>(7), got);
  CHECK(got == 7);
  weft::call_once(flag, [] { FAIL("again"); });
}

TEST_CASE("once: a call that throws does not count, another one tries") {
  on_all_agents([](agents& s) {
    for (int round = 0; round < 20; ++round) {
      weft::once_flag flag;
      std::atomic<int> tried{0}, failed{0};
      int result = 0;
      for (int i = 0; i < 12; ++i)
        s.start([&] {
          try {
            weft::call_once(flag, [&] {
              weft::this_fiber::yield();
              if (tried.fetch_add(1, std::memory_order_relaxed) < 3) throw 1;
              ++result;
            });
            CHECK(result == 1);
          } catch (int) {
            failed.fetch_add(1, std::memory_order_relaxed);
          }
        });
      s.join();
      CHECK(result == 1);
      CHECK(failed.load(std::memory_order_relaxed) == 3);
    }
  });
}

TEST_CASE("once: a call from within is reported") {
  const auto end = weft::test::in_child([] {
    weft::once_flag flag;
    weft::call_once(flag, [&] { weft::call_once(flag, [] {}); });
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CHECK_MESSAGE(end.errors.find("calls call_once from within") != std::string::npos, end.errors);
}
