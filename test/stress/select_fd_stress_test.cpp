// SPDX-License-Identifier: BSL-1.0
// stress/select_fd_stress_test.cpp - selects over descriptors and a channel at once, from fibers of
// two runtimes and from plain threads: every unit posted to an eventfd is taken, every value
// received, none twice, and nobody is left waiting.
#include <weft/select.hpp>

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <weft/net.hpp>
#include <weft/runtime.hpp>

#include "support/net.hpp"
#include "support/runtimes.hpp"
#include "support/seed.hpp"

using namespace std::chrono_literals;
using namespace weft::test;

namespace {

constexpr int events = 3, plain_threads = 2, plain_posters = 1;

struct field {
  field() {
    for (int& e : event)
      REQUIRE((e = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC | EFD_SEMAPHORE)) >= 0);
  }
  ~field() {
    for (const int e : event) ::close(e);
  }
  std::array<int, events> event{};
  weft::channel<int> values{1};
  weft::channel<int> done{0};
  std::atomic<std::uint64_t> posted{0}, taken{0}, sent{0}, received{0};
};

// Takes whatever comes, in an order of its own, and sometimes looks away on a short time.
void serve(field& f, choices random) {
  for (bool on = true; on;) {
    const auto unit = [&](int e) {
      std::uint64_t n = 0;
      f.taken += ::read(e, &n, sizeof n) == sizeof n;
    };
    const int a = f.event[random.below(events)], b = f.event[random.below(events)];
    weft::select(
        weft::on_readable(a, [&] { unit(a); }), weft::on_readable(b, [&] { unit(b); }),
        weft::on_receive(f.values, [&](std::optional<int> v) { f.received += v.has_value(); }),
        weft::on_receive(f.done, [&](std::optional<int>) { on = false; }),
        weft::on_timeout(std::chrono::microseconds(random.below(2000)), [] {}));
  }
}

void post(field& f, choices random, std::size_t rounds) {
  for (std::size_t i = 0; i < rounds; ++i) {
    const std::uint64_t one = 1;
    if (random.below(2) == 0) {
      const int e = f.event[random.below(events)];
      // A full counter's writability is a case, too: it never is here.
      weft::select(
          weft::on_writable(e, [&] { f.posted += ::write(e, &one, sizeof one) == sizeof one; }));
    } else {
      f.sent += f.values.send(1);
    }
    if (random.below(8) == 0) weft::this_fiber::yield();
  }
}

}  // namespace

TEST_CASE("select fd stress: units and values against an oracle") {
  for (const std::size_t workers : worker_counts) {
    CAPTURE(workers);
    weft::options o;
    o.workers = workers;
    weft::runtime one(o), other(o);
    field f;
    const std::size_t servers = scaled(40) + 2, posters = 6, rounds = scaled(600);
    std::vector<weft::fiber<void>> serving, posting;
    std::vector<std::thread> threads, posting_threads;
    for (std::size_t i = 0; i < servers; ++i)
      serving.push_back((i % 3 == 0 ? other : one).spawn([&, i] { serve(f, choices(i)); }));
    for (int t = 0; t < plain_threads; ++t)
      threads.emplace_back([&, t] { serve(f, choices(1000 + t)); });
    for (std::size_t i = 0; i < posters; ++i)
      posting.push_back(
          (i % 2 == 0 ? other : one).spawn([&, i] { post(f, choices(2000 + i), rounds); }));
    for (int t = 0; t < plain_posters; ++t)
      posting_threads.emplace_back([&, t] { post(f, choices(3000 + t), rounds); });
    for (auto& p : posting) p.join();
    for (auto& p : posting_threads) p.join();
    // a lost one is a minute's wait, and a failure
    until([&] { return f.taken == f.posted && f.received == f.sent; });
    f.done.close();
    for (auto& s : serving) s.join();
    for (auto& t : threads) t.join();
    CHECK(f.posted + f.sent == (posters + plain_posters) * rounds);
    CHECK(one.shutdown() == 0);
    CHECK(other.shutdown() == 0);
  }
}

// Both directions of one connection, waited for by several selects each, while the other side
// echoes in fits and starts.
TEST_CASE("select fd stress: one connection, readers and writers by select") {
  for (const std::size_t workers : worker_counts) {
    CAPTURE(workers);
    weft::options o;
    o.workers = workers;
    with_runtime(o, [&](weft::runtime& rt) {
      rt.spawn([] {
          auto [mine, peer] = connected_pair();
          auto& out = mine;
          auto& in = peer;
          const std::size_t total = scaled(4'000'000);
          std::atomic<std::size_t> read{0}, written{0};
          std::vector<weft::fiber<void>> all;
          for (int i = 0; i < 3; ++i)
            all.push_back(weft::spawn([&] {
              std::array<std::byte, 4096> some{};
              for (;;) {
                const std::size_t before = written.fetch_add(some.size());
                if (before >= total) break;
                std::size_t left = some.size();
                while (left > 0)
                  weft::select(weft::on_writable(
                      out, [&] { left -= out.write_some(std::span(some).first(left)); }));
              }
            }));
          std::atomic<bool> ended{false};
          for (int i = 0; i < 3; ++i)
            all.push_back(weft::spawn([&, i] {
              choices random(static_cast<std::uint64_t>(i));
              std::vector<std::byte> some(1 + random.below(20'000));
              while (!ended)
                weft::select(weft::on_readable(in,
                                               [&] {
                                                 const std::size_t n = in.read_some(some);
                                                 read += n;
                                                 if (n == 0) ended = true;
                                               }),
                             weft::on_timeout(std::chrono::microseconds(random.below(500)), [] {}));
            }));
          for (int i = 0; i < 3; ++i) all[static_cast<std::size_t>(i)].join();
          out.shutdown(weft::net::shutdown_side::send);
          for (int i = 3; i < 6; ++i) all[static_cast<std::size_t>(i)].join();
          CHECK(read == (total + 4095) / 4096 * 4096);
        }).join();
    });
  }
}
