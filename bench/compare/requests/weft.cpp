// SPDX-License-Identifier: BSL-1.0
// requests: COUNT GETs, IN_FLIGHT fibers with a connection each, as examples/requests. ROUNDS
// times, each with fresh connections.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <weft/scope.hpp>

#include "common/weft.hpp"
#include "http_client.hpp"

int main(int argc, char** argv) {
  const auto arguments = bench::parse(argc, argv, {"COUNT", "IN_FLIGHT", "ROUNDS", "PORT"});
  return bench::run_weft(arguments.workers, [&] {
    const std::int64_t count = arguments[0];
    const http::address page("http://127.0.0.1:" + std::to_string(arguments[3]) + "/");
    std::vector<double> rounds;
    std::vector<double> took(std::size_t(count * arguments[2]));
    std::atomic<std::int64_t> right{0};
    const double cpu = bench::cpu_seconds();
    for (std::int64_t round = 0; round < arguments[2]; ++round) {
      std::atomic<std::int64_t> next{0};
      const auto start = bench::clock::now();
      weft::scope all;
      for (std::int64_t i = 0; i < arguments[1]; ++i)
        all.spawn([&] {
          http::client client(page.server, page.host);
          for (std::int64_t n; (n = next++) < count;) {
            const auto begin = bench::clock::now();
            const auto got = client.get(page.target, begin + std::chrono::seconds(20));
            if (got.status == 200 && got.body == "Hello, World!\n") ++right;
            took[std::size_t(round * count + n)] = bench::ns_since(begin) / 1e6;
          }
        });
      all.join();
      rounds.push_back(bench::ns_since(start) / 1e6);
    }
    bench::metric("time", bench::median(rounds), "ms");
    bench::metric("cpu", (bench::cpu_seconds() - cpu) * 1e6 / double(took.size()), "us/req");
    bench::metric("p50", bench::percentile(took, 0.50), "ms");
    bench::metric("p99", bench::percentile(took, 0.99), "ms");
    bench::answer(right);
    return 0;
  });
}
