// SPDX-License-Identifier: BSL-1.0
// unit/select_fd_many_test.cpp - many descriptors, or many waits for one; what ends meanwhile.
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

#include "support/agents.hpp"
#include "support/net.hpp"
#include "support/pipes.hpp"
#include "support/runtimes.hpp"
#include "support/ubsan.hpp"

using namespace std::chrono_literals;
using namespace weft::test;
namespace net = weft::net;

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
  if (ubsan_needs_descriptors()) return;
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
