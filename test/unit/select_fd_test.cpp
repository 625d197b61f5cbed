// SPDX-License-Identifier: BSL-1.0
// unit/select_fd_test.cpp - a descriptor's readiness as a case: sockets, pipes, eventfds, files,
// and what is none of them.
#include <weft/select.hpp>

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <weft/net.hpp>

#include "base/sanitizers.hpp"
#include "support/agents.hpp"
#include "support/net.hpp"
#include "support/pipes.hpp"
#include "support/runtimes.hpp"

using namespace std::chrono_literals;
using namespace weft::test;
namespace net = weft::net;

namespace {

// Without those that workers keep of /proc/self/task/N/stat: a worker may start at any time.
int open_descriptors() {
  int n = 0;
  for (int i = 0; i < 256; ++i) {
    if (::fcntl(i, F_GETFD) < 0) continue;
    char path[64], to[256];
    std::snprintf(path, sizeof path, "/proc/self/fd/%d", i);
    const ssize_t size = ::readlink(path, to, sizeof to);
    n += size < 5 || std::string_view(to + size - 5, 5) != "/stat";
  }
  return n;
}

}  // namespace

TEST_CASE("select fd [example]: a client's bytes, or an order from within") {
  at_worker_counts([] {
    auto [client, peer] = connected_pair();
    weft::channel<std::string_view> orders(1);
    std::string log;
    auto serve = weft::spawn([&, &client = client] {
      std::array<std::byte, 64> buffer;
      for (bool open = true; open;)
        weft::select(weft::on_readable(client,
                                       [&] {
                                         const std::size_t n = client.read_some(buffer);
                                         log += n > 0 ? text(std::span(buffer).first(n)) : "<end>";
                                         open = n > 0;
                                         if (open) client.write_all(bytes("ok"));
                                       }),
                     weft::on_receive(orders, [&](std::optional<std::string_view> o) {
                       client.write_all(bytes(*o));
                     }));
    });
    std::array<std::byte, 2> answer;
    for (int i = 0; i < 3; ++i) {
      peer.write_all(bytes("ping "));
      peer.read_exactly(answer);
      CHECK(text(answer) == "ok");
      orders.send("hi");
      peer.read_exactly(answer);
      CHECK(text(answer) == "hi");
    }
    peer.close();
    serve.join();
    CHECK(log == "ping ping ping <end>");
  });
}

TEST_CASE("select fd: ready means that the call would not block") {
  pipe_ends p;
  const auto readable = [&] {
    return weft::select(weft::on_readable(p.read->number, nothing), weft::on_default(nothing)) == 0;
  };
  const auto writable = [&] {
    return weft::select(weft::on_writable(p.write->number, nothing), weft::on_default(nothing)) ==
           0;
  };
  CHECK(!readable());
  CHECK(writable());
  std::array<char, 4096> some{};
  while (::write(p.write->number, some.data(), some.size()) > 0) {
  }
  CHECK(readable());
  CHECK(!writable());
  p.read->close();
  CHECK(writable());  // EPIPE
  pipe_ends q;
  q.write->close();
  // the end
  CHECK(weft::select(weft::on_readable(q.read->number, nothing), weft::on_default(nothing)) == 0);
}

