// SPDX-License-Identifier: BSL-1.0
// channel4x4: four producers and four consumers over one channel.
#include <atomic>

#include "common/thread.hpp"
#include "common/thread_channel.hpp"

namespace {

constexpr std::int64_t side = 4;

}  // namespace

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"ITEMS", "CAPACITY"});
  std::atomic<std::int64_t> sum{0};  // relaxed: the joins order it before the read
  bench::begin_threads(size);
  {
    const auto capacity = std::size_t(size[1]);
    bench::thread_channel channel(capacity);
    std::vector<std::thread> producers;
    std::vector<std::thread> consumers;
    const auto start = bench::clock::now();
    for (std::int64_t p = 0; p < side; ++p) {
      producers.emplace_back([&, p] {
        for (std::int64_t i = p; i < size[0]; i += side) channel.send(i);
      });
      consumers.emplace_back([&] {
        std::int64_t own = 0;
        while (const auto value = channel.receive()) own += *value;
        sum.fetch_add(own, std::memory_order_relaxed);
      });
    }
    for (auto& producer : producers) producer.join();
    channel.close();
    for (auto& consumer : consumers) consumer.join();
    bench::metric("item", bench::ns_since(start) / double(size[0]), "ns");
  }
  bench::answer(sum.load(std::memory_order_relaxed));
}
