// SPDX-License-Identifier: BSL-1.0
// offload: the round trip of one small call through a pool thread fed by a mutex and a condition
// variable.
#include "common/thread.hpp"
#include "common/thread_channel.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"CALLS"});
  bench::begin_threads(size);
  bench::thread_channel calls(1);
  bench::thread_channel results(1);
  std::thread pool([&] {
    while (const auto value = calls.receive()) results.send(*value + 1);
  });
  std::int64_t sum = 0;
  const auto start = bench::clock::now();
  for (std::int64_t i = 0; i < size[0]; ++i) {
    calls.send(i);
    sum += results.receive().value();
  }
  bench::metric("round_trip", bench::ns_since(start) / double(size[0]), "ns");
  calls.close();
  pool.join();
  bench::answer(sum);
}
