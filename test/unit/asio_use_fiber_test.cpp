// SPDX-License-Identifier: BSL-1.0
// unit/asio_use_fiber_test.cpp - Asio's asynchronous operations as calls: on contexts that threads
// run, on weft's own; results, errors, stops, deadlines, dropped operations.
#include <array>
#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>  // Boost 1.74 forgets it
#include <vector>

#include <boost/asio.hpp>
#include <weft/asio.hpp>

#include "support/net.hpp"

using namespace std::chrono_literals;
using namespace weft::test;
namespace net = boost::asio;
using net::ip::tcp;
using weft::use_fiber;

namespace {

/// An io_context that plain threads run.
struct threads {
  explicit threads(int n) : guard(net::make_work_guard(context)) {
    for (int i = 0; i < n; ++i) all.emplace_back([this] { context.run(); });
  }
  ~threads() {
    guard.reset();
    context.stop();
    for (auto& t : all) t.join();
  }
  net::io_context context;
  net::executor_work_guard<net::io_context::executor_type> guard;
  std::vector<std::thread> all;
};

/// An operation whose handler is called with these arguments, by that thread or at once.
template <class Signature, class Token, class... Args>
auto operation(Token&& token, Args... args) {
  return net::async_initiate<Token, Signature>(
      [](auto handler, auto... values) {
        // Moved: else the last reference to an exception could be this thread's, and TSan does not
        // see that libstdc++ counts them.
        std::thread([h = std::move(handler), values...]() mutable {
          h(std::move(values)...);
        }).detach();
      },
      token, args...);
}
template <class Signature, class Token, class... Args>
auto at_once(Token&& token, Args... args) {
  return net::async_initiate<Token, Signature>(
      [](auto handler, auto... values) { std::move(handler)(values...); }, token, args...);
}

/// Its cancel() finds nothing at first, as between two steps of a composed operation, then fails,
/// as that of a closed socket, then ends the wait.
struct stubborn {
  explicit stubborn(net::io_context& io) : context(io) {}
  net::io_context::executor_type get_executor() { return context.get_executor(); }
  void cancel() {
    if (++cancels == 2) throw boost::system::system_error(net::error::bad_descriptor);
    if (cancels == 3) end();
  }
  template <class Code, class Token>
  auto async_wait(Token&& token) {
    return net::async_initiate<Token, void(Code)>(
        [this](auto handler) {
          auto h = std::make_shared<decltype(handler)>(std::move(handler));
          end = [h] {
            const boost::system::error_code aborted = net::error::operation_aborted;
            if constexpr (std::is_same_v<Code, std::exception_ptr>)
              (*h)(std::make_exception_ptr(boost::system::system_error(aborted)));
            else if constexpr (std::is_same_v<Code, std::error_code>)
              (*h)(std::make_error_code(std::errc::operation_canceled));
            else
              (*h)(aborted);
          };
        },
        token);
  }
  net::io_context& context;
  int cancels = 0;
  std::function<void()> end;
};

struct fails_to_copy {
  fails_to_copy() = default;
  fails_to_copy(fails_to_copy&&) = default;
  fails_to_copy(const fails_to_copy&) { throw std::out_of_range("copy"); }
};

}  // namespace

TEST_CASE("use_fiber: results and errors, whoever calls the handler") {
  at_worker_counts([] {
    using boost::system::error_code;
    const error_code bad = net::error::connection_reset;
    error_code ec;
    operation<void()>(use_fiber);
    operation<void(error_code)>(use_fiber, error_code());
    CHECK(operation<void(error_code, int)>(use_fiber, error_code(), 7) == 7);
    CHECK(operation<void(int, std::string)>(use_fiber, 7, std::string("x")) ==
          std::tuple(7, std::string("x")));
    CHECK(at_once<void(error_code, std::string)>(use_fiber[ec], error_code(), std::string("y")) ==
          "y");
    CHECK(operation<void(error_code, int)>(use_fiber[ec], bad, 3) == 3);
    CHECK(ec == bad);
    CHECK(operation<void(error_code, int)>(net::redirect_error(use_fiber, ec), bad, 3) == 3);
    CHECK(ec == bad);
    const auto thrown = [&](auto call) {
      try {
        call();
      } catch (const boost::system::system_error& e) {
        return e.code();
      }
      return error_code();
    };
    CHECK(thrown([&] { operation<void(error_code)>(use_fiber, bad); }) == bad);
    CHECK(thrown([&] { at_once<void(error_code, int)>(use_fiber, bad, 1); }) == bad);
    CHECK(thrown_by([] {
            operation<void(std::error_code)>(use_fiber, std::make_error_code(std::errc::io_error));
          }) == std::errc::io_error);
    CHECK_THROWS_AS(operation<void(std::exception_ptr)>(
                        use_fiber, std::make_exception_ptr(std::out_of_range("x"))),
                    std::out_of_range);
    operation<void(std::exception_ptr)>(use_fiber, std::exception_ptr());
  });
  boost::system::error_code ec = net::error::eof;  // from a plain thread, too
  operation<void(boost::system::error_code)>(use_fiber[ec], boost::system::error_code());
  CHECK(!ec);
}

