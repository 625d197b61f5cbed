// SPDX-License-Identifier: BSL-1.0
// docs/problems/pipeline.cpp - orders are read, priced and stored, slower than they might be.
// docs/guide/tuning.md finds the stage that limits it.
//
//   pipeline [STORERS]
#include <weft/weft.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

using namespace std::chrono_literals;

struct order {
  int number = 0;
  std::uint64_t price = 0;
};

[[gnu::noinline]] std::uint64_t price_of(int number) {
  auto price = static_cast<std::uint64_t>(number);
  for (int round = 0; round < 100'000; ++round) price = price * 6364136223846793005U + 1;
  return price % 1000;
}

void price(weft::channel<int>& numbers, weft::channel<order>& priced) {
  for (const int number : numbers) priced.send({number, price_of(number)});
  priced.close();
}

std::uint64_t store(weft::channel<order>& priced) {
  std::uint64_t sum = 0;
  for (const order& o : priced) {
    weft::this_fiber::sleep_for(1ms);  // stands for a database
    sum += o.price;
  }
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  const int storers = argc > 1 ? std::atoi(argv[1]) : 1;
  constexpr int orders = 2000;
  return weft::run([&] {
    weft::channel<int> numbers(16);
    weft::channel<order> priced(16);
    const auto begin = std::chrono::steady_clock::now();
    weft::scope stages;
    stages.spawn({.name = "read"}, [&] {
      for (int i = 0; i < orders; ++i) numbers.send(i);
      numbers.close();
    });
    stages.spawn({.name = "price"}, [&] { price(numbers, priced); });
    for (int i = 0; i < storers; ++i) stages.spawn({.name = "store"}, [&] { store(priced); });
    stages.join();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    std::printf("%d orders in %.2f s, %.0f a second, with %d storers\n", orders, took.count(),
                orders / took.count(), storers);
    return 0;
  });
}
