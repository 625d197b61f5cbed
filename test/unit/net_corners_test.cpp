// SPDX-License-Identifier: BSL-1.0
// unit/net_corners_test.cpp - what the kernel does seldom, made to happen: a socket that is its own
// peer, a listen that fails, a close between a message and its look or between two steps of a call,
// poll(2) that promises too much, names that hide what follows.
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/net.hpp"

using namespace weft::test;
using namespace std::chrono_literals;
using weft::net::endpoint;
using weft::net::tcp_listener;
using weft::net::tcp_stream;
using weft::net::unix_datagram;
using weft::net::unix_endpoint;
using weft::net::unix_seqpacket;
using weft::net::unix_stream;

namespace {

// Called by the functions below, which stand before those of the C library; of one test at a time.
std::function<void(int)> before_connect;  // once, with the socket
std::function<void()> after_recvmsg;      // once
constinit std::atomic<int> listen_error{0};
constinit std::atomic<int> polls{0};

}  // namespace

extern "C" {
int connect(int s, const sockaddr* to, socklen_t size) {
  if (const auto hook = std::exchange(before_connect, {})) hook(s);
  return static_cast<int>(::syscall(SYS_connect, s, to, size));
}
int listen(int s, int backlog) noexcept {
  if (const int error = listen_error) return errno = error, -1;
  return static_cast<int>(::syscall(SYS_listen, s, backlog));
}
ssize_t recvmsg(int s, msghdr* message, int flags) {
  const ssize_t n = ::syscall(SYS_recvmsg, s, message, flags);
  if (n >= 0)
    if (const auto hook = std::exchange(after_recvmsg, {})) hook();
  return n;
}
int ppoll(pollfd* all, nfds_t n, const timespec* limit, const sigset_t* mask) {
  ++polls;
  timespec left{};  // the kernel writes to it
  if (limit != nullptr) left = *limit;
  return static_cast<int>(
      ::syscall(SYS_ppoll, all, n, limit != nullptr ? &left : nullptr, mask, std::size_t{8}));
}
}

namespace {

// A port of that address at which nobody listens.
endpoint free_port(const char* address) {
  const tcp_listener gone(endpoint(address, 0));
  return gone.local_endpoint();
}

bool has_ipv6() {
  const int s = ::socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 loopback{};
  loopback.sin6_family = AF_INET6;
  loopback.sin6_addr = in6addr_loopback;
  const bool works = ::bind(s, reinterpret_cast<sockaddr*>(&loopback), sizeof loopback) == 0;
  ::close(s);
  return works;
}

// At any address: the kernel goes to loopback.
void connect_to_itself(const char* any, const char* loopback) {
  const endpoint own = free_port(loopback);
  for (const std::string to : {loopback, any}) {
    before_connect = [own](int s) {
      sockaddr_storage at;
      const auto size = static_cast<socklen_t>(own.to_native(at));
      CHECK(::bind(s, reinterpret_cast<sockaddr*>(&at), size) == 0);
    };
    std::error_code ec;
    CHECK_FALSE(tcp_stream::connect_for(endpoint(to, own.port()), 1h, ec).is_open());
    CHECK(ec == std::errc::connection_refused);
  }
}

}  // namespace

TEST_CASE("connect: a socket that is its own peer is none, to whatever address it went") {
  at_worker_counts([] {
    connect_to_itself("0.0.0.0", "127.0.0.1");
    if (has_ipv6()) connect_to_itself("::", "::1");
  });
}

TEST_CASE("endpoint: a zone ends at no null character") {
  std::string what;
  CHECK(thrown_by([] { endpoint(std::string_view("fe80::1%lo\0x", 12), 80); }, &what) ==
        std::errc::invalid_argument);
  CHECK(what.find("fe80::1%lo\\x00x") != std::string::npos);
  CHECK(thrown_by([] { endpoint(std::string_view("fe80::1%1\0", 10), 80); }) ==
        std::errc::invalid_argument);
}

TEST_CASE("unix listener: one that cannot listen leaves no file, unless it is to be kept") {
  at_worker_counts([] {
    const folder here;
    listen_error = ENOBUFS;
    CHECK(thrown_by([&] { weft::net::unix_listener l(here / "gone"); }) ==
          std::errc::no_buffer_space);
    CHECK(thrown_by([&] { weft::net::unix_seqpacket_listener l(here / "gone"); }) ==
          std::errc::no_buffer_space);
    CHECK(thrown_by([&] {
            weft::net::unix_listener l(here / "kept", {.unlink = weft::net::unlink_policy::keep});
          }) == std::errc::no_buffer_space);
    listen_error = 0;
    CHECK_FALSE(std::filesystem::exists(here.path / "gone"));
    CHECK(std::filesystem::exists(here.path / "kept"));
    const weft::net::unix_listener first(here / "gone");
    CHECK(thrown_by([&] { weft::net::unix_listener second(here / "gone"); }) ==
          std::errc::address_in_use);
    CHECK(std::filesystem::exists(here.path / "gone"));  // it is the first one's
  });
}

