// SPDX-License-Identifier: BSL-1.0
// channel4x4: four producers and four consumers over one channel.
// Boost's is a ring that keeps one slot free: it holds CAPACITY - 1.
#include <atomic>

#include "common/boost.hpp"

namespace {

constexpr std::int64_t side = 4;

}  // namespace

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"ITEMS", "CAPACITY"});
  std::atomic<std::int64_t> sum{0};  // relaxed: the joins order it before the read
  bench::run_boost(size.workers, [&] {
    const auto capacity = std::size_t(size[1]);
    boost::fibers::buffered_channel<std::int64_t> channel(capacity);
    std::vector<boost::fibers::fiber> producers;
    std::vector<boost::fibers::fiber> consumers;
    const auto start = bench::clock::now();
    for (std::int64_t p = 0; p < side; ++p) {
      producers.emplace_back([&, p] {
        for (std::int64_t i = p; i < size[0]; i += side) channel.push(i);
      });
      consumers.emplace_back([&] {
        std::int64_t own = 0;
        std::int64_t value = 0;
        while (channel.pop(value) == boost::fibers::channel_op_status::success) own += value;
        sum.fetch_add(own, std::memory_order_relaxed);
      });
    }
    for (auto& producer : producers) producer.join();
    channel.close();
    for (auto& consumer : consumers) consumer.join();
    bench::metric("item", bench::ns_since(start) / double(size[0]), "ns");
  });
  bench::answer(sum.load(std::memory_order_relaxed));
}
