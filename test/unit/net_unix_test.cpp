// SPDX-License-Identifier: BSL-1.0
// unit/net_unix_test.cpp - Unix sockets: names, streams, datagrams, credentials, the socket's file.
// Descriptors that travel: net_unix_descriptors_test.cpp
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <weft/net/unix.hpp>

#include "support/net.hpp"

using namespace weft::test;
using namespace std::chrono_literals;
using weft::net::unix_datagram;
using weft::net::unix_endpoint;
using weft::net::unix_listener;
using weft::net::unix_stream;
using weft::net::unlink_policy;

static_assert(weft::net::stream<unix_stream>);

namespace {

bool exists(const unix_endpoint& e) { return std::filesystem::exists(std::string(e.name())); }

std::string read_text(unix_stream& s) {
  std::array<std::byte, 64> room;
  // only a lost wake-up takes that long
  const std::size_t n = s.read_some_for(room, 20s);
  return std::string(text(std::span(room).first(n)));
}

}  // namespace

TEST_CASE("unix endpoint: names read back as they were written, and what is none says why") {
  for (const char* name : {"/run/app.sock", "app.sock", "./@file", "@abstract"})
    CHECK(unix_endpoint(name).to_string() == name);
  CHECK(unix_endpoint::parse("unix:/run/x").to_string() == "/run/x");
  CHECK(unix_endpoint::parse("unix:@x").is_abstract());
  CHECK(unix_endpoint("/x").is_path());
  CHECK(unix_endpoint().is_unnamed());
  CHECK(unix_endpoint().to_string() == "(unnamed)");
  CHECK(unix_endpoint::abstract(std::string_view("a\0b", 3)).name().size() == 3);
  CHECK(unix_endpoint(std::string(108, 'x')).name().size() == 108);
  CHECK(unix_endpoint("/a") < unix_endpoint("/b"));
  for (const std::string& bad : {std::string(), std::string(109, 'x'), '@' + std::string(108, 'x'),
                                 std::string("a\0b", 3), std::string("unix:")}) {
    CAPTURE(bad);
    std::string what;
    CHECK(thrown_by([&] { static_cast<void>(unix_endpoint::parse(bad)); }, &what) ==
          std::errc::invalid_argument);
    CHECK(what.find("expected") + what.find("longer") + what.find("null") != 3 * std::string::npos);
  }
}

TEST_CASE("unix endpoint: to the kernel's form and back") {
  for (const unix_endpoint& e :
       {unix_endpoint(), unix_endpoint("/x"), unix_endpoint("@x"),
        unix_endpoint(std::string(107, 'x')), unix_endpoint(std::string(108, 'x')),
        unix_endpoint('@' + std::string(107, 'x'))}) {
    sockaddr_storage native;
    const std::size_t size = e.to_native(native);
    CHECK(unix_endpoint::from_native(reinterpret_cast<sockaddr&>(native), size) == e);
  }
  for (const char* file : {"@app", "unix:app"}) {  // as other programs may bind it
    sockaddr_un native{};
    native.sun_family = AF_UNIX;
    std::strcpy(native.sun_path, file);
    const auto e = unix_endpoint::from_native(reinterpret_cast<sockaddr&>(native), sizeof native);
    CHECK(e.is_path());
    CHECK(unix_endpoint::parse(e.to_string()) == unix_endpoint("./" + std::string(file)));
  }
  sockaddr_un other{};
  other.sun_family = AF_INET;
  CHECK(thrown_by([&] {
          static_cast<void>(
              unix_endpoint::from_native(reinterpret_cast<sockaddr&>(other), sizeof other));
        }) == std::errc::address_family_not_supported);
}

TEST_CASE("unix stream: an echo, by path and by abstract name") {
  at_worker_counts([] {
    const folder here;
    const std::string name = "@weft-test-" + std::to_string(::getpid());
    for (const unix_endpoint& at : {here / "echo", unix_endpoint(name)}) {
      unix_listener listener(at);
      CHECK(listener.local_endpoint() == at);
      auto server = weft::spawn([&] {
        unix_stream s = listener.accept();
        std::array<std::byte, 64> room;
        while (const std::size_t n = s.read_some(room)) s.write_all(std::span(room).first(n));
        CHECK(s.local_endpoint() == at);
      });
      unix_stream s(at);
      s.write_all({"one", " two"});
      std::array<char, 7> room;
      s.read_exactly(room);
      CHECK(std::string_view(room.data(), 7) == "one two");
      CHECK(s.remote_endpoint() == at);
      CHECK(s.local_endpoint().is_unnamed());
      const auto who = s.peer_credentials();
      CHECK(who.process == ::getpid());
      CHECK(who.user == ::geteuid());
      CHECK(who.group == ::getegid());
      s.shutdown_send();
      CHECK(s.read_some(room) == 0);
      server.join();
    }
  });
}

