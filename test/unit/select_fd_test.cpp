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
#include "support/runtimes.hpp"

using namespace std::chrono_literals;
using namespace weft::test;
namespace net = weft::net;

namespace {

const auto nothing = [] {};

struct descriptor {
  explicit descriptor(int n) : number(n) { REQUIRE(n >= 0); }
  ~descriptor() { close(); }
  descriptor(const descriptor&) = delete;
  void close() {
    if (number >= 0) ::close(std::exchange(number, -1));
  }
  int number;
};
struct pipe_ends {
  pipe_ends() {
    int n[2];
    REQUIRE(::pipe2(n, O_NONBLOCK | O_CLOEXEC) == 0);
    read = std::make_unique<descriptor>(n[0]);
    write = std::make_unique<descriptor>(n[1]);
  }
  std::unique_ptr<descriptor> read, write;
};

descriptor new_eventfd() { return descriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)); }
void post(int event) {
  const std::uint64_t one = 1;
  CHECK(::write(event, &one, sizeof one) == sizeof one);
}
bool take_all(int event) {
  std::uint64_t count = 0;
  return ::read(event, &count, sizeof count) == sizeof count;
}

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

// What stands for the waiting of the other side: it has parked, or is about to.
template <class Select>
std::size_t while_waiting(Select&& select, const std::function<void()>& act) {
  std::atomic<bool> begun{false};
  auto waiting = weft::spawn([&] {
    begun = true;
    return select();
  });
  until([&] { return begun.load(); });
  for (int i = 0; i < 20; ++i) weft::this_fiber::yield();
  act();
  return waiting.join();
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

TEST_CASE(
    "select fd: a number closed while selected is watched to the end, and is not its successor") {
  each_fiber([] {
    pipe_ends p;
    const int number = p.read->number;
    std::unique_ptr<descriptor> next;
    weft::channel<int> orders(1);
    const std::size_t taken = while_waiting(
        [&] {
          return weft::select(weft::on_readable(number, nothing),
                              weft::on_receive(orders, [](std::optional<int>) {}));
        },
        [&] {
          p.read->close();
          // readable, maybe that number
          next = std::make_unique<descriptor>(::eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC));
          orders.send(1);
        });
    CHECK(taken <= 1);  // 0: it had not begun to wait and found the number bad, or readable
    CHECK(orders.size() == 1 - taken);
  });
}

TEST_CASE("select fd: many wait for one descriptor, in one select and in many") {
  on_all_agents([](agents& s) {
    const descriptor event = new_eventfd();
    net::tcp_listener listener(any_port);
    constexpr int waiting = 6, each = 50;
    std::atomic<int> taken{0};
    weft::channel<int> done(0);
    for (int i = 0; i < waiting; ++i)
      s.start([&] {
        for (bool on = true; on;)
          weft::select(weft::on_readable(event.number, [&] { taken += take_all(event.number); }),
                       weft::on_readable(event.number, [&] { taken += take_all(event.number); }),
                       weft::on_readable(listener, nothing), weft::on_readable(listener, nothing),
                       weft::on_receive(done, [&](std::optional<int>) { on = false; }));
      });
    s.start([&] {
      for (int i = 1; i <= each; ++i) {
        post(event.number);
        until([&] { return taken.load() == i; });
      }
      done.close();
    });
    s.join();
    CHECK(taken == each);
  });
}

TEST_CASE("select fd: of several ready descriptors and channels each is chosen as often") {
  const descriptor a(::eventfd(1, EFD_CLOEXEC)), b(::eventfd(1, EFD_CLOEXEC));
  weft::channel<int> c(1);
  c.close();
  constexpr int rounds = 6000;
  int taken[3] = {};
  for (int i = 0; i < rounds; ++i)
    ++taken[weft::select(weft::on_readable(a.number, nothing),
                         weft::on_receive(c, [](std::optional<int>) {}),
                         weft::on_writable(b.number, nothing))];
  for (const int t : taken) CHECK(std::abs(t - rounds / 3) < rounds / 12);
}

TEST_CASE("select fd [selector]: pipes known at run time, until all have ended") {
  each_fiber([] {
    constexpr int n = 20;
    std::vector<pipe_ends> pipes(n);
    std::vector<std::string> got(n);
    weft::selector inputs;
    int open = n;
    for (int i = 0; i < n; ++i)
      inputs.add(weft::on_readable(pipes[i].read->number, [&, i] {
        char c[8];
        const auto size = ::read(pipes[i].read->number, c, sizeof c);
        if (size > 0) {
          got[i].append(c, static_cast<std::size_t>(size));
        } else if (size == 0) {
          inputs.disable(i);
          --open;
        }
      }));
    auto writer = weft::spawn([&] {
      for (const char* part : {"a", "bc", "d"})
        for (auto& p : pipes) {
          CHECK(::write(p.write->number, part, std::char_traits<char>::length(part)) > 0);
          weft::this_fiber::yield();
        }
      for (auto& p : pipes) p.write->close();
    });
    while (open > 0) inputs.select();
    writer.join();
    for (const auto& g : got) CHECK(g == "abcd");
  });
}

TEST_CASE("select fd: a runtime that is destroyed leaves the waits of others to their own") {
  const descriptor event = new_eventfd();
  net::tcp_listener listener(any_port);
  weft::options o;
  o.workers = 1;
  weft::runtime stays(o);
  auto first = std::make_unique<weft::runtime>(o);
  first
      ->spawn([&] {  // so it is the first one's poller that knows the listener
        CHECK(weft::select(weft::on_readable(listener, nothing), weft::on_timeout(1ms, nothing)) ==
              1);
      })
      .join();
  std::atomic<bool> begun{false};
  auto waiting = stays.spawn([&] {
    begun = true;
    return weft::select(weft::on_timeout(1h, nothing), weft::on_readable(listener, nothing));
  });
  until([&] { return begun.load(); });
  first.reset();
  auto client = net::tcp_stream::connect(listener.local_endpoint());
  CHECK(waiting.join() == 1);
}

TEST_CASE(
    "select fd: no number left for the duplicate is an error that names the limit; nothing is "
    "taken") {
#if WEFT_ASAN
  MESSAGE(
      "not here: UBSan opens a pipe to look at an object it does not know, and there is no "
      "descriptor for it");
  return;
#endif
  each_fiber([] {
    const descriptor event = new_eventfd();
    rlimit old{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &old) == 0);
    rlimit tight = old;
    tight.rlim_cur = static_cast<rlim_t>(event.number) + 1;
    std::vector<int> filled;  // numbers below the limit that were free
    for (int n = 0; n < event.number; filled.push_back(n)) n = ::dup(event.number);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
    std::string text;
    std::error_code ec;
    weft::channel<int> c(0);
    try {
      weft::select(weft::on_readable(event.number, nothing),
                   weft::on_receive(c, [](std::optional<int>) {}));
    } catch (const std::system_error& e) {
      ec = e.code();
      text = e.what();
    }
    ::setrlimit(RLIMIT_NOFILE, &old);
    for (const int n : filled) ::close(n);
    CHECK(ec == std::errc::too_many_files_open);
    CHECK(text.find("ulimit -n") != std::string::npos);
    CHECK(!c.try_send(1));  // nobody was left in its queue
  });
}
