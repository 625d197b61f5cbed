// SPDX-License-Identifier: BSL-1.0
// unit/net_faults_test.cpp - peers and limits that misbehave: resets in every state, clients that
// never read, that send a byte now and then, and many connections that come and go.
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "support/net.hpp"
#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;
using weft::net::tcp_listener;
using weft::net::tcp_stream;

namespace {

// Threads have descriptors, too, and come and go.
std::size_t open_sockets() {
  std::size_t n = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry.path(), gone).string().starts_with("socket:")) ++n;
  }
  return n;
}

void reset(tcp_stream& s) {
  s.set_linger(0s);
  s.close();
}

// An echo server for as long as it lives; every connection ends with an error code or not at all.
class echo_server {
 public:
  echo_server() : listener_(any_port) {
    accepting_ = weft::spawn([this] {
      for (;;) {
        std::error_code ec;
        tcp_stream s = listener_.accept(ec);
        if (ec) return;
        clients_.spawn([this, s = std::move(s)]() mutable { serve(s); });
      }
    });
  }
  ~echo_server() {
    listener_.close();
    accepting_.join();
    clients_.request_stop();
    clients_.join();
  }
  echo_server(const echo_server&) = delete;
  echo_server& operator=(const echo_server&) = delete;

  [[nodiscard]] tcp_stream client() const { return tcp_stream(listener_.local_endpoint()); }
  [[nodiscard]] weft::net::endpoint at() const { return listener_.local_endpoint(); }
  std::atomic<std::size_t> served{0};  // connections that have ended
  weft::net::tcp_stream::time_point read_deadline = tcp_stream::no_deadline;

  void must_answer() const {
    tcp_stream s = client();
    s.write_all("still there?");
    std::array<char, 12> room;
    s.read_exactly_for(room, 60s);
    CHECK(std::string_view(room.data(), room.size()) == "still there?");
  }

 private:
  void serve(tcp_stream& s) {
    std::array<std::byte, 4096> room;
    std::error_code ec;
    s.set_read_deadline(read_deadline);
    while (const std::size_t n = s.read_some(room, ec)) {
      s.write_all(std::span(room).first(n), ec);
      if (ec) break;
    }
    served.fetch_add(1);
  }
  tcp_listener listener_;
  weft::scope clients_;
  weft::fiber<void> accepting_;
};

}  // namespace

TEST_CASE("faults: a reset in every state ends that connection and nothing else") {
  at_worker_counts([] {
    echo_server server;
    std::size_t connections = 0;
    const auto client = [&] {
      ++connections;
      return server.client();
    };
    for (int round = 0; round < 5; ++round) {
      tcp_stream in_backlog = client();  // perhaps before it is accepted
      reset(in_backlog);
      tcp_stream while_read_from = client();
      weft::this_fiber::yield();
      reset(while_read_from);
      tcp_stream with_data = client();
      with_data.write_all("abc");
      reset(with_data);
      tcp_stream while_written_to = client();  // it has an answer that nobody reads
      std::error_code ec;
      while (while_written_to.write_all_for(pattern(100'000), 1ms, ec) == 100'000) {
      }
      reset(while_written_to);
      tcp_stream half_closed = client();
      half_closed.write_all("abc");
      half_closed.shutdown_send();
      reset(half_closed);
      tcp_stream both_closed = client();
      both_closed.shutdown(weft::net::shutdown_side::both);
      reset(both_closed);
      server.must_answer();
      ++connections;
    }
    yield_until([&] { return server.served.load() == connections; });
  });
}

TEST_CASE("faults: clients that never read do not keep others from being answered") {
  at_worker_counts([] {
    echo_server server;
    std::vector<tcp_stream> deaf;
    const auto data = pattern(64 * 1024);
    for (int i = 0; i < 50; ++i) {
      deaf.push_back(server.client());
      std::error_code ec;
      while (deaf.back().write_all_for(data, 0s, ec) == data.size()) {
      }
    }
    for (int i = 0; i < 20; ++i) server.must_answer();
    yield_until([&] { return server.served.load() == 20; });
    CHECK(deaf.size() == 50);
  });
}

TEST_CASE("faults: a client that sends a byte now and then is ended by the deadline") {
  at_worker_counts([] {
    tcp_listener listener(any_port);
    auto server = weft::spawn([&] {
      tcp_stream s = listener.accept();
      std::array<std::byte, 1024> request;
      std::error_code ec;
      const std::size_t n = s.read_exactly_for(request, 20ms, ec);  // of the whole request
      CHECK(n < request.size());
      return ec;
    });
    tcp_stream slow(listener.local_endpoint());
    std::error_code ec;
    while (!ec) {
      slow.write_all("x", ec);
      static_cast<void>(weft::this_fiber::sleep_for(1ms));
    }
    CHECK((ec == std::errc::broken_pipe || ec == std::errc::connection_reset));
    CHECK(server.join() == std::errc::timed_out);
  });
}

TEST_CASE("faults: many connections come and go; no socket stays") {
  // WEFT_TEST_MANY: 100,000 and more, for a longer look.
  const char* const many = std::getenv("WEFT_TEST_MANY");
  const std::size_t connections =
      many != nullptr ? std::strtoull(many, nullptr, 10) : scaled(4'000);
  weft::options o;
  o.workers = 2;
  weft::runtime r(o);
  r.spawn([&] {
     echo_server server;
     server.must_answer();
     yield_until([&] { return server.served.load() == 1; });
     const std::size_t before = open_sockets();
     std::atomic<std::size_t> left{connections};
     {
       weft::scope clients;
       for (int i = 0; i < 20; ++i)
         clients.spawn([&] {
           while (left.fetch_sub(1) - 1 < connections) {
             tcp_stream s = server.client();
             s.write_all("x");
             std::array<std::byte, 1> room;
             s.read_exactly(room);
             reset(s);  // or a port each would wait for a minute
           }
         });
       clients.join();
     }
     yield_until([&] { return server.served.load() >= connections; });
     yield_until([&] { return open_sockets() <= before; });
     server.must_answer();
   }).join();
  CHECK(r.shutdown() == 0);
}
