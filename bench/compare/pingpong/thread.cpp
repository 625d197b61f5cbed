// SPDX-License-Identifier: BSL-1.0
// pingpong: two threads, two rendezvous channels, ROUNDS round trips.
#include "common/thread.hpp"
#include "common/thread_channel.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"ROUNDS"});
  bench::begin_threads(size);
  bench::thread_channel ping(0);
  bench::thread_channel pong(0);
  std::thread echo([&] {
    while (const auto value = ping.receive()) pong.send(*value + 1);
  });
  std::int64_t sum = 0;
  const auto start = bench::clock::now();
  for (std::int64_t i = 0; i < size[0]; ++i) {
    ping.send(i);
    sum += pong.receive().value();
  }
  bench::metric("round_trip", bench::ns_since(start) / double(size[0]), "ns");
  ping.close();
  echo.join();
  bench::answer(sum);
}