TEST_CASE("use_fiber: timers, sockets and names of a context that threads run") {
  threads io(2);
  at_worker_counts([&] {
    weft::scope all;
    tcp::acceptor acceptor(io.context, tcp::endpoint(net::ip::address_v4::loopback(), 0));
    const auto port = acceptor.local_endpoint().port();
    all.spawn([&] {
      for (int i = 0; i < 10; ++i) {
        tcp::socket s = acceptor.async_accept(use_fiber);
        std::array<char, 16> buffer;
        const std::size_t n = s.async_read_some(net::buffer(buffer), use_fiber);
        CHECK(net::async_write(s, net::buffer(buffer, n), use_fiber) == n);
      }
    });
    for (int i = 0; i < 10; ++i)
      all.spawn([&, i] {
        net::steady_timer timer(io.context, 1ms);
        timer.async_wait(use_fiber);
        tcp::resolver resolver(io.context);
        const auto found = resolver.async_resolve("127.0.0.1", std::to_string(port), use_fiber);
        tcp::socket s(io.context);
        CHECK(net::async_connect(s, found, use_fiber).port() == port);
        const std::string word = "word" + std::to_string(i);
        net::async_write(s, net::buffer(word), use_fiber);
        std::string got(word.size(), ' ');
        net::async_read(s, net::buffer(got), use_fiber);
        CHECK(got == word);
      });
    all.join();
  });
}

TEST_CASE("use_fiber: a stop request and a deadline cancel") {
  threads io(1);
  at_worker_counts([&] {
    net::steady_timer timer(io.context, 1h);
    auto waits = weft::spawn([&] {
      boost::system::error_code ec;
      timer.async_wait(use_fiber.cancelling(timer)[ec]);
      return ec;
    });
    weft::this_fiber::yield();
    waits.request_stop();
    CHECK(waits.join() == net::error::operation_aborted);
    boost::system::error_code ec;
    timer.async_wait(use_fiber.cancelling(timer).expires_after(1ms)[ec]);
    CHECK(ec == net::error::timed_out);
    timer.expires_after(0ms);
    timer.async_wait(use_fiber.cancelling(timer).expires_after(10min)[ec]);
    CHECK(!ec);
#if WEFT_ASIO_HAS_CANCELLATION
    timer.expires_after(1h);
    timer.async_wait(use_fiber.expires_after(1ms)[ec]);  // by its slot
    CHECK(ec == net::error::timed_out);
#else
    CHECK(thrown_by([&] { timer.async_wait(use_fiber.expires_after(1ms)); }) ==
          std::errc::operation_not_supported);
#endif
  });
}

TEST_CASE("use_fiber: a cancel that finds nothing or fails is not the last") {
  threads io(1);
  at_worker_counts([&] {
    using boost::system::error_code;
    error_code ec;
    stubborn stopped(io.context);
    auto waits =
        weft::spawn([&] { stopped.async_wait<error_code>(use_fiber.cancelling(stopped)[ec]); });
    waits.request_stop();
    waits.join();
    CHECK(ec == net::error::operation_aborted);
    CHECK(stopped.cancels >= 3);
    const auto late = [&](auto& o) { return use_fiber.cancelling(o).expires_after(1ms); };
    stubborn a(io.context), b(io.context), c(io.context), d(io.context);
    a.async_wait<error_code>(late(a)[ec]);
    CHECK(ec == net::error::timed_out);
    b.async_wait<std::error_code>(late(b)[ec]);
    CHECK(ec == net::error::timed_out);
    c.async_wait<std::exception_ptr>(late(c)[ec]);
    CHECK(ec == net::error::timed_out);
    CHECK_THROWS_AS(d.async_wait<std::exception_ptr>(late(d)), boost::system::system_error);
  });
}

