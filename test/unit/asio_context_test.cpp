// SPDX-License-Identifier: BSL-1.0
// unit/asio_context_test.cpp - weft's own execution context: handlers are fibers, its sockets and
// timers are waited for by weft's poller; posts from everywhere; its end.
#include <array>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <utility>  // Boost 1.74 forgets it
#include <vector>

#include <boost/asio.hpp>
#include <weft/asio.hpp>

#include "support/net.hpp"
#include "support/runtimes.hpp"

using namespace std::chrono_literals;
using namespace weft::test;
namespace net = boost::asio;
using net::ip::tcp;
using weft::use_fiber;

TEST_CASE("asio context: an echo by use_fiber, a hundred at once") {
  at_worker_counts([] {
    weft::asio::context asio;
    tcp::acceptor acceptor(asio.get_executor(), tcp::endpoint(net::ip::address_v4::loopback(), 0));
    const tcp::endpoint at = acceptor.local_endpoint();
    weft::scope all;
    all.spawn([&] {
      for (int i = 0; i < 100; ++i)
        all.spawn([s = acceptor.async_accept(use_fiber)]() mutable {
          std::array<char, 16> buffer;
          boost::system::error_code ec;
          for (;;) {
            const std::size_t n = s.async_read_some(net::buffer(buffer), use_fiber[ec]);
            if (ec == net::error::eof) break;
            net::async_write(s, net::buffer(buffer, n), use_fiber);
          }
        });
    });
    for (int i = 0; i < 100; ++i)
      all.spawn([&, i] {
        tcp::socket s(asio.get_executor());
        s.async_connect(at, use_fiber);
        for (int k = 0; k < 10; ++k) {
          const std::string word = std::to_string(i) + "." + std::to_string(k);
          net::async_write(s, net::buffer(word), use_fiber);
          std::string got(word.size(), ' ');
          net::async_read(s, net::buffer(got), use_fiber);
          CHECK(got == word);
        }
      });
    all.join();
  });
}

TEST_CASE("asio context: handlers are fibers and may wait; posts from fibers, threads, handlers") {
  at_worker_counts([] {
    weft::asio::context asio;
    const auto ex = asio.get_executor();
    std::atomic<int> ran = 0;
    weft::latch done(301);
    const auto work = [&] {
      weft::this_fiber::sleep_for(100us);
      CHECK(weft::this_fiber::is_fiber());
      ++ran;
      done.count_down();
    };
    for (int i = 0; i < 100; ++i) net::post(ex, work);
    std::thread other([&] {
      for (int i = 0; i < 100; ++i) net::post(ex, work);
    });
    weft::block_in_place([&] { other.join(); });
    for (int i = 0; i < 100; ++i) net::post(ex, [&] { net::dispatch(ex, work); });
    net::steady_timer timer(ex, 1ms);
    timer.async_wait([&](boost::system::error_code ec) {
      CHECK(!ec);
      work();
    });
    done.wait();
    CHECK(ran == 301);
  });
}

TEST_CASE("asio context: nothing is left behind while it waits") {
  // One at a time, so that the poller has gone to wait before each: a cancelled timer, an
  // operation that is ready at once, a resolved name, an earlier timer, a post of a thread.
  at_worker_counts([] {
    weft::asio::context asio;
    for (int i = 0; i < 50; ++i) {
      net::steady_timer timer(asio.get_executor(), 1h);
      auto waits = weft::spawn([&] {
        boost::system::error_code ec;
        timer.async_wait(use_fiber[ec]);
        return ec;
      });
      yield_until([&] { return timer.cancel() == 1; });
      CHECK(waits.join() == net::error::operation_aborted);
      tcp::resolver resolver(asio.get_executor());
      CHECK(!resolver.async_resolve("127.0.0.1", "80", use_fiber).empty());
      timer.expires_after(100us);
      timer.async_wait(use_fiber);
      tcp::socket s(asio.get_executor());
      boost::system::error_code ec;
      s.async_connect(tcp::endpoint(net::ip::address_v4::loopback(), 1), use_fiber[ec]);
      CHECK(ec == net::error::connection_refused);
      weft::event posted;
      std::thread([&] { net::post(asio.get_executor(), [&] { posted.set(); }); }).detach();
      posted.wait();
    }
  });
}

TEST_CASE("asio context: its end fails what is under way") {
  at_worker_counts([] {
    weft::event begun, ended;
    boost::system::error_code why;
    {
      weft::asio::context asio;
      net::post(asio.get_executor(), [&] {  // the destructor waits for it
        net::steady_timer timer(asio.get_executor(), 1h);
        begun.set();
        timer.async_wait(use_fiber[why]);
        ended.set();
      });
      begun.wait();
      // the fiber that polls, and the handler
      until([] { return weft::metrics().runtimes.back().waiting == 2; });
    }
    CHECK(ended.is_set());
    CHECK(why == net::error::operation_aborted);
  });
}
