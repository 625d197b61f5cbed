// SPDX-License-Identifier: BSL-1.0
// fib: one fiber per call, the sibling computed in place.
#include <utility>

#include "common/boost.hpp"

namespace {

std::int64_t fib(std::int64_t n) {
  if (n < 2) return n;
  std::int64_t a = 0;
  boost::fibers::fiber child([&] { a = fib(n - 1); });
  const std::int64_t b = fib(n - 2);
  child.join();
  return a + b;
}

std::int64_t spawns(std::int64_t n) {  // fib(n + 1) - 1
  std::int64_t a = 0;
  std::int64_t b = 1;
  for (; n > 0; --n) {
    a += b;
    std::swap(a, b);
  }
  return b - 1;
}

}  // namespace

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"N"});
  std::int64_t answer = 0;
  bench::run_boost(size.workers, [&] {
    fib(size[0] - 4);  // warm-up
    const auto start = bench::clock::now();
    answer = fib(size[0]);
    const double ns = bench::ns_since(start);
    bench::metric("spawn", ns / double(spawns(size[0])), "ns");
    bench::metric("total", ns * 1e-6, "ms");
  });
  bench::answer(answer);
}