TEST_CASE("use_fiber: async_read of a peer that sends slowly ends by its deadline and by a stop") {
  threads io(1);
  weft::run([&] {
    tcp::acceptor acceptor(io.context, tcp::endpoint(net::ip::address_v4::loopback(), 0));
    for (int i = 0; i < 30; ++i) {
      tcp::socket reads(io.context), sends(io.context);
      auto accepted = weft::spawn([&] { sends = acceptor.async_accept(use_fiber); });
      reads.async_connect(acceptor.local_endpoint(), use_fiber);
      accepted.join();
      sends.non_blocking(true);  // nobody reads in the end
      std::atomic<bool> ended = false;
      auto sender = weft::spawn([&] {
        boost::system::error_code ec;
        for (const char byte = 'x'; !ended && (!ec || ec == net::error::would_block);) {
          sends.write_some(net::buffer(&byte, 1), ec);
          weft::this_fiber::yield();
        }
      });
      auto reader = weft::spawn([&] {
        std::vector<char> all(std::size_t{1} << 24);
        auto token = use_fiber.cancelling(reads);
        if (i % 2 == 0) token = token.expires_after(1ms);
        boost::system::error_code ec;
        net::async_read(reads, net::buffer(all), token[ec]);
        return ec;
      });
      if (i % 2 != 0) {
        weft::this_fiber::sleep_for(1ms);
        reader.request_stop();
      }
      CHECK(reader.join() == (i % 2 == 0
                                  ? net::error::timed_out
                                  : boost::system::error_code(net::error::operation_aborted)));
      ended = true;
      sender.join();
    }
  });
}

#if WEFT_ASIO_HAS_CANCELLATION
TEST_CASE("use_fiber: the steps of a composed operation and its cancel do not meet") {
  threads io(2);
  weft::run([&] {
    for (int i = 0; i < 20; ++i) {
      std::atomic<bool> in_step = false, met = false;
      auto waits = weft::spawn([&] {
        boost::system::error_code ec;
        auto step = [&, begun = false](auto& self) mutable {
          in_step = true;
          if (!std::exchange(begun, true))
            self.reset_cancellation_state([&](net::cancellation_type what) {
              if (in_step) met = true;
              return what;
            });
          std::this_thread::sleep_for(1ms);
          in_step = false;
          if (self.cancelled() == net::cancellation_type::none)
            net::post(io.context, std::move(self));
          else
            self.complete(net::error::operation_aborted);
        };
        net::async_compose<const weft::use_fiber_t&, void(boost::system::error_code)>(
            std::move(step), use_fiber[ec], io.context);
        return ec;
      });
      weft::this_fiber::sleep_for(3ms);
      waits.request_stop();
      CHECK(waits.join() == net::error::operation_aborted);
      CHECK(!met);
    }
  });
}
#endif

TEST_CASE("use_fiber: what a value's copy throws is the caller's, as is an exception_ptr's code") {
  at_worker_counts([] {
    const auto by_thread = [](auto handler) {
      std::thread([h = std::move(handler)]() mutable {
        const fails_to_copy value;
        h(value);
      }).detach();
    };
    const auto call = [&] {
      return net::async_initiate<const weft::use_fiber_t&, void(fails_to_copy)>(by_thread,
                                                                                use_fiber);
    };
    CHECK_THROWS_AS(call(), std::out_of_range);
    // The initiation itself throws.
    CHECK_THROWS_AS(operation<void(fails_to_copy)>(use_fiber, fails_to_copy()), std::out_of_range);
    boost::system::error_code ec;
    const boost::system::system_error bad(net::error::connection_reset);
    operation<void(std::exception_ptr)>(use_fiber[ec], std::make_exception_ptr(bad));
    CHECK(ec == net::error::connection_reset);
    CHECK_THROWS_AS(operation<void(std::exception_ptr)>(
                        use_fiber[ec], std::make_exception_ptr(std::out_of_range("x"))),
                    std::out_of_range);
    CHECK(!ec);
  });
}

TEST_CASE("use_fiber: an operation that is dropped with its context has failed") {
  weft::run([] {
    auto io = std::make_unique<net::io_context>();
    std::atomic<bool> begun = false;
    auto waits = weft::spawn([&] {
      boost::system::error_code ec;
      net::async_initiate<const weft::use_fiber_t&, void(boost::system::error_code)>(
          [&](auto handler) {
            net::post(*io, [h = std::move(handler)]() mutable { h(boost::system::error_code()); });
            begun = true;
          },
          use_fiber[ec]);
      return ec;
    });
    yield_until([&] { return begun.load(); });
    io.reset();
    CHECK(waits.join() == net::error::operation_aborted);

    auto dropped = weft::spawn([&] {
      boost::system::error_code ec;
      net::async_initiate<const weft::use_fiber_t&, void(boost::system::error_code)>(
          [](auto handler) { static_cast<void>(handler); }, use_fiber[ec]);
      return ec;
    });
    CHECK(dropped.join() == net::error::operation_aborted);
  });
}
