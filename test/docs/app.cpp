// SPDX-License-Identifier: BSL-1.0
// test/docs/app.cpp - the `./app` of docs/tools.md: prices 400 orders and keeps the prices, which
// takes half a second; `app forever` goes on until it is killed, `app crash` aborts at the end.
#include <weft/weft.hpp>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <vector>

namespace {

using namespace std::chrono_literals;

struct ledger {
  weft::mutex lock;
  std::vector<std::uint64_t> prices;
};

// A quarter of a millisecond of CPU.
[[gnu::noinline]] std::uint64_t price_of(std::uint64_t order) {
  for (int round = 0; round < 200'000; ++round) order = order * 6364136223846793005U + 1;
  return order % 1000;
}

void keep(ledger& l, std::uint64_t price) {
  const std::lock_guard guard(l.lock);
  l.prices.assign(1, price);
  weft::this_fiber::sleep_for(1ms);  // stands for a disk
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view how = argc > 1 ? argv[1] : "";
  weft::options o;
  o.workers = 2;
  return weft::run(o, [how] {
    ledger l;
    weft::channel<std::uint64_t> orders(8);
    weft::scope work;
    for (int i = 0; i < 4; ++i)
      work.spawn({.name = "price"}, [&] {
        for (const std::uint64_t order : orders) keep(l, price_of(order));
      });
    for (std::uint64_t n = 0; n < 400 || how == "forever"; ++n) {
      orders.send(n);
      if (how == "forever") weft::this_fiber::sleep_for(5ms);  // beside the other commands
    }
    if (how == "crash") std::abort();
    orders.close();
    work.join();
    return 0;
  });
}
