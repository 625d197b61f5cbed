// SPDX-License-Identifier: BSL-1.0
// channel4x4: four producers and four consumers over one channel.
#include <atomic>

#include <weft/channel.hpp>

#include "common/weft.hpp"

namespace {

constexpr std::int64_t side = 4;

}  // namespace

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"ITEMS", "CAPACITY"});
  std::atomic<std::int64_t> sum{0};  // relaxed: the joins order it before the read
  const int status = bench::run_weft(size.workers, [&] {
    const auto capacity = std::size_t(size[1]);
    weft::channel<std::int64_t> channel(capacity);
    std::vector<weft::fiber<void>> producers;
    std::vector<weft::fiber<void>> consumers;
    const auto start = bench::clock::now();
    for (std::int64_t p = 0; p < side; ++p) {
      producers.push_back(weft::spawn([&, p] {
        for (std::int64_t i = p; i < size[0]; i += side) {
          if (!channel.send(std::int64_t{i})) return;
        }
      }));
      consumers.push_back(weft::spawn([&] {
        std::int64_t own = 0;
        while (const auto value = channel.receive()) own += *value;
        sum.fetch_add(own, std::memory_order_relaxed);
      }));
    }
    for (auto& producer : producers) producer.join();
    channel.close();
    for (auto& consumer : consumers) consumer.join();
    bench::metric("item", bench::ns_since(start) / double(size[0]), "ns");
    return 0;
  });
  bench::answer(sum.load(std::memory_order_relaxed));
  return status;
}
