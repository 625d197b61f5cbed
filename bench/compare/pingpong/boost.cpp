// SPDX-License-Identifier: BSL-1.0
// pingpong: two fibers, two unbuffered channels, ROUNDS round trips.
#include "common/boost.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"ROUNDS"});
  std::int64_t sum = 0;
  bench::run_boost(size.workers, [&] {
    boost::fibers::unbuffered_channel<std::int64_t> ping;
    boost::fibers::unbuffered_channel<std::int64_t> pong;
    boost::fibers::fiber echo([&] {
      std::int64_t value = 0;
      while (ping.pop(value) == boost::fibers::channel_op_status::success) pong.push(value + 1);
    });
    const auto start = bench::clock::now();
    for (std::int64_t i = 0; i < size[0]; ++i) {
      ping.push(i);
      sum += pong.value_pop();
    }
    bench::metric("round_trip", bench::ns_since(start) / double(size[0]), "ns");
    ping.close();
    echo.join();
  });
  bench::answer(sum);
}
