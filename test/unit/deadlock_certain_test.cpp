// SPDX-License-Identifier: BSL-1.0
// test/unit/deadlock_certain_test.cpp - threads that wait in weft end while a deadlock is looked
// for: they do not make up for those that run and will wake the fibers.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <weft/weft.hpp>

#include "base/sanitizers.hpp"
#include "debug/deadlock_report.hpp"
#include "support/emulator.hpp"
#include "support/runtimes.hpp"
#include "support/storm.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

TEST_CASE("a thread that ends during the look hides none that runs") {
  std::atomic<int> reports{0};
  weft::options o;
  o.workers = 1;
  o.deadlock_after = 1h;  // this test calls it
  o.deadlock_hook = [&](const std::string&) { ++reports; };
  weft::runtime rt(o);
  weft::event go;
  std::vector<weft::fiber<void>> waiters;
  for (int i = 0; i < 1000; ++i) waiters.push_back(rt.spawn([&] { go.wait(); }));
  until([&] { return metrics(rt).waiting == waiters.size(); });

  // Two run, here and there. Two wait and end together.
  std::atomic<bool> over{false};
  std::thread there([&] {
    while (!over) {
      weft::event end;
      std::thread a([&] { end.wait(); });
      std::thread b([&] { end.wait(); });
      std::this_thread::sleep_for(300us);
      end.set();
      a.join();
      b.join();
    }
  });
  const auto enough = std::chrono::steady_clock::now() + 1s;
  while (reports == 0 && std::chrono::steady_clock::now() < enough)
    weft::detail::check_for_deadlock(probe::of(rt));
  CHECK(reports == 0);
  over = true;
  there.join();
  go.set();
  for (auto& f : waiters) f.join();
}

TEST_CASE("fibers left behind by another runtime do not hide a deadlock" *
          not_under_qemu(emulator_thread)) {
  if (WEFT_TSAN) return;  // it has a thread of its own, which might wake somebody
  weft::event never;
  {
    weft::options o;
    o.workers = 1;
    o.shutdown_timeout = 0ms;
    weft::runtime gone(o);
    gone.spawn([&] { never.wait(); }).detach();
    until([&] { return metrics(gone).waiting == 1; });
  }
  std::atomic<bool> told{false};
  weft::options o;
  o.workers = 1;
  o.deadlock_after = 10ms;
  o.deadlock_hook = [&](const std::string&) {
    told = true;
    never.set();
  };
  weft::run(o, [&] { never.wait(); });
  CHECK(told);
}
