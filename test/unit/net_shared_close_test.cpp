// SPDX-License-Identifier: BSL-1.0
// unit/net_shared_close_test.cpp - a close ends the waits here, and nothing else: sockets that
// others have, too (a service manager, a process that takes over, a child), work on for them.
#include <array>
#include <atomic>
#include <chrono>
#include <system_error>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <weft/weft.hpp>

#include "support/net.hpp"
#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;
namespace net = weft::net;

namespace {

/// A fiber of a runtime of its own, or a plain thread.
template <class F>
void on_either(F f) {
  SUBCASE("a fiber") {
    weft::run([&] { f([](auto g) { return weft::spawn(std::move(g)); }); });
  }
  SUBCASE("a plain thread") {
    f([](auto g) { return std::thread(std::move(g)); });
  }
}

/// Or it was closed before the wait began.
bool is_of_the_close(const std::error_code& ec) {
  return ec == std::errc::operation_canceled || ec == std::errc::bad_file_descriptor;
}

// There is no event for "it waits": any moment of the close must do.
void let_it_wait() { std::this_thread::sleep_for(20ms); }

/// This process may open none from begin() on.
class no_more_descriptors {
 public:
  no_more_descriptors() { ::getrlimit(RLIMIT_NOFILE, &before_); }
  void begin() {
    const int next = ::dup(STDIN_FILENO);
    ::close(next);
    const rlimit none{static_cast<rlim_t>(next), before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~no_more_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  no_more_descriptors(const no_more_descriptors&) = delete;
  no_more_descriptors& operator=(const no_more_descriptors&) = delete;

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE(
    "a listener that is closed while somebody accepts goes on accepting for its other owner") {
  on_either([](auto start) {
    net::tcp_listener here(net::endpoint("127.0.0.1", 0));
    const net::endpoint at = here.local_endpoint();
    auto there = net::tcp_listener::adopt(::dup(here.native_handle()));
    std::error_code ec;
    auto accepts = start([&] { static_cast<void>(here.accept(ec)); });
    let_it_wait();
    here.close();
    accepts.join();
    CHECK(is_of_the_close(ec));
    net::tcp_stream client(at);
    CHECK(there.accept().is_open());
  });
}

TEST_CASE("a connection that is closed while somebody reads goes on for its other owner") {
  on_either([](auto start) {
    auto both = net::unix_stream::pair();
    auto &here = both.first, &peer = both.second;
    auto there = net::unix_stream::adopt(::dup(here.native_handle()));
    std::array<char, 5> text{};
    std::error_code ec;
    auto reads = start([&] { static_cast<void>(here.read_some(text, ec)); });
    let_it_wait();
    here.close();
    reads.join();
    CHECK(is_of_the_close(ec));
    peer.write_all("hello");
    there.read_exactly(text);
    CHECK(text == std::array{'h', 'e', 'l', 'l', 'o'});
  });
}

TEST_CASE("a number that is released while a plain thread waits") {
  auto both = net::unix_stream::pair();
  auto &here = both.first, &peer = both.second;
  std::error_code ec;
  std::thread reads([&] {
    std::array<char, 5> text{};
    static_cast<void>(here.read_some(text, ec));
  });
  let_it_wait();
  auto there = net::unix_stream::adopt(here.release());
  reads.join();
  CHECK(is_of_the_close(ec));
  peer.write_all("x");
  std::array<char, 1> text{};
  there.read_exactly(text);
}

TEST_CASE("a close ends the waits of many plain threads; without a descriptor to be told by, too") {
  bool starves = false;
  SUBCASE("as ever") {}
  SUBCASE("without descriptors") { starves = true; }
  net::udp_socket here(net::endpoint("127.0.0.1", 0));
  no_more_descriptors none;
  if (starves) none.begin();
  std::atomic<int> ended{0};
  std::vector<std::thread> all;
  for (int i = 0; i < 8; ++i)
    all.emplace_back([&] {
      std::array<std::byte, 8> room;
      std::error_code ec;
      static_cast<void>(here.receive(room, ec));
      ended += is_of_the_close(ec) ? 1 : 0;
    });
  let_it_wait();
  here.close();
  for (auto& t : all) t.join();
  CHECK(ended == 8);
}

// Mostly in a wait; between two system calls if the peer is faster.
TEST_CASE("a close ends a send_file under way") {
  weft::run([] {
    auto both = net::unix_stream::pair();
    auto &here = both.first, &peer = both.second;
    const int file = ::memfd_create("long", MFD_CLOEXEC);
    const std::uint64_t size = std::uint64_t{1} << 40;  // a hole
    REQUIRE(::ftruncate(file, static_cast<off_t>(size)) == 0);
    std::atomic<std::uint64_t> got{0};
    auto takes = weft::spawn([&] {
      std::vector<std::byte> buffer(1 << 20);
      std::error_code ec;
      while (const std::size_t n = peer.read_some(buffer, ec)) got += n;
    });
    std::error_code ec;
    auto sends = weft::spawn([&] { return here.send_file(file, 0, size, ec); });
    until([&] { return got > 0; });
    here.close();
    CHECK(sends.join() < size);
    CHECK(ec == std::errc::operation_canceled);
    takes.join();
    ::close(file);
  });
}
