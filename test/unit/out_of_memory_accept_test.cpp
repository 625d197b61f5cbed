// SPDX-License-Identifier: BSL-1.0
// unit/out_of_memory_accept_test.cpp - without memory for a socket's record a connection waits in
// the backlog.
#include <cerrno>
#include <chrono>
#include <system_error>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "net/poll_descriptor.hpp"
#include "os/os.hpp"
#include "support/net.hpp"
#include "support/out_of_memory.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

// While it lives there is no socket record to be had.
class no_more_records {
 public:
  no_more_records() {
    taken_.reserve(1 << 16);
    weft::os::test_hooks.reserve_error = ENOMEM;
    try {
      while (taken_.size() < taken_.capacity())
        taken_.push_back(
            &weft::detail::make_descriptor(0, weft::detail::descriptor_kind::borrowed));
    } catch (const std::system_error&) {
      return;
    }
    FAIL("there are records still");
  }
  ~no_more_records() {
    weft::os::test_hooks.reserve_error = 0;
    for (auto* d : taken_) weft::detail::abandon(*d);
  }
  no_more_records(const no_more_records&) = delete;
  no_more_records& operator=(const no_more_records&) = delete;

 private:
  std::vector<weft::detail::poll_descriptor*> taken_;
};

// A client that weft knows nothing of.
struct client {
  explicit client(int family) : number(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  ~client() { ::close(number); }
  client(const client&) = delete;
  client& operator=(const client&) = delete;
  template <class Endpoint>
  void connect(const Endpoint& to) const {
    sockaddr_storage a;
    const auto size = static_cast<socklen_t>(to.to_native(a));
    REQUIRE(::connect(number, reinterpret_cast<sockaddr*>(&a), size) == 0);
  }
  const int number;
};

template <class Listener>
void waits_in_the_backlog(Listener& listener, int family) {
  const client c(family);
  std::error_code ec;
  {
    const no_more_records none;
    c.connect(listener.local_endpoint());
    static_cast<void>(listener.accept_for(50ms, ec));
    CHECK(ec == std::errc::timed_out);
    memory::fail_at(1, failing::from_then_on);  // nor for the text of an error
    static_cast<void>(listener.accept_for(50ms, ec));
    memory::recover();
    CHECK(ec == std::errc::timed_out);
  }
  auto accepted = listener.accept_for(20s);  // only a lost one takes that long
  accepted.write_all("x");
  char got = 0;
  CHECK(::read(c.number, &got, 1) == 1);
  CHECK(got == 'x');
}

template <class Body>
void in_one_worker(Body&& body) {
  weft::runtime rt(one_worker());
  rt.spawn([&] { body(); }).join();
}

}  // namespace

TEST_CASE("accept: without memory for its record a connection waits in the backlog") {
  in_one_worker([] {
    weft::net::tcp_listener listener(any_port);
    waits_in_the_backlog(listener, AF_INET);
  });
}

TEST_CASE("accept: and so does one of a Unix socket") {
  in_one_worker([] {
    const folder here;
    weft::net::unix_listener listener(here / "socket");
    waits_in_the_backlog(listener, AF_UNIX);
  });
}

TEST_CASE("connect: no memory for the record, nor for the error's text, is an error") {
  in_one_worker([] {
    weft::net::tcp_listener listener(any_port);
    const auto at = listener.local_endpoint();
    std::error_code ec;
    const no_more_records none;
    memory::fail_at(1, failing::from_then_on);
    static_cast<void>(weft::net::tcp_stream::connect(at, ec));
    memory::recover();
    CHECK(ec == std::errc::not_enough_memory);
  });
}
