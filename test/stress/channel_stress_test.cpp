// SPDX-License-Identifier: BSL-1.0
// stress/channel_stress_test.cpp - thousands of fibers and some threads doing random operations on
// a few channels, against an oracle: every value that a send says was sent is received exactly
// once, no other is received at all.
#include <weft/channel.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <weft/runtime.hpp>
#include <weft/select.hpp>
#include <weft/this_fiber.hpp>

#include "base/rng.hpp"
#include "base/sanitizers.hpp"
#include "support/seed.hpp"

using namespace std::chrono_literals;
using weft::base::rng;

namespace {

constexpr std::uint32_t senders = WEFT_TSAN ? 200 : 1500, receivers = WEFT_TSAN ? 100 : 700,
                        each = 50;
constexpr int plain_threads = 3;

struct oracle {
  explicit oracle(std::size_t n) : sent(n), received(n) {}
  std::vector<std::atomic<std::uint8_t>> sent, received;
};

using value = std::unique_ptr<std::uint32_t>;  // move-only: a double is a crash, a loss is a leak

void send_some(rng random, std::vector<std::unique_ptr<weft::channel<value>>>& c, oracle& o,
               std::uint32_t first) {
  for (std::uint32_t i = first; i < first + each; ++i) {
    auto& to = *c[random.below(static_cast<std::uint32_t>(c.size()))];
    value v = std::make_unique<std::uint32_t>(i);
    bool ok = false;
    std::stop_source stop;
    switch (random.below(6)) {
      case 0:
        ok = to.try_send(std::move(v));
        break;
      case 1:
        ok = bool(to.send_for(std::move(v), std::chrono::microseconds(random.below(200))));
        break;
      case 2:
        stop.request_stop();
        ok = bool(to.send(std::move(v), stop.get_token()));
        break;
      default:
        ok = to.send(std::move(v));
    }
    o.sent[i] = ok;
    if (ok != (v == nullptr)) std::abort();  // unmoved exactly if it was not sent
    if (random.below(8) == 0) weft::this_fiber::yield();
  }
}

void receive_until_closed(rng random, std::vector<std::unique_ptr<weft::channel<value>>>& c,
                          oracle& o) {
  std::vector<bool> open(c.size(), true);
  std::size_t left = c.size();
  while (left > 0) {
    const auto k = random.below(static_cast<std::uint32_t>(c.size()));
    if (!open[k]) continue;
    auto got = random.below(2) == 0
                   ? c[k]->receive_for(std::chrono::microseconds(random.below(300)))
                   : c[k]->receive_until(std::chrono::steady_clock::now());
    if (got)
      ++o.received[**got];
    else if (got.status() == weft::channel_status::closed)
      open[k] = false, --left;
    else
      weft::this_fiber::yield();
  }
}

}  // namespace

// A channel that one processor has for itself for a while gets its lock cheaper
// (sync/biased_lock.hpp), until somebody else comes: fibers of another processor, a plain thread, a
// select.
TEST_CASE("channel stress: alone for long, then with others, and alone again") {
  constexpr int rounds = WEFT_TSAN ? 10 : 60, alone = 1000, together = 100;
  for (const unsigned workers : {1U, 2U, 8U}) {
    weft::runtime rt({.workers = workers});
    weft::channel<int> c(16);
    std::int64_t sum = 0;
    for (int round = 0; round < rounds; ++round) {
      rt.spawn([&] {
          for (int i = 0; i < alone; ++i) {
            c.send(i);
            sum += c.receive().value();
          }
        }).join();
      auto other = rt.spawn([&] {
        for (int i = 0; i < together; ++i) c.send(1);
      });
      auto selecting = rt.spawn([&] {
        std::int64_t own = 0;
        for (int i = 0; i < together; ++i)
          weft::select(weft::on_receive(c, [&](std::optional<int> v) { own += *v; }));
        return own;
      });
      std::thread thread([&] {
        for (int i = 0; i < together; ++i) c.send(1);
      });
      for (int i = 0; i < together; ++i) sum += c.receive().value();
      other.join();
      thread.join();
      sum += selecting.join();
    }
    CHECK(sum == std::int64_t{rounds} * (std::int64_t{alone} * (alone - 1) / 2 + 2 * together));
  }
}

TEST_CASE("channel stress: against an oracle") {
  const std::uint64_t seed = weft::test::seed();
  for (const std::size_t workers : {1, 2, 8}) {
    CAPTURE(workers);
    weft::options options;
    options.workers = workers;
    weft::runtime one(options), other(options);
    std::vector<std::unique_ptr<weft::channel<value>>> c;
    for (const std::size_t capacity : {0, 1, 7, 100})
      c.push_back(std::make_unique<weft::channel<value>>(capacity));
    oracle o((senders + plain_threads) * each);
    std::vector<weft::fiber<void>> sending, receiving;
    std::vector<std::thread> threads;
    for (std::uint32_t i = 0; i < receivers; ++i)
      receiving.push_back((i % 3 == 0 ? other : one).spawn([&, i] {
        receive_until_closed(rng(seed + 100'000 + i), c, o);
      }));
    for (std::uint32_t i = 0; i < senders; ++i)
      sending.push_back(
          (i % 2 == 0 ? other : one).spawn([&, i] { send_some(rng(seed + i), c, o, i * each); }));
    for (int t = 0; t < plain_threads; ++t)
      threads.emplace_back(
          [&, t] { send_some(rng(seed + 50'000 + t), c, o, (senders + t) * each); });
    for (auto& f : sending) f.join();
    for (auto& t : threads) t.join();
    for (auto& d : c) d->close();
    for (auto& f : receiving) f.join();
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < o.sent.size(); ++i) wrong += o.sent[i] != o.received[i];
    CHECK(wrong == 0);
  }
}
