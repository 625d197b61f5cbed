// SPDX-License-Identifier: BSL-1.0
// options: what is refused, by name and with what would be right.
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <system_error>

#include <doctest/doctest.h>

#include <pthread.h>

#include <weft/trace.hpp>

#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

void refused(const std::function<void(weft::options&)>& spoil, const std::string& says) {
  CAPTURE(says);
  weft::options o;
  spoil(o);
  try {
    const weft::runtime rt(o);
    FAIL("no exception");
  } catch (const std::system_error& e) {
    CHECK(e.code() == std::errc::invalid_argument);
    const std::string text = e.what();
    CAPTURE(text);
    CHECK(text.find(says) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("bad options are refused") {
  refused([](auto& o) { o.workers = 1025; }, "options::workers is 1025; the most is 1024");
  refused([](auto& o) { o.stack_size = 0; }, "options::stack_size is 0 bytes");
  refused([](auto& o) { o.stack_size = 12u << 10; }, "options::stack_size is 12288 bytes");
  refused([](auto& o) { o.stack_size = (64u << 10) + 512; }, "must be a multiple of the page size");
  refused([](auto& o) { o.stack_size = std::size_t{2} << 30; },
          "options::stack_size is 2147483648 bytes");
  refused([](auto& o) { o.max_fibers = 0; }, "options::max_fibers is 0");
  refused([](auto& o) { o.workers = 4, o.max_threads = 4; },
          "options::max_threads is 4 for 4 workers");
  refused([](auto& o) { o.max_threads = 1; }, "options::max_threads is 1 for 1 worker;");
  refused([](auto& o) { o.max_threads = std::numeric_limits<std::size_t>::max(); },
          "the most is 4194304");
  refused([](auto& o) { o.shutdown_timeout = -1ms; }, "options::shutdown_timeout is negative");
}

// A handler that takes a fault and returns runs for ever: the instruction faults again.
TEST_CASE("the signals of crashes serve nothing else") {
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS}) {
    refused([&](auto& o) { o.dump_signal = signal; }, "the signal of a crash");
    refused([&](auto& o) { o.preempt_signal = signal; }, "options::preempt_signal is");
    weft::trace::flight_options flight;
    flight.signal = signal;
    CHECK_THROWS_WITH_AS(weft::trace::start_flight_recorder(flight),
                         doctest::Contains("is that of a crash"), std::system_error);
  }
}

TEST_CASE("weft::run refuses the same") {
  weft::options o;
  o.workers = 5000;
  CHECK_THROWS_AS(weft::run(o, [] {}), std::system_error);
}

TEST_CASE("the smallest and odd sizes that are right") {
  for (const std::size_t size : {16u << 10, 20u << 10, 100u << 10, 1u << 20}) {
    weft::options o;
    o.workers = 2;
    o.stack_size = WEFT_ASAN != 0 && size < (64u << 10) ? 64u << 10 : size;
    with_runtime(o, [](weft::runtime& rt) {
      CHECK(rt.spawn([] { return weft::spawn([] { return 1; }).join(); }).join() == 1);
    });
  }
}

TEST_CASE("threads carry the name") {
  weft::options o;
  o.workers = 1;
  o.name = "shuttle";
  with_runtime(o, [](weft::runtime& rt) {
    CHECK(rt.spawn([] {
              char name[16] = {};
              pthread_getname_np(pthread_self(), name, sizeof name);
              return std::string(name);
            }).join() == "shuttle-0");
  });
  o.name = std::string(100, 'l');
  with_runtime(o, [](weft::runtime& rt) { rt.spawn([] {}).join(); });
  o.name = "";
  with_runtime(o, [](weft::runtime& rt) { rt.spawn([] {}).join(); });
}

TEST_CASE("a time to wait that is longer than the clock") {
  weft::options o;
  o.shutdown_timeout = std::chrono::milliseconds::max();
  with_runtime(o, [](weft::runtime& rt) { rt.spawn(park_until_stopped).detach(); });
}

TEST_CASE("options of a recording: paths with a zero byte and sizes beyond reason are refused") {
  using namespace std::string_literals;
  namespace trace = weft::trace;
  const std::string path = "/tmp/weft_trace\0x"s;
  const auto is_refused = [](auto call) {
    try {
      call();
    } catch (const std::system_error& e) {
      return e.code() == std::errc::invalid_argument;
    }
    return false;
  };
  CHECK(is_refused([&] { trace::start(path); }));
  CHECK(is_refused([&] { trace::start_flight_recorder({.path = path}); }));
  // The number of blocks has 32 bits: the first was none.
  CHECK(is_refused([] { trace::start_flight_recorder({.memory = std::size_t{1} << 47}); }));
  CHECK(is_refused([] { trace::start_flight_recorder({.memory = SIZE_MAX}); }));
  CHECK_FALSE(trace::is_recording());
  trace::start_flight_recorder({.memory = 0});  // the fewest blocks
  CHECK(is_refused([&] { trace::snapshot(path); }));
  trace::stop();
}
