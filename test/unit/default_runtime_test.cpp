// SPDX-License-Identifier: BSL-1.0
// The default runtime: its options, and how a process that has one ends, from wherever exit is
// called.
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <system_error>
#include <thread>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "support/in_child.hpp"
#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

// Nobody is waited for: what never ends in the child would keep it, and the timer end it.
template <class F>
child_end exits(F&& body) {
  return in_child([&] {
    alarm(WEFT_TSAN || WEFT_ASAN ? 60 : 30);
    body();
    return 99;
  });
}

void check_exit(const child_end& end, int code) {
  CHECK(end.signal == 0);
  CHECK(end.exit_code == code);
  CHECK(end.errors == "");
}

void occupy_default_runtime() {
  static weft::channel<int>& never = *new weft::channel<int>(0);
  static std::atomic<int> begun{0};
  weft::spawn([] {
    ++begun;
    static_cast<void>(never.receive());
  }).detach();
  weft::spawn([] {
    ++begun;
    weft::offload([] {
      ++begun;
      std::this_thread::sleep_for(1h);
    });
  }).detach();
  until([] { return begun == 3; });
}

// Older than the runtime, so destroyed after the end of the way in.
struct late_user {
  ~late_user() {
    try {
      weft::spawn([] {}).detach();
      _exit(50);
    } catch (const std::system_error& e) {
      if (e.code() != std::errc::operation_not_permitted) _exit(51);
    }
    // All but spawns from outside goes on.
    weft::channel<int> c(1);
    if (!c.send(1) || c.receive() != 1) _exit(52);
    if (weft::offload([] { return 5; }) != 5) _exit(53);
    static_cast<void>(weft::this_fiber::sleep_for(1ms));
    weft::mutex m;
    m.lock();
    if (m.try_lock_for(1ms)) _exit(54);
    m.unlock();
    if (weft::metrics().runtimes.size() != 1) _exit(55);
    _exit(42);
  }
};

}  // namespace

TEST_CASE(
    "exit is prompt from a fiber, an offloaded call, a thread, and with what never ends left where "
    "it is") {
  check_exit(exits([] {
               occupy_default_runtime();
               weft::spawn([] { std::exit(3); }).join();
             }),
             3);
  check_exit(exits([] {
               occupy_default_runtime();
               weft::spawn([] { weft::offload([] { std::exit(4); }); }).join();
             }),
             4);
  check_exit(exits([] { weft::offload([] { std::exit(5); }); }), 5);
  check_exit(exits([] {
               occupy_default_runtime();
               std::thread([] { weft::offload([] { std::this_thread::sleep_for(1h); }); }).detach();
               std::exit(6);
             }),
             6);
  check_exit(exits([] {
               occupy_default_runtime();
               weft::spawn([] { std::quick_exit(7); }).join();
             }),
             7);
  check_exit(exits([] {
               occupy_default_runtime();
               weft::spawn([] { _exit(8); }).join();
             }),
             8);
}

TEST_CASE(
    "statics that are destroyed later find a runtime that works, but for spawns from outside") {
  check_exit(exits([] {
               static late_user user;
               occupy_default_runtime();
               std::exit(3);
             }),
             42);
  check_exit(exits([] {  // on a fiber, which is inside
               struct from_fiber {
                 ~from_fiber() {
                   if (weft::spawn([] { return 6; }).join() != 6) _exit(50);
                   static_cast<void>(weft::this_fiber::sleep_for(1ms));
                   _exit(43);
                 }
               };
               static from_fiber user;
               occupy_default_runtime();
               weft::spawn([] { std::exit(3); }).join();
             }),
             43);
}

TEST_CASE("its options") {
  check_exit(in_child([] {
               weft::options o;
               o.name = "mine";
               o.workers = 3;
               weft::set_default_options(o);
               try {
                 o.max_fibers = 0;
                 weft::set_default_options(o);
                 return 1;
               } catch (const std::system_error& e) {
                 if (e.code() != std::errc::invalid_argument) return 2;
               }
               if (weft::spawn([] { return 1; }).join() != 1) return 3;
               const auto all = weft::metrics().runtimes;
               if (all.size() != 1 || all[0].name != "mine" || all[0].serving != 3) return 4;
               try {
                 weft::set_default_options({});
                 return 5;
               } catch (const std::system_error& e) {
                 if (e.code() != std::errc::device_or_resource_busy) return 6;
               }
               return 0;
             }),
             0);
}

TEST_CASE("a profile that nobody stops is stopped at exit") {
  const std::string path = "default_runtime_test_" + std::to_string(getpid()) + ".folded";
  check_exit(exits([&] {
               weft::profile::options o;
               o.path = path;
               weft::profile::start(o);
               weft::spawn([] { std::exit(9); }).join();
             }),
             9);
  CHECK(unlink(path.c_str()) == 0);
}