TEST_CASE("seqpacket: the descriptors of an empty message that meets a close are closed") {
  at_worker_counts([] {
    int sockets[2], numbers[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets) == 0);
    REQUIRE(::pipe2(numbers, O_NONBLOCK) == 0);
    unix_seqpacket receiver = unix_seqpacket::adopt(sockets[0]);
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    std::copy_n(reinterpret_cast<char*>(&numbers[1]), sizeof(int),
                reinterpret_cast<char*>(CMSG_DATA(head)));
    REQUIRE(::sendmsg(sockets[1], &message, 0) == 0);
    ::close(numbers[1]);
    after_recvmsg = [&] { receiver.close(); };
    std::array<char, 8> room;
    std::array<weft::net::received_descriptor, 1> got;
    std::error_code ec;
    static_cast<void>(receiver.receive_descriptors(room, got, ec));
    CHECK(ec == std::errc::operation_canceled);
    CHECK(::read(numbers[0], room.data(), 1) == 0);  // nobody can write any more
    ::close(numbers[0]);
    ::close(sockets[1]);
  });
}

TEST_CASE("unix datagram: a plain thread that waits for a stranger's room does not spin") {
  const folder here;
  unix_datagram in(here / "in");
  const unix_endpoint at = here / "in";
  std::thread sender([&] {
    auto out = unix_datagram::unnamed();
    std::error_code ec;
    while (!ec) out.send_to_for("x", at, 1ms, ec);
    CHECK(ec == std::errc::timed_out);
    polls = 0;
    out.send_to_for("x", at, 300ms, ec);
    CHECK(ec == std::errc::timed_out);
    CHECK(polls < 50);  // after pauses of 1 ms, 2 ms, and so on
  });
  sender.join();
}

TEST_CASE("a stream that is closed between two steps of a call cancels the call") {
  constexpr std::size_t much = 64 << 20;
  weft::options one;
  one.workers = 1;
  one.time_slice = {};
  weft::runtime rt(one);
  std::vector<std::byte> data(much);
  // The close comes when a part has gone, and the other end with it.
  const auto close_after_a_part = [&](auto call, auto at_the_other_end) {
    auto ends = unix_stream::pair();
    std::atomic<std::size_t> moved{0};
    auto caller = rt.spawn([&] {
      std::error_code ec;
      CHECK(call(ends.first, ec) < much);
      return ec;
    });
    auto closer = rt.spawn([&] {
      while (moved < 4 << 20) weft::this_fiber::yield();
      ends.first.close();
    });
    std::vector<std::byte> some(1 << 16);
    std::error_code over;
    while (const std::size_t n = over ? 0 : at_the_other_end(ends.second, some, over)) moved += n;
    closer.join();
    CHECK(caller.join() == std::errc::operation_canceled);
  };
  for (int i = 0; i < 20; ++i) {
    close_after_a_part([&](unix_stream& s, std::error_code& ec) { return s.write_all(data, ec); },
                       [](unix_stream& s, std::vector<std::byte>& some, std::error_code& ec) {
                         return s.read_some(some, ec);
                       });
    close_after_a_part(
        [&](unix_stream& s, std::error_code& ec) { return s.read_exactly(data, ec); },
        [](unix_stream& s, std::vector<std::byte>& some, std::error_code& ec) {
          return s.write_some(some, ec);
        });
    close_after_a_part(
        [&](unix_stream& s, std::error_code& ec) {
          const std::array sent{STDIN_FILENO};
          return s.send_descriptors(data, sent, ec);
        },
        [](unix_stream& s, std::vector<std::byte>& some, std::error_code& ec) {
          return s.read_some(some, ec);
        });
  }
}

TEST_CASE("tcp: an adopted socket without a peer, or with one of another family, has no address") {
  const int alone = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto s = tcp_stream::adopt(alone);
  CHECK(thrown_by([&] { static_cast<void>(s.remote_endpoint()); }) == std::errc::not_connected);
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const auto a = tcp_stream::adopt(ends[0]), b = tcp_stream::adopt(ends[1]);
  std::error_code ec;
  CHECK(a.remote_endpoint(ec) == endpoint{});
  CHECK(ec == std::errc::address_family_not_supported);
}

TEST_CASE("errors: a name with control characters does not hide the reason") {
  using namespace std::string_literals;
  const std::string name = "weft\0corner\n"s + std::to_string(::getpid());
  const unix_endpoint at = unix_endpoint::abstract(name);
  const auto text_of = [](auto&& call) {
    std::string what;
    CHECK(thrown_by(call, &what));
    CHECK(what.find('\n') == std::string::npos);
    return std::string(what.c_str());  // as a report shows it
  };
  const std::string refused = std::make_error_code(std::errc::connection_refused).message();
  const auto has = [](const std::string& text, const std::string& part) {
    CAPTURE(text);
    CHECK(text.find(part) != std::string::npos);
  };
  has(text_of([&] { static_cast<void>(unix_stream::connect(at)); }), refused);
  auto out = unix_datagram::unnamed();
  has(text_of([&] { out.connect(at); }), refused);
  has(text_of([&] { out.send_to("x", at); }), refused);
  const unix_datagram taken(at);
  const std::string in_use = std::make_error_code(std::errc::address_in_use).message();
  has(text_of([&] { unix_datagram again(at); }), in_use);
  const std::string no_host = make_error_code(weft::net::net_errc::host_not_found).message();
  has(text_of([&] { static_cast<void>(weft::net::resolve("a\0b\n"s, 80)); }), no_host);
  has(text_of([&] { static_cast<void>(weft::net::connect("a\0b\n"s, 80)); }), no_host);
  // of both ends
  weft::net::unix_listener listener(at);
  has(text_of([&] { weft::net::unix_listener again(at); }), in_use);
  auto s = unix_stream::connect(listener.local_endpoint());
  auto peer = listener.accept();
  peer.close();
  has(text_of([&] { s.write_all("x"); }), std::make_error_code(std::errc::broken_pipe).message());
}
