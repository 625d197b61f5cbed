// SPDX-License-Identifier: BSL-1.0
// unit/asio_context_faults_test.cpp - nothing but the end of a context ends its polling: no failed
// wait, no handler that throws where no fiber is to be had, no stop of its runtime while fibers
// still wait for operations.
#include <atomic>
#include <cerrno>
#include <chrono>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>  // Boost 1.74 forgets it

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/asio.hpp>
#include <weft/asio.hpp>
#include <weft/weft.hpp>

#include "support/in_child.hpp"
#include "support/runtimes.hpp"

using namespace std::chrono_literals;
using namespace weft::test;
namespace net = boost::asio;
using weft::use_fiber;

namespace {
std::atomic<bool> watches_fail = false;
std::atomic<int> failed_watches = 0;
}  // namespace

// Weft's, too: it is linked before libc's.
extern "C" int epoll_ctl(int epoll, int what, int number, epoll_event* event) noexcept {
  if (watches_fail && what != EPOLL_CTL_DEL) {
    ++failed_watches;
    errno = ENOSPC;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_epoll_ctl, epoll, what, number, event));
}

namespace {

// A fiber that waits for an hour and is asked to stop: the timer is cancelled.
void wait_for_an_hour(weft::asio::context& asio, weft::event& begun) {
  net::steady_timer timer(asio.get_executor(), 1h);
  boost::system::error_code ec;
  begun.set();
  timer.async_wait(use_fiber.cancelling(timer)[ec]);
  CHECK(ec == net::error::operation_aborted);
}

weft::options patient(std::size_t workers) {
  weft::options o;
  o.workers = workers;
  o.shutdown_timeout = 20s;
  return o;
}

void wait_a_while(std::chrono::milliseconds time) {  // a stop does not end it
  weft::event never;
  CHECK(!never.wait_for(time));
}

}  // namespace

// First, and in a child: before other runtimes, and what is left behind is its leak.
TEST_CASE("asio context: an operation that nobody cancels; its context ends all the same") {
  const child_end end = in_child([] {
    weft::options o = patient(2);
    o.shutdown_timeout = 20ms;
    weft::runtime rt(o);
    std::optional<weft::asio::context> asio;
    rt.spawn([&] { asio.emplace(); }).join();
    std::optional<net::steady_timer> timer(std::in_place, asio->get_executor(), 1h);
    timer->async_wait([](boost::system::error_code) {});
    const std::size_t left_behind = rt.shutdown();
    timer.reset();
    asio.reset();
    return static_cast<int>(left_behind);
  });
  CHECK(end.exit_code == 1);
  CHECK(end.errors.find("\"asio\"") != std::string::npos);
}

TEST_CASE("asio context: a wait for its descriptor fails; timers go on") {
  each_fiber([] {
    weft::asio::context asio;
    net::steady_timer timer(asio.get_executor());
    const int before = failed_watches;
    for (const bool fails : {true, false}) {
      watches_fail = fails;
      for (int i = 0; i < 5; ++i) {
        timer.expires_after(2ms);
        boost::system::error_code ec;
        timer.async_wait(use_fiber.cancelling(timer).expires_after(20s)[ec]);
        CHECK(!ec);
      }
    }
    CHECK(failed_watches > before);
  });
}

TEST_CASE("asio context: a handler throws where no fiber is to be had") {
  for (const std::size_t workers : worker_counts) {
    std::atomic<int> reported = 0, ran = 0;
    weft::options o = patient(workers);
    o.max_fibers = 3;
    o.on_unhandled_exception = [&](const weft::unhandled_exception& what) {
      CHECK_THROWS_AS(std::rethrow_exception(what.exception), std::range_error);
      ++reported;
    };
    weft::runtime rt(o);
    rt.spawn([&] {
        weft::asio::context asio;
        auto third = weft::spawn([] { park_until_stopped(); });
        const auto throws = [&] {
          ++ran;
          throw std::range_error("by a handler");
        };
        std::thread([&] {
          for (int i = 0; i < 3; ++i) net::post(asio.get_executor(), throws);
        }).join();
        until([&] { return ran == 3; });
        net::post(asio.get_executor(), throws);  // of a fiber: the poller's, too
        net::post(asio.get_executor(), [&] { ++ran; });
        until([&] { return ran == 5; });
        CHECK(reported == 0);
        third.request_stop();
        third.join();
        until([&] { return reported == 4; });
        net::steady_timer timer(asio.get_executor(), 1ms);
        timer.async_wait(use_fiber);
      }).join();
    CHECK(rt.shutdown() == 0);
    CHECK(ran == 5);
  }
}

TEST_CASE("asio context: a shutdown ends what fibers wait for; the context is theirs") {
  for (const std::size_t workers : worker_counts) {
    weft::runtime rt(patient(workers));
    weft::event begun;
    rt.spawn([&] {
        weft::asio::context asio;
        wait_for_an_hour(asio, begun);
      }).detach();
    begun.wait();
    const auto start = std::chrono::steady_clock::now();
    CHECK(rt.shutdown() == 0);
    CHECK(std::chrono::steady_clock::now() - start < 10s);
  }
}

TEST_CASE("asio context: a shutdown ends what fibers wait for; the context outlives it") {
  for (const std::size_t workers : worker_counts) {
    weft::runtime rt(patient(workers));
    std::optional<weft::asio::context> asio;
    weft::event begun;
    rt.spawn([&] { asio.emplace(); }).join();
    rt.spawn([&] { wait_for_an_hour(*asio, begun); }).detach();
    begun.wait();
    const auto start = std::chrono::steady_clock::now();
    CHECK(rt.shutdown() == 0);
    CHECK(std::chrono::steady_clock::now() - start < 10s);
    // Used again: polled for by a fiber of the default runtime.
    net::steady_timer timer(asio->get_executor(), 1ms);
    timer.async_wait(use_fiber);
    weft::event posted;
    net::post(asio->get_executor(), [&] { posted.set(); });
    CHECK(posted.wait_for(20s));
  }
}

TEST_CASE("asio context: operations that begin during the shutdown") {
  for (const std::size_t workers : worker_counts) {
    weft::runtime rt(patient(workers));
    std::optional<weft::asio::context> asio;
    weft::event begun;
    bool done = false;
    rt.spawn([&] { asio.emplace(); }).join();
    rt.spawn([&] {
        begun.set();
        park_until_stopped();
        for (int i = 0; i < 5; ++i) {
          wait_a_while(5ms);  // the polling has ended
          net::steady_timer timer(asio->get_executor(), 2ms);
          weft::event fired;
          timer.async_wait([&](boost::system::error_code ec) {
            CHECK(!ec);
            fired.set();
          });
          REQUIRE(fired.wait_for(10s));
          timer.expires_after(1h);
          boost::system::error_code ec;
          timer.async_wait(use_fiber.cancelling(timer)[ec]);
          CHECK(ec == net::error::operation_aborted);
        }
        done = true;
      }).detach();
    begun.wait();
    CHECK(rt.shutdown() == 0);
    CHECK(done);
  }
}
