// SPDX-License-Identifier: BSL-1.0
// requests - so many GETs of one page, so many of them in flight: what a service that asks others
// does, and a small load generator.
//
// Each of the fibers in flight keeps a connection, and takes the next request until none is left.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <mutex>
#include <string>
#include <vector>

#include "http_client.hpp"

int main(int argc, char** argv) {
  std::string url;
  int count = 1000, in_flight = 100, timeout_ms = 10'000;
  CLI::App app{"Gets one page many times, many at once."};
  app.add_option("url", url, "such as http://127.0.0.1:8080/wait?ms=10")->required();
  const auto number = [&](const char* name, int& to, const char* what) {
    app.add_option(name, to, what)->check(CLI::PositiveNumber)->capture_default_str();
  };
  number("--count", count, "requests");
  number("--in-flight", in_flight, "of them at once");
  number("--timeout-ms", timeout_ms, "for each");
  CLI11_PARSE(app, argc, argv);

  using clock_type = std::chrono::steady_clock;
  using milliseconds = std::chrono::duration<double, std::milli>;
  try {
    const http::address page(url);
    return weft::run([&] {
      std::atomic<int> next{0}, right{0};
      std::vector<double> took(static_cast<std::size_t>(count));
      const auto start = clock_type::now();
      {
        weft::scope all;
        for (int i = 0; i < std::min(in_flight, count); ++i)
          all.spawn([&] {
            http::client client(page.server, page.host);
            for (int n; (n = next++) < count;) {
              const auto begin = clock_type::now();
              try {
                const auto end = begin + std::chrono::milliseconds(timeout_ms);
                if (client.get(page.target, end).status == 200) ++right;
              } catch (const std::exception& e) {
                fmt::print(stderr, "request {}: {}\n", n, e.what());
              }
              took[static_cast<std::size_t>(n)] = milliseconds(clock_type::now() - begin).count();
            }
          });
      }
      const double all_ms = milliseconds(clock_type::now() - start).count();
      std::sort(took.begin(), took.end());
      fmt::print("{} of {} answered, {} in flight: {:.0f} ms; p50 {:.2f} ms, p99 {:.2f} ms\n",
                 right.load(), count, in_flight, all_ms, took[took.size() / 2],
                 took[took.size() * 99 / 100]);
      return right == count ? 0 : 1;
    });
  } catch (const std::exception& e) {
    fmt::print(stderr, "requests: {}\n", e.what());
    return 1;
  }
}
