// SPDX-License-Identifier: BSL-1.0
// docs/problems/hog.cpp - a service that answers late now and then. docs/finding-problems.md finds
// out why.
#include <weft/weft.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace {

using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;

[[gnu::noinline]] std::uint64_t checksum(const std::vector<std::uint64_t>& rows) {
  std::uint64_t sum = 1;
  for (int round = 0; round < 300; ++round)
    for (const std::uint64_t row : rows) sum = sum * 6364136223846793005U + row;
  return sum;
}

[[gnu::noinline]] std::uint64_t make_statistics() {
  const std::vector<std::uint64_t> rows(1'000'000, 17);
  return checksum(rows);
}

// Answers every millisecond; returns how late each answer was.
std::vector<double> answer(clock_type::time_point until) {
  std::vector<double> late;
  while (clock_type::now() < until) {
    const auto due = clock_type::now() + 1ms;
    weft::this_fiber::sleep_until(due);
    late.push_back(std::chrono::duration<double, std::milli>(clock_type::now() - due).count());
  }
  return late;
}

}  // namespace

int main() {
  weft::options one;
  one.workers = 1;
  return weft::run(one, [] {
    weft::attributes a;
    a.name = "answers";
    auto answers = weft::spawn(a, answer, clock_type::now() + 1s);
    weft::this_fiber::sleep_for(300ms);
    a.name = "statistics";
    auto statistics = weft::spawn(a, make_statistics);
    auto late = answers.join();
    std::sort(late.begin(), late.end());
    std::printf(
        "%zu answers, late by %.2f ms (median), %.2f ms (99 %%), %.2f ms (worst); checksum %llx\n",
        late.size(), late[late.size() / 2], late[late.size() * 99 / 100], late.back(),
        static_cast<unsigned long long>(statistics.join()));
    return 0;
  });
}
