// SPDX-License-Identifier: BSL-1.0
// Adopted streams that have boundaries: a read that ends at one comes back short, and there is
// more.
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <weft/net/tcp.hpp>

#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

struct pair_of_streams {
  pair_of_streams() {
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    ours = weft::net::tcp_stream::adopt(ends[0]);
    theirs = ends[1];
  }
  pair_of_streams(const pair_of_streams&) = delete;
  pair_of_streams& operator=(const pair_of_streams&) = delete;
  ~pair_of_streams() { ::close(theirs); }
  void write(std::string_view text) const {
    REQUIRE(::write(theirs, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  std::string read() {
    std::byte buffer[64];
    // only a lost wake-up takes that long
    ours.set_read_deadline(std::chrono::steady_clock::now() + 20s);
    std::error_code ec;
    const std::size_t n = ours.read_some(buffer, ec);
    CHECK_FALSE(ec);
    return {reinterpret_cast<const char*>(buffer), n};
  }
  // From here on the socket is registered with the poller.
  void wait_once() {
    auto first = weft::spawn([&] { return read(); });
    weft::this_fiber::sleep_for(5ms);  // a fiber that has not waited yet finds the same
    write("x");
    CHECK(first.join() == "x");
  }

  weft::net::tcp_stream ours;
  int theirs;
};

void send_with_descriptor(int to, std::string text) {
  iovec part{text.data(), text.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* const head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof(int));
  const int descriptor = STDIN_FILENO;
  std::memcpy(CMSG_DATA(head), &descriptor, sizeof descriptor);
  REQUIRE(sendmsg(to, &message, 0) == static_cast<ssize_t>(text.size()));
}

}  // namespace

TEST_CASE("a Unix stream: what follows bytes that carry a descriptor is read") {
  each_fiber([] {
    pair_of_streams s;
    s.wait_once();
    send_with_descriptor(s.theirs, "AA");
    s.write("B");
    std::string all;
    while (all.size() < 3) {
      const std::string more = s.read();
      if (more.empty()) break;
      all += more;
    }
    CHECK(all == "AAB");
  });
}

TEST_CASE("a Unix stream: what follows bytes of other credentials is read") {
  each_fiber([] {
    pair_of_streams s;
    s.wait_once();
    s.write("A");
    const int on = 1;
    REQUIRE(setsockopt(s.theirs, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0);
    s.write("BB");
    std::string all;
    while (all.size() < 3) {
      const std::string more = s.read();
      if (more.empty()) break;
      all += more;
    }
    CHECK(all == "ABB");
  });
}
