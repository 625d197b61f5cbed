// SPDX-License-Identifier: BSL-1.0
// unit/asio_context_out_of_memory_test.cpp - a context for whose handlers there is now and then no
// memory: their operations end, and it polls on.
#include "support/failing_memory.hpp"

#include <atomic>
#include <chrono>
#include <new>
#include <thread>
#include <utility>  // Boost 1.74 forgets it

#include <boost/asio.hpp>
#include <weft/asio.hpp>
#include <weft/weft.hpp>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using namespace weft::test;
namespace net = boost::asio;
using weft::use_fiber;

TEST_CASE("asio context: no memory for handlers now and then") {
  for (const std::size_t workers : {1, 2, 8}) {
    weft::options o;
    o.workers = workers;
    o.on_unhandled_exception = [](const weft::unhandled_exception&) {};  // no stack, for example
    weft::run(o, [] {
      weft::asio::context asio;
      int fired = 0, ended = 0;
      for (const std::uint64_t n : {2, 3, 5, 7, 11}) {
        for (int i = 0; i < 40; ++i) {
          net::steady_timer timer(asio.get_executor(), 50us);
          boost::system::error_code ec;
          memory::fail_one_in(n);
          try {
            timer.async_wait(use_fiber[ec]);
            ++(ec ? ended : fired);
          } catch (const std::bad_alloc&) {  // it has not begun
          }
          memory::fail_one_in(0);
        }
      }
      CHECK(fired > 0);
      CHECK(ended > 0);
      net::steady_timer timer(asio.get_executor(), 1ms);
      timer.async_wait(use_fiber);
    });
  }
}

TEST_CASE("asio context: its end, with little memory") {
  weft::options o;
  o.on_unhandled_exception = [](const weft::unhandled_exception&) {};
  weft::run(o, [] {
    for (std::uint64_t i = 0; i < 50; ++i) {
      {
        weft::asio::context asio;
        net::steady_timer timer(asio.get_executor(), 1h);
        timer.async_wait([](boost::system::error_code) {});
        memory::fail_one_in(i % 3 + 1);
        timer.cancel();
      }  // before the handler, or after it
      memory::fail_one_in(0);
    }
  });
}