TEST_CASE("select fd: what is no descriptor, or none that could be waited for, is ready at once") {
  each_fiber([] {
    const descriptor directory(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    std::FILE* file = std::tmpfile();
    REQUIRE(file != nullptr);
    const descriptor gone(::dup(::fileno(file)));
    const int number = gone.number;
    const_cast<descriptor&>(gone).close();
    weft::channel<int> never(0);
    for (const int n : {directory.number, ::fileno(file), number, -1, 1 << 30}) {
      CAPTURE(n);
      CHECK(weft::select(weft::on_readable(n, nothing),
                         weft::on_receive(never, [](std::optional<int>) {})) == 0);
      CHECK(weft::select(weft::on_receive(never, [](std::optional<int>) {}),
                         weft::on_writable(n, nothing)) == 1);
    }
    std::fclose(file);
    net::tcp_stream unopened;
    CHECK(weft::select(weft::on_readable(unopened, nothing)) == 0);
    net::tcp_listener closed(any_port);
    closed.close();
    CHECK(weft::select(weft::on_readable(closed, nothing)) == 0);
  });
}

TEST_CASE("select fd: bytes, room, a connection and an event end a wait that has begun") {
  on_all_agents([](agents& s) {
    s.start([] {
      weft::channel<int> never(0);
      const auto keep = [](std::optional<int>) { FAIL("nobody sends"); };
      pipe_ends p;
      CHECK(while_waiting(
                [&] {
                  return weft::select(weft::on_receive(never, keep),
                                      weft::on_readable(p.read->number, nothing));
                },
                [&] { CHECK(::write(p.write->number, "x", 1) == 1); }) == 1);
      std::array<char, 4096> some{};
      while (::write(p.write->number, some.data(), some.size()) > 0) {
      }
      CHECK(while_waiting(
                [&] {
                  return weft::select(weft::on_writable(p.write->number, nothing),
                                      weft::on_receive(never, keep));
                },
                [&] {
                  while (::read(p.read->number, some.data(), some.size()) > 0) {
                  }
                }) == 0);
      const descriptor event = new_eventfd();
      CHECK(while_waiting([&] { return weft::select(weft::on_readable(event.number, nothing)); },
                          [&] { post(event.number); }) == 0);
      net::tcp_listener listener(any_port);
      net::tcp_stream client;
      CHECK(while_waiting(
                [&] {
                  return weft::select(weft::on_receive(never, keep),
                                      weft::on_readable(listener, nothing));
                },
                [&] { client = net::tcp_stream::connect(listener.local_endpoint()); }) == 1);
      net::tcp_stream server = listener.accept();
      CHECK(while_waiting(
                [&] {
                  return weft::select(weft::on_readable(server, nothing),
                                      weft::on_timeout(1h, nothing));
                },
                [&] { client.write_all(bytes("x")); }) == 0);
      CHECK(weft::select(weft::on_writable(server, nothing)) == 0);
    });
    s.join();
  });
}

TEST_CASE("select fd: another case ends the wait, and the descriptor keeps what comes later") {
  each_fiber([] {
    const int before = open_descriptors();
    {
      const descriptor event = new_eventfd();
      weft::channel<int> c(0);
      int got = 0;
      for (int i = 1; i <= 200; ++i) {
        auto sender = weft::spawn([&, i] { c.send(i); });
        CHECK(weft::select(weft::on_readable(event.number, nothing),
                           weft::on_receive(c, [&](std::optional<int> v) { got = *v; })) == 1);
        CHECK(got == i);
        sender.join();
      }
      post(event.number);
      CHECK(weft::select(weft::on_readable(event.number, nothing),
                         weft::on_receive(c, [](std::optional<int>) {})) == 0);
      CHECK(weft::select(weft::on_readable(event.number, nothing), weft::on_timeout(0s, nothing)) <=
            1);
      CHECK(take_all(event.number));
      CHECK(weft::select(weft::on_readable(event.number, nothing),
                         weft::on_timeout(1ms, nothing)) == 1);
    }
    // no duplicate is left behind; the runtime's pollers are older
    CHECK(open_descriptors() <= before);
  });
}

TEST_CASE("select fd: closing a socket ends the selects that wait for it; the call then says so") {
  at_worker_counts([] {
    auto [mine, peer] = connected_pair();
    weft::channel<int> never(0);
    std::array<std::byte, 8> buffer;
    std::error_code ec;
    CHECK(while_waiting(
              [&, &mine = mine] {
                return weft::select(weft::on_receive(never, [](std::optional<int>) {}),
                                    weft::on_readable(mine, [&] {
                                      static_cast<void>(mine.read_some(buffer, ec));
                                    }));
              },
              [&, &mine = mine] { mine.close(); }) == 1);
    CHECK(ec == std::errc::bad_file_descriptor);
  });
}

namespace {

std::vector<int> epolls() {
  std::vector<int> all;
  for (int i = 0; i < 256; ++i) {
    char path[64], to[256] = {};
    std::snprintf(path, sizeof path, "/proc/self/fd/%d", i);
    if (::readlink(path, to, sizeof to - 1) > 0 && std::string_view(to) == "anon_inode:[eventpoll]")
      all.push_back(i);
  }
  return all;
}

}  // namespace

TEST_CASE("select fd: what cannot be watched is named by the caller's number") {
  each_fiber([] {
    // epoll refuses itself: one of these is this runtime's. It may be readable, and then nobody
    // waits for it.
    bool refused = false;
    while (!refused)
      for (const int i : epolls()) {
        std::string what;
        thrown_by([&] { weft::select(weft::on_readable(i, [] {}), weft::on_timeout(1ms, [] {})); },
                  &what);
        if (what.empty()) continue;
        refused = true;
        CHECK(what.find("descriptor " + std::to_string(i) + ":") != std::string::npos);
      }
  });
}
