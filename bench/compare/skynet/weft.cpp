// SPDX-License-Identifier: BSL-1.0
// skynet: a tree of scopes with fan-out 10; every leaf is its number, every node the sum of its
// children.
#include <array>
#include <numeric>

#include "common/weft.hpp"

namespace {

constexpr std::int64_t fanout = 10;

std::int64_t skynet(std::int64_t first, std::int64_t leaves) {
  if (leaves == 1) return first;
  const std::int64_t each = leaves / fanout;
  std::array<std::int64_t, fanout> parts{};
  weft::scope children;
  for (std::int64_t i = 0; i < fanout; ++i) {
    children.spawn([&, i] { parts[std::size_t(i)] = skynet(first + i * each, each); });
  }
  children.join();
  return std::accumulate(parts.begin(), parts.end(), std::int64_t{0});
}

}  // namespace

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"LEAVES"});
  std::int64_t sum = 0;
  const int status = bench::run_weft(size.workers, [&] {
    skynet(0, size[0] / fanout);  // warm-up
    const auto start = bench::clock::now();
    sum = skynet(0, size[0]);
    const double ns = bench::ns_since(start);
    bench::metric("total", ns * 1e-6, "ms");
    bench::metric("leaf", ns / double(size[0]), "ns");
    return 0;
  });
  bench::answer(sum);
  return status;
}
