// SPDX-License-Identifier: BSL-1.0
// A fiber whose calls on sockets and pipes need not wait lets others have a turn after 64 KiB or 16
// calls, whatever it moves (sched/step_budget.hpp). What is counted are its calls between two turns
// of another fiber, not time.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <vector>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "sched/step_budget.hpp"
#include "support/net.hpp"
#include "support/runtimes.hpp"

using namespace weft::test;
namespace net = weft::net;
using weft::detail::step_budget;

namespace {

// The most calls of `one` in a row, of so many, beside a fiber that always wants a turn.
template <class Call>
int longest_run(int calls, Call&& one) {
  int done = 0, longest = 0;
  bool over = false;
  auto other = weft::spawn([&] {
    int seen = 0;
    while (!over) {
      longest = std::max(longest, done - seen);
      seen = done;
      weft::this_fiber::yield();
    }
  });
  weft::this_fiber::yield();
  for (; done < calls; ++done) one();
  weft::this_fiber::yield();
  over = true;
  other.join();
  return longest;
}

// How many calls of that size a step has room for; the last may go beyond.
int calls_of(std::size_t bytes) {
  const std::size_t price =
      step_budget::call_bytes + std::min<std::size_t>(bytes, step_budget::longest_bytes);
  return static_cast<int>((step_budget::longest_bytes + price - 1) / price);
}

// One processor, and no signal ends a step.
template <class Body>
void alone(Body&& body) {
  weft::options o = workers(1);
  o.preempt_signal = 0;
  with_runtime(o, [&](weft::runtime& rt) { rt.spawn([&] { body(); }).join(); });
}

constexpr int many = 40;

}  // namespace

TEST_CASE("writes and reads of a Unix stream") {
  alone([] {
    auto both = net::unix_stream::pair();
    auto &mine = both.first, &peer = both.second;
    const auto data = pattern(4096);
    CHECK(longest_run(many, [&] { mine.write_all(data); }) <= calls_of(data.size()));
    std::array<std::byte, 4096> to;
    CHECK(longest_run(many, [&] { peer.read_exactly(to); }) <= calls_of(to.size()));
    // in several buffers
    const std::array<net::const_buffer, 2> parts{net::const_buffer(data), net::const_buffer(data)};
    CHECK(longest_run(many / 2, [&] { static_cast<void>(mine.write_some(parts)); }) <=
          calls_of(2 * data.size()));
  });
}

TEST_CASE("writes and reads of a TCP stream, and a file that is sent") {
  alone([] {
    auto both = connected_pair();
    auto &mine = both.first, &peer = both.second;
    const auto data = pattern(1024);
    CHECK(longest_run(many, [&] { mine.write_all(data); }) <= calls_of(data.size()));
    std::array<std::byte, 1024> to;
    CHECK(longest_run(many, [&] { peer.read_exactly(to); }) <= calls_of(to.size()));
    std::FILE* const file = std::tmpfile();
    REQUIRE(file != nullptr);
    REQUIRE(::write(::fileno(file), data.data(), data.size()) == 1024);
    CHECK(longest_run(many, [&] {
            CHECK(mine.send_file(::fileno(file), 0, data.size()) == data.size());
          }) <= calls_of(data.size()));
    std::fclose(file);
  });
}

TEST_CASE("a call is given so much at most, so that it is no step of its own") {
  alone([] {
    auto both = net::unix_stream::pair();
    auto &mine = both.first, &peer = both.second;
    const int size = 1 << 20;
    for (const int end : {mine.native_handle(), peer.native_handle()})
      static_cast<void>(::setsockopt(end, SOL_SOCKET, SO_SNDBUF, &size, sizeof size));
    const auto data = pattern(size);
    CHECK(mine.write_some(data) <= step_budget::longest_call);
    const std::array<net::const_buffer, 2> parts{net::const_buffer(data), net::const_buffer(data)};
    CHECK(mine.write_some(parts) <= step_budget::longest_call);
    // More than one call's worth lies there now.
    std::vector<std::byte> to(data.size());
    CHECK(peer.read_some(to) == step_budget::longest_call);
  });
}

TEST_CASE("datagrams, one by one and in batches") {
  alone([] {
    net::udp_socket to(any_port), from(any_port);
    const net::endpoint at = to.local_endpoint();
    const auto data = pattern(512);
    CHECK(longest_run(many, [&] { from.send_to(data, at); }) <= calls_of(data.size()));
    std::array<std::byte, 512> space;
    CHECK(longest_run(many, [&] { static_cast<void>(to.receive(space)); }) <=
          calls_of(space.size()));
    std::vector<net::udp_socket::outgoing> batch(32, {data, at});
    CHECK(longest_run(many, [&] { CHECK(from.send_batch(batch) == batch.size()); }) <=
          calls_of(batch.size() * data.size()));
  });
}

TEST_CASE("pipes") {
  alone([] {
    weft::io::pipe_pair p = weft::io::make_pipe();
    const auto data = pattern(1024);
    CHECK(longest_run(many, [&] { p.write.write_all(data); }) <= calls_of(data.size()));
    std::array<std::byte, 1024> to;
    CHECK(longest_run(many, [&] { p.read.read_exactly(to); }) <= calls_of(to.size()));
  });
}

TEST_CASE("connections that are there already") {
  alone([] {
    net::tcp_listener listener(any_port);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(listener.local_endpoint().port());
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::vector<int> clients;
    for (int i = 0; i < many; ++i) {
      clients.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      REQUIRE(::connect(clients.back(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
    }
    std::vector<net::tcp_stream> accepted;
    CHECK(longest_run(many, [&] { accepted.push_back(listener.accept()); }) <= calls_of(0));
    for (const int c : clients) ::close(c);
  });
}

// Who has nobody beside is not held up: it has no turn to give.
TEST_CASE("a fiber alone moves on") {
  alone([] {
    auto both = net::unix_stream::pair();
    auto &mine = both.first, &peer = both.second;
    const auto data = pattern(4096);
    for (int i = 0; i < many; ++i) mine.write_all(data);
    std::array<std::byte, 4096> to;
    for (int i = 0; i < many; ++i) peer.read_exactly(to);
    CHECK(std::equal(to.begin(), to.end(), data.begin()));
  });
}
