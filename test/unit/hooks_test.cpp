// SPDX-License-Identifier: BSL-1.0
// test/unit/hooks_test.cpp - the functions in weft::options: one that throws ends the process with
// a line that names it; one that crashes leaves a dump.
#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>

#include <weft/weft.hpp>

#include "base/sanitizers.hpp"
#include "support/in_child.hpp"

using namespace std::chrono_literals;

namespace {

void names(const std::string& hook, const std::string& what,
           const std::function<void(weft::options&)>& set, const std::function<void()>& body) {
  const auto end = weft::test::in_child([&] {
    weft::options o;
    o.workers = 2;
    o.dump_on_crash = false;
    set(o);
    weft::run(o, body);
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CHECK_MESSAGE(end.errors.find("weft: options::" + hook + " threw") != std::string::npos,
                end.errors);
  CHECK_MESSAGE(end.errors.find(what) != std::string::npos, end.errors);
}

void stalls() {
  const auto end = std::chrono::steady_clock::now() + 60s;  // or the process ends
  while (std::chrono::steady_clock::now() < end) {
  }
}

void stuck() {
  weft::mutex m;
  const std::lock_guard lock(m);
  weft::scope children;
  children.spawn([&] { const std::lock_guard again(m); });
}

}  // namespace

TEST_CASE("a hook that throws is named") {
  names(
      "on_stall", "std::runtime_error: mine",
      [](weft::options& o) {
        o.stall_after = 20ms;
        o.on_stall = [](const weft::stall_report&) { throw std::runtime_error("mine"); };
      },
      stalls);
  names(
      "on_unhandled_exception", "int (not a std::exception)",
      [](weft::options& o) {
        o.on_unhandled_exception = [](const weft::unhandled_exception&) { throw 5; };
      },
      [] {
        weft::spawn([] { throw std::runtime_error("first"); }).detach();
        weft::event never;
        static_cast<void>(never.wait_for(60s));
      });
  names(
      "deadlock_hook", "std::runtime_error: mine",
      [](weft::options& o) {
        o.deadlock_after = 10ms;
        o.deadlock_hook = [](const std::string&) { throw std::runtime_error("mine"); };
      },
      stuck);
  names(
      "deadlock_hook", "std::bad_alloc",
      [](weft::options& o) {
        o.deadlock_after = 10ms;
        o.deadlock_hook = [](const std::string&) { throw std::bad_alloc(); };
      },
      stuck);
}

TEST_CASE("a hook that crashes: the dump is there, though the service thread cannot write it" *
          doctest::skip(WEFT_ASAN || WEFT_TSAN)) {  // which report crashes themselves
  const auto crashes = [](const std::function<void(weft::options&)>& set,
                          const std::function<void()>& body) {
    const auto end = weft::test::in_child([&] {
      weft::options o;
      o.workers = 2;
      o.name = "lonely";
      set(o);
      weft::run(o, body);
      return 0;
    });
    CAPTURE(end.errors);
    CHECK(end.signal == SIGABRT);
    CHECK(end.errors.find("weft: the process crashes; its fibers:\nweft: ") != std::string::npos);
    CHECK(end.errors.find("in runtime \"lonely\" of 2 workers") != std::string::npos);
  };
  crashes(
      [](weft::options& o) {
        o.stall_after = 20ms;
        o.on_stall = [](const weft::stall_report&) { std::abort(); };
      },
      stalls);
  crashes(
      [](weft::options& o) {
        o.deadlock_after = 10ms;
        o.deadlock_hook = [](const std::string&) { std::abort(); };
      },
      stuck);
}