TEST_CASE("unix listener: accept tells the peer's name") {
  at_worker_counts([] {
    const folder here;
    unix_listener listener(here / "names");
    unix_stream client(here / "names");
    unix_endpoint peer("/not/this");
    unix_stream server = listener.accept_for(20s, &peer);
    CHECK(peer.is_unnamed());
    CHECK(server.is_open());
    // One that has bound its end, as a client does that wants to be known.
    const int bound = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un own{}, to{};
    own.sun_family = to.sun_family = AF_UNIX;
    std::strcpy(own.sun_path, std::string((here / "client").name()).c_str());
    std::strcpy(to.sun_path, std::string((here / "names").name()).c_str());
    REQUIRE(::bind(bound, reinterpret_cast<sockaddr*>(&own), sizeof own) == 0);
    REQUIRE(::connect(bound, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
    std::error_code ec;
    static_cast<void>(listener.accept(ec, &peer));
    CHECK_FALSE(ec);
    CHECK(peer == here / "client");
    ::close(bound);
  });
}

// Any program may bind it, and the kernel gives it back with a null character behind its end.
TEST_CASE("unix: the longest path that the kernel knows, a peer's and our own") {
  at_worker_counts([] {
    const folder here;
    const auto longest = [&](char c) {
      const std::string in(unix_endpoint(here / "").name());
      return unix_endpoint(in + std::string(unix_endpoint::max_size - in.size(), c));
    };
    const unix_endpoint own = longest('l'), theirs = longest('c');
    const auto bound = [&](int type) {
      const int s = ::socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
      sockaddr_un a{};
      a.sun_family = AF_UNIX;
      theirs.name().copy(a.sun_path, sizeof a.sun_path);
      REQUIRE(::bind(s, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0);
      return s;
    };
    {
      unix_listener listener(own);
      CHECK(exists(own));
      CHECK(listener.local_endpoint() == own);
      sockaddr_storage to;
      const auto size = static_cast<socklen_t>(own.to_native(to));
      const int client = bound(SOCK_STREAM);
      REQUIRE(::connect(client, reinterpret_cast<sockaddr*>(&to), size) == 0);
      unix_endpoint peer;
      unix_stream s = listener.accept_for(20s, &peer);
      CHECK(peer == theirs);
      CHECK(s.remote_endpoint() == theirs);
      s.set_read_deadline(std::chrono::steady_clock::now());
      std::string what;
      CHECK(thrown_by([&] { static_cast<void>(read_text(s)); }, &what) == std::errc::timed_out);
      CHECK(what.find(theirs.name()) != std::string::npos);
      ::close(client);
    }
    CHECK_FALSE(exists(own));
    REQUIRE(std::filesystem::remove(std::string(theirs.name())));
    unix_datagram d(own);
    const int sender = bound(SOCK_DGRAM);
    sockaddr_storage to;
    const auto size = static_cast<socklen_t>(own.to_native(to));
    REQUIRE(::sendto(sender, "hi", 2, 0, reinterpret_cast<sockaddr*>(&to), size) == 2);
    std::array<char, 8> room;
    const auto got = d.receive_for(room, 20s);
    CHECK(got.from == theirs);
    d.send_to("answer", got.from);
    CHECK(::recv(sender, room.data(), room.size(), 0) == 6);
    ::close(sender);
  });
}

TEST_CASE("unix listener: its file is removed, replaced if stale, and kept if it is wanted") {
  at_worker_counts([] {
    const folder here;
    const unix_endpoint at = here / "listener";
    {
      unix_listener listener(at, {.unlink = unlink_policy::keep});
      CHECK(thrown_by([&] { unix_listener second(at); }) == std::errc::address_in_use);
    }
    CHECK(exists(at));
    CHECK(thrown_by([&] { unix_stream s(at); }) == std::errc::connection_refused);
    std::string what;
    CHECK(thrown_by([&] { unix_listener l(at, {.unlink = unlink_policy::at_close}); }, &what) ==
          std::errc::address_in_use);
    CHECK(what.find(at.to_string()) != std::string::npos);
    unix_listener listener(at);  // nobody listens there any more
    unix_listener moved = std::move(listener);
    CHECK(exists(at));
    unix_stream s(at);
    CHECK(moved.accept().is_open());
    moved.close();
    CHECK_FALSE(exists(at));
    CHECK(thrown_by([&] { unix_stream again(at); }) == std::errc::no_such_file_or_directory);
    // Somebody else's file at the same place is left alone.
    {
      unix_listener old(at);
      std::filesystem::remove(std::string(at.name()));
      unix_listener young(at);
      old.close();
      CHECK(exists(at));
    }
    CHECK_FALSE(exists(at));
    CHECK(::close(::open(std::string(at.name()).c_str(), O_CREAT | O_WRONLY, 0600)) == 0);
    CHECK(thrown_by([&] { unix_listener l(at); }) == std::errc::address_in_use);
    CHECK(exists(at));  // it is no socket
    CHECK(thrown_by([&] { unix_listener l(here / "no/such/folder"); }) ==
          std::errc::no_such_file_or_directory);
  });
}

TEST_CASE("unix stream: a connect that finds the backlog full gets its turn, or its deadline") {
  at_worker_counts([] {
    const folder here;
    const unix_endpoint at = here / "full";
    unix_listener listener(at, {.backlog = 0});
    std::vector<unix_stream> waiting;
    std::error_code ec;
    while (!ec && waiting.size() < 16)
      waiting.push_back(unix_stream::connect(at, clock::now() + 5ms, ec));
    REQUIRE(ec == std::errc::timed_out);
    std::stop_source stop;
    auto given_up = weft::spawn([&] {
      std::error_code why;
      static_cast<void>(unix_stream::connect(stop.get_token(), at, why));
      return why;
    });
    auto patient = weft::spawn([&] { return unix_stream::connect(at).is_open(); });
    weft::this_fiber::sleep_for(1ms);
    stop.request_stop();
    CHECK(given_up.join() == std::errc::operation_canceled);
    CHECK(listener.accept().is_open());
    CHECK(patient.join());
    CHECK_FALSE(listener.accept_for(1h, ec).local_endpoint().is_unnamed());
    while (!ec) static_cast<void>(listener.accept_until(clock::now(), ec));
    CHECK(ec == std::errc::timed_out);
    CHECK(thrown_by([&] { static_cast<void>(listener.accept(stop.get_token())); }) ==
          std::errc::operation_canceled);
    CHECK(unix_stream::connect_until(at, clock::now() + 1h).is_open());
    CHECK(listener.accept_for(1h).is_open());
    CHECK(unix_stream::connect(stop.get_token(), at).is_open());  // need not wait
    CHECK(thrown_by([&] { static_cast<void>(unix_stream::connect_for(here / "none", 1h)); }) ==
          std::errc::no_such_file_or_directory);
  });
}

TEST_CASE("unix: adopting what is one, and refusing what is not") {
  at_worker_counts([] {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    CHECK(thrown_by([&] { static_cast<void>(unix_datagram::adopt(ends[0])); }) ==
          std::errc::wrong_protocol_type);
    CHECK(thrown_by([&] { static_cast<void>(unix_listener::adopt(ends[0])); }) ==
          std::errc::invalid_argument);
    unix_stream a = unix_stream::adopt(ends[0]), b = unix_stream::adopt(ends[1]);
    a.write_all("hi");
    CHECK(read_text(b) == "hi");
    const int tcp = ::socket(AF_INET, SOCK_STREAM, 0);
    CHECK(thrown_by([&] { static_cast<void>(unix_stream::adopt(tcp)); }) ==
          std::errc::address_family_not_supported);
    ::close(tcp);
  });
}

TEST_CASE("unix datagram: messages stay whole; a slow receiver makes senders wait") {
  at_worker_counts([] {
    const folder here;
    unix_datagram in(here / "in"), named(here / "named");
    auto unnamed = unix_datagram::unnamed();
    std::array<std::byte, 16> room;
    named.send_to({"two ", "parts"}, here / "in");
    auto got = in.receive(room);
    CHECK(text(std::span(room).first(got.size)) == "two parts");
    CHECK(got.from == here / "named");
    unnamed.send_to("", here / "in");
    got = in.receive(room);
    CHECK(got.full_size == 0);
    CHECK(got.from.is_unnamed());
    unnamed.send_to("0123456789abcdefg", here / "in");
    CHECK(in.receive(room).truncated());
    // Many more than the queue has room for (net.unix.max_dgram_qlen, 10 by default), from a sender
    // whom the kernel tells of a free place, and from one whom it does not.
    constexpr int messages = 200;
    named.connect(here / "in");
    auto connected = weft::spawn([&] {
      for (int i = 0; i < messages; ++i) named.send("c");
    });
    auto unconnected = weft::spawn([&] {
      for (int i = 0; i < messages / 10; ++i) unnamed.send_to("u", here / "in");
    });
    int c = 0, u = 0;
    while (c < messages || u < messages / 10) {
      static_cast<void>(in.receive_for(room, 20s));
      ++(room[0] == std::byte{'c'} ? c : u);
    }
    connected.join();
    unconnected.join();
    auto [x, y] = unix_datagram::pair();
    x.send("pair");
    CHECK(y.receive(room).size == 4);
    std::error_code ec;
    static_cast<void>(y.receive_for(room, 1ms, ec));
    CHECK(ec == std::errc::timed_out);
    unnamed.send_to("x", here / "nobody", ec);
    CHECK(ec == std::errc::no_such_file_or_directory);
  });
}
