// SPDX-License-Identifier: BSL-1.0
// select8: one fiber selecting over eight channels, each fed by its producer.
#include <array>
#include <optional>

#include <weft/channel.hpp>
#include <weft/select.hpp>

#include "common/weft.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"ITEMS", "CAPACITY"});
  const std::int64_t each = size[0] / 8;
  std::int64_t sum = 0;
  const int status = bench::run_weft(size.workers, [&] {
    using channel = weft::channel<std::int64_t>;
    const auto capacity = std::size_t(size[1]);
    std::array<channel, 8> c{channel(capacity), channel(capacity), channel(capacity),
                             channel(capacity), channel(capacity), channel(capacity),
                             channel(capacity), channel(capacity)};
    std::vector<weft::fiber<void>> producers;
    const auto start = bench::clock::now();
    for (std::int64_t p = 0; p < 8; ++p) {
      producers.push_back(weft::spawn([&, p] {
        for (std::int64_t i = p * each; i < (p + 1) * each; ++i) {
          if (!c[std::size_t(p)].send(std::int64_t{i})) return;
        }
      }));
    }
    const auto take = [&](std::optional<std::int64_t> value) { sum += value.value(); };
    for (std::int64_t i = 0; i < 8 * each; ++i) {
      weft::select(weft::on_receive(c[0], take), weft::on_receive(c[1], take),
                   weft::on_receive(c[2], take), weft::on_receive(c[3], take),
                   weft::on_receive(c[4], take), weft::on_receive(c[5], take),
                   weft::on_receive(c[6], take), weft::on_receive(c[7], take));
    }
    bench::metric("item", bench::ns_since(start) / double(8 * each), "ns");
    for (auto& producer : producers) producer.join();
    return 0;
  });
  bench::answer(sum);
  return status;
}
