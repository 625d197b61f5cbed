// SPDX-License-Identifier: BSL-1.0
// pingpong: two fibers, two rendezvous channels, ROUNDS round trips.
#include <weft/channel.hpp>

#include "common/weft.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"ROUNDS"});
  std::int64_t sum = 0;
  const int status = bench::run_weft(size.workers, [&] {
    weft::channel<std::int64_t> ping(0);
    weft::channel<std::int64_t> pong(0);
    auto echo = weft::spawn([&] {
      while (const auto value = ping.receive()) {
        if (!pong.send(*value + 1)) return;
      }
    });
    const auto start = bench::clock::now();
    for (std::int64_t i = 0; i < size[0]; ++i) {
      if (!ping.send(std::int64_t{i})) break;
      sum += pong.receive().value();
    }
    bench::metric("round_trip", bench::ns_since(start) / double(size[0]), "ns");
    ping.close();
    echo.join();
    return 0;
  });
  bench::answer(sum);
  return status;
}
