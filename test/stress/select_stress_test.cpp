// SPDX-License-Identifier: BSL-1.0
// stress/select_stress_test.cpp - hundreds of selects that send and receive at the same time,
// beside plain senders and receivers, against an oracle: each value sent is received exactly once.
#include <weft/select.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <weft/runtime.hpp>
#include <weft/this_fiber.hpp>

#include "base/rng.hpp"
#include "base/sanitizers.hpp"
#include "support/seed.hpp"

using namespace std::chrono_literals;
using weft::base::rng;

namespace {

constexpr std::uint32_t channels = 5, peers = WEFT_TSAN ? 60 : 300, rounds = WEFT_TSAN ? 60 : 250;
constexpr int plain_threads = 3;

struct field {
  explicit field(std::size_t values) : sent(values), received(values) {
    for (std::uint32_t i = 0; i < channels; ++i)
      c.push_back(std::make_unique<weft::channel<std::uint32_t>>(i % 3));
  }
  std::vector<std::unique_ptr<weft::channel<std::uint32_t>>> c;
  std::vector<std::atomic<std::uint8_t>> sent, received;
};

// Each round: one of two sends, one of two receives, or a time.
void play(rng random, field& f, std::uint32_t first) {
  const auto pick = [&]() -> weft::channel<std::uint32_t>& { return *f.c[random.below(channels)]; };
  for (std::uint32_t i = 0; i < rounds; ++i) {
    const std::uint32_t a = first + 2 * i, b = a + 1;
    const auto keep = [&](std::optional<std::uint32_t> v) {
      if (v) ++f.received[*v];
    };
    weft::select(
        weft::on_send(pick(), a, [&](bool ok) { f.sent[a] += ok; }), weft::on_receive(pick(), keep),
        weft::on_send(pick(), b, [&](bool ok) { f.sent[b] += ok; }), weft::on_receive(pick(), keep),
        weft::on_timeout(std::chrono::microseconds(random.below(400)), [] {}));
    if (random.below(16) == 0) weft::this_fiber::yield();
  }
}

}  // namespace

TEST_CASE("select stress: selects against selects, against an oracle") {
  const std::uint64_t seed = weft::test::seed();
  for (const std::size_t workers : {1, 2, 8}) {
    CAPTURE(workers);
    weft::options options;
    options.workers = workers;
    weft::runtime one(options), other(options);
    field f((peers + plain_threads) * rounds * 2);
    std::vector<weft::fiber<void>> fibers;
    std::vector<std::thread> threads;
    for (std::uint32_t i = 0; i < peers; ++i)
      fibers.push_back(
          (i % 3 == 0 ? other : one).spawn([&, i] { play(rng(seed + i), f, i * rounds * 2); }));
    for (int t = 0; t < plain_threads; ++t)
      threads.emplace_back([&, t] { play(rng(seed + 50'000 + t), f, (peers + t) * rounds * 2); });
    for (auto& g : fibers) g.join();
    for (auto& t : threads) t.join();
    for (auto& c : f.c) {
      c->close();
      while (const auto v = c->receive()) ++f.received[*v];
    }
    std::size_t wrong = 0, sent = 0;
    for (std::size_t i = 0; i < f.sent.size(); ++i)
      wrong += f.sent[i] != f.received[i], sent += f.sent[i];
    CHECK(wrong == 0);
    CHECK(sent > 0);
  }
}
