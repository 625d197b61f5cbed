// SPDX-License-Identifier: BSL-1.0
// unit/net_connect_test.cpp - connections to names: the order of the attempts, one that does not
// answer, those that fail, what ends the wait.
#include <array>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <weft/net/connect.hpp>

#include "net/connect_race.hpp"
#include "net/resolver.hpp"
#include "support/net.hpp"

using namespace weft::test;
using namespace std::chrono_literals;
using weft::net::endpoint;
using weft::net::net_errc;
using weft::net::tcp_listener;
using weft::net::tcp_stream;

namespace {

// A listener whose backlog is full: the kernel does not answer who connects.
class black_hole {
 public:
  [[nodiscard]] endpoint at() const { return listener_.local_endpoint(); }

 private:
  tcp_listener listener_{any_port, 0};
  std::vector<tcp_stream> waiting_ = fill_backlog(listener_);
};

endpoint nobody() {
  const tcp_listener gone(any_port);
  return gone.local_endpoint();
}

std::mutex answers_lock;
std::vector<endpoint> answers;  // of the injected resolver, under the lock

weft::detail::lookup_answer injected_answers(const weft::detail::lookup_request&) {
  const std::lock_guard guard(answers_lock);
  return {{}, answers};
}

struct injected {
  explicit injected(std::vector<endpoint> all) {
    const std::lock_guard guard(answers_lock);
    answers = std::move(all);
    weft::detail::resolver::set_of_process(&resolver);
  }
  ~injected() { weft::detail::resolver::set_of_process(nullptr); }
  injected(const injected&) = delete;
  injected& operator=(const injected&) = delete;
  weft::detail::resolver resolver{injected_answers};
};

}  // namespace

TEST_CASE("connect: the families take turns, beginning with that of the best address") {
  const endpoint a4("192.0.2.1", 1), b4("192.0.2.2", 1), c4("192.0.2.3", 1);
  const endpoint a6("2001:db8::1", 1), b6("2001:db8::2", 1);
  CHECK(weft::detail::interleaved(std::vector{a6, b6, a4, b4, c4}) ==
        std::vector{a6, a4, b6, b4, c4});
  CHECK(weft::detail::interleaved(std::vector{a4, b4, a6}) == std::vector{a4, a6, b4});
  CHECK(weft::detail::interleaved(std::vector{a4}) == std::vector{a4});
}

TEST_CASE("connect: to localhost, by name and port") {
  at_worker_counts([] {
    tcp_listener listener(any_port);
    const std::uint16_t port = listener.local_endpoint().port();
    tcp_stream s = weft::net::connect("localhost", port);
    s.write_all("hello");
    std::array<char, 5> room;
    tcp_stream peer = listener.accept();
    peer.read_exactly(room);
    CHECK(std::string_view(room.data(), 5) == "hello");
    CHECK(weft::net::connect_for("127.0.0.1", std::to_string(port), 1h).is_open());
  });
}

TEST_CASE("connect: an address that does not answer costs a moment, one that refuses none") {
  at_worker_counts([] {
    const black_hole silent;
    tcp_listener listener(any_port);
    const injected names({nobody(), silent.at(), nobody(), listener.local_endpoint()});
    tcp_stream s = weft::net::connect("many.example", 80);
    CHECK(s.remote_endpoint() == listener.local_endpoint());
    CHECK(listener.accept().remote_endpoint() == s.local_endpoint());
    std::error_code ec;
    static_cast<void>(listener.accept_for(1ms, ec));  // no other connection is left behind
    CHECK(ec == std::errc::timed_out);
  });
}

TEST_CASE("connect: the time between attempts may be as long as it likes, or none") {
  at_worker_counts([] {
    const black_hole silent;
    tcp_listener listener(any_port);
    const std::vector<endpoint> both{silent.at(), listener.local_endpoint()};
    const auto connect = [&](std::chrono::milliseconds delay, std::chrono::nanoseconds limit) {
      std::error_code ec;
      static_cast<void>(weft::net::connect_to_any(
          both, ec, std::chrono::steady_clock::now() + limit, {.attempt_delay = delay}));
      return ec;
    };
    CHECK(connect(std::chrono::milliseconds::max(), 50ms) == std::errc::timed_out);
    CHECK_FALSE(connect(std::chrono::milliseconds::min(), 1h));
  });
}

TEST_CASE("connect: the better address wins if it answers in time, though others would, too") {
  at_worker_counts([] {
    tcp_listener best(any_port), other(any_port);
    const std::array all{best.local_endpoint(), other.local_endpoint()};
    std::error_code ec;
    for (int i = 0; i < 10; ++i) {
      // in time, however late this thread is
      const tcp_stream s =
          weft::net::connect_to_any(all, ec, clock::time_point::max(), {.attempt_delay = 1h});
      CHECK(s.remote_endpoint() == all[0]);
    }
    static_cast<void>(other.accept_for(1ms, ec));
    CHECK(ec == std::errc::timed_out);
  });
}

TEST_CASE("connect: if all fail, the best address says why; no address is an error") {
  at_worker_counts([] {
    const std::array all{nobody(), nobody()};
    std::error_code ec;
    CHECK_FALSE(weft::net::connect_to_any(all, ec).is_open());
    CHECK(ec == std::errc::connection_refused);
    CHECK_FALSE(weft::net::connect_to_any({}, ec).is_open());
    CHECK(ec == net_errc::host_not_found);
    const injected names({all[0]});
    std::string what;
    CHECK(thrown_by([] { static_cast<void>(weft::net::connect("gone.example", "81")); }, &what) ==
          std::errc::connection_refused);
    CHECK(what.find("gone.example:81") != std::string::npos);
  });
}

TEST_CASE("connect: a time, a token and a stop request end the wait for silent addresses") {
  at_worker_counts([] {
    const black_hole one, two;
    const injected names({one.at(), two.at()});
    std::error_code ec;
    CHECK_FALSE(weft::net::connect_for("silent.example", 80, 5ms, ec).is_open());
    CHECK(ec == std::errc::timed_out);
    const std::array all{one.at(), two.at()};
    CHECK_FALSE(
        weft::net::connect_to_any(all, ec, clock::now() + 10ms, {.attempt_delay = 1ms}).is_open());
    CHECK(ec == std::errc::timed_out);
    std::stop_source stop;
    auto by_token = weft::spawn([&] {
      std::error_code why;
      static_cast<void>(weft::net::connect(stop.get_token(), "silent.example", 80, why));
      return why;
    });
    auto to_any = weft::spawn([&] {
      std::error_code why;
      static_cast<void>(weft::net::connect_to_any(stop.get_token(), all, why));
      return why;
    });
    auto by_request = weft::spawn([] {
      std::error_code why;
      static_cast<void>(weft::net::connect("silent.example", 80, why));
      return why;
    });
    weft::this_fiber::sleep_for(2ms);
    stop.request_stop();
    by_request.request_stop();
    CHECK(by_token.join() == std::errc::operation_canceled);
    CHECK(to_any.join() == std::errc::operation_canceled);
    CHECK(by_request.join() == std::errc::operation_canceled);
  });
}

TEST_CASE("connect: on a plain thread") {
  const black_hole silent;
  tcp_listener listener(any_port);
  const std::array all{silent.at(), listener.local_endpoint()};
  std::error_code ec;
  CHECK(weft::net::connect_to_any(all, ec, clock::time_point::max(), {.attempt_delay = 1ms})
            .is_open());
}
