// SPDX-License-Identifier: BSL-1.0
// What ends when something is used up: a limit of weft's own, the address space, threads. Each says
// which limit.
#include <atomic>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <iostream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <sys/resource.h>
#include <unistd.h>

#include <weft/scope.hpp>

#include "os/os.hpp"
#include "support/emulator.hpp"
#include "support/in_child.hpp"
#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

// Spawns parked fibers until one is refused; how many there were.
std::size_t fill(weft::runtime& rt) {
  std::vector<weft::fiber<>> parked;
  std::string text;
  try {
    for (;;) parked.push_back(rt.spawn(park_until_stopped));
  } catch (const std::system_error& e) {
    CHECK(e.code() == std::errc::resource_unavailable_try_again);
    text = e.what();
  }
  CHECK(text.find("fibers are alive, which is options::max_fibers") != std::string::npos);
  const std::size_t n = parked.size();
  for (auto& f : parked) f.request_stop();
  for (auto& f : parked) f.join();
  return n;
}

}  // namespace

TEST_CASE("max_fibers holds for outsiders exactly, for fibers nearly, again and again") {
  for (const std::size_t workers : worker_counts) {
    weft::options o;
    o.workers = workers;
    o.max_fibers = 200;
    with_runtime(o, [](weft::runtime& rt) {
      CHECK(fill(rt) == 200);
      until([&] { return rt.fibers() == 0; });
      CHECK(fill(rt) == 200);
      until([&] { return rt.fibers() == 0; });
      const std::size_t inside = rt.spawn([&] { return fill(rt); }).join();
      CHECK(inside >= 190);
      CHECK(inside <= 400);
    });
  }
}

TEST_CASE("many fibers that came and went do not raise max_fibers") {
  weft::options o;
  o.workers = 1;
  o.max_fibers = 100;
  with_runtime(o, [](weft::runtime& rt) {
    for (int i = 0; i < 20; ++i) {
      std::vector<weft::fiber<>> some;
      // spawned outside, ended on the worker
      for (int k = 0; k < 50; ++k) some.push_back(rt.spawn([] {}));
      for (auto& f : some) f.join();
      until([&] { return rt.fibers() == 0; });
    }
    CHECK(rt.spawn([&] { return fill(rt); }).join() <= 110);
  });
}

TEST_CASE("a scope with a limit never meets max_fibers") {
  weft::options o;
  o.workers = 2;
  o.max_fibers = 20;
  with_runtime(o, [](weft::runtime& rt) {
    rt.spawn([] {
        std::atomic<int> ran{0};
        {
          weft::scope s{weft::scope_limit{8}};
          for (int i = 0; i < 1000; ++i) s.spawn([&] { ++ran; });
        }
        CHECK(ran == 1000);
      }).join();
  });
}

#if !WEFT_ASAN && !WEFT_TSAN  // their shadow memory does not fit under a limit
namespace {

constexpr const char* no_limit = "setrlimit(RLIMIT_AS) has no effect there";

std::size_t address_space_now() {
  std::ifstream statm("/proc/self/statm");
  std::size_t pages = 0;
  statm >> pages;
  return pages * weft::os::page_size();
}

}  // namespace

TEST_CASE("ulimit -v: the join of a fiber without a stack throws, and names the limit" *
          not_under_qemu(no_limit)) {
  for (const std::size_t workers : {1u, 2u}) {
    const child_end end = in_child([workers] {
      weft::options o;
      o.workers = workers;
      o.stack_size = 1 << 20;
      weft::runtime rt(o);
      // Everything but the stacks is there before: only they are to fail.
      std::vector<weft::fiber<>> all;
      for (int i = 0; i < 3000; ++i) all.push_back(rt.spawn([] {}));
      for (auto& f : all) f.join();
      all.clear();
      const std::size_t limit = address_space_now() + (std::size_t{512} << 20);
      const rlimit tight{limit, limit};
      setrlimit(RLIMIT_AS, &tight);
      std::atomic<std::size_t> begun{0};
      for (int i = 0; i < 3000; ++i)
        all.push_back(rt.spawn([&] {
          ++begun;
          park_until_stopped();
        }));
      until([&] { return begun == rt.fibers(); });  // the others have failed
      std::size_t failed = 0;
      std::string text;
      for (auto& f : all) f.request_stop();
      for (auto& f : all) try {
          f.join();
        } catch (const std::system_error& e) {
          if (e.code() == std::errc::not_enough_memory) ++failed;
          text = e.what();
        }
      std::cerr << text << '\n';
      // What was there is usable again.
      rt.spawn([] {}).join();
      return failed > 0 && failed < 3000 ? static_cast<int>(rt.shutdown()) : 9;
    });
    CAPTURE(end.errors);
    CAPTURE(end.signal);
    CHECK(end.exit_code == 0);
    CHECK(end.errors.find("no stack of 1024 KiB for a fiber") != std::string::npos);
    CHECK(end.errors.find("ulimit -v") != std::string::npos);
  }
}

TEST_CASE("a callable that is destroyed unused may use weft in its destructor") {
  struct talkative {
    bool armed = true;
    talkative() = default;
    talkative(talkative&& o) noexcept : armed(std::exchange(o.armed, false)) {}
    ~talkative() {
      if (!armed) return;
      weft::this_fiber::yield();
      weft::spawn([] {}).detach();
      static_cast<void>(weft::this_fiber::sleep_for(10us));
    }
    void operator()() { armed = false; }
  };
  const child_end end = in_child([] {
    alarm(20);
    weft::options o;
    o.workers = 1;
    weft::runtime rt(o);
    rt.spawn([] {}).join();
    weft::os::test_hooks.reserve_error.store(ENOMEM);
    weft::attributes a;
    a.stack_size = 4 << 20;
    int failed = 0;
    for (int i = 0; i < 10; ++i) try {
        rt.spawn(a, talkative()).join();
      } catch (const std::system_error&) {
        ++failed;
      }
    if (failed != 10) return 8;
    weft::os::test_hooks.reserve_error.store(0);
    rt.spawn([] { weft::spawn([] {}).join(); }).join();
    return static_cast<int>(rt.shutdown());
  });
  CAPTURE(end.errors);
  CHECK(end.exit_code == 0);
}

TEST_CASE("a runtime whose threads cannot be made says how far it came" *
          not_under_qemu(no_limit)) {
  const child_end end = in_child([] {
    weft::options o;
    o.workers = 200;
    const std::size_t limit = address_space_now() + (std::size_t{64} << 20);
    const rlimit tight{limit, limit};
    setrlimit(RLIMIT_AS, &tight);
    try {
      weft::runtime rt(o);
    } catch (const std::system_error& e) {
      std::cerr << e.what() << '\n';
      return e.code() == std::errc::resource_unavailable_try_again ? 0 : 1;
    } catch (const std::bad_alloc&) {
      return 2;
    }
    return 3;
  });
  CAPTURE(end.errors);
  CHECK(end.exit_code == 0);
  CHECK(end.errors.find("of 200 for the runtime could not be made") != std::string::npos);
}
#endif
