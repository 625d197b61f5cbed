// SPDX-License-Identifier: BSL-1.0
// skynet: a tree of fibers with fan-out 10; every leaf is its number, every node the sum of its
// children. Launched by dispatch from a pool of stacks, as Boost's own skynet example does.  The
// pool belongs to one thread, so this subject has one worker only; ended fibers keep their stacks
// until the dispatcher's turn, hence the fewer leaves.
#include <array>
#include <numeric>

#include "common/boost.hpp"

namespace {

constexpr std::int64_t fanout = 10;

boost::fibers::pooled_fixedsize_stack stacks(32 * 1024);

std::int64_t skynet(std::int64_t first, std::int64_t leaves) {
  if (leaves == 1) return first;
  const std::int64_t each = leaves / fanout;
  std::array<std::int64_t, fanout> parts{};
  std::array<boost::fibers::fiber, fanout> children;
  for (std::int64_t i = 0; i < fanout; ++i) {
    children[std::size_t(i)] =
        boost::fibers::fiber(boost::fibers::launch::dispatch, std::allocator_arg, stacks,
                             [&, i] { parts[std::size_t(i)] = skynet(first + i * each, each); });
  }
  for (auto& child : children) child.join();
  return std::accumulate(parts.begin(), parts.end(), std::int64_t{0});
}

}  // namespace

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"LEAVES"});
  std::int64_t sum = 0;
  bench::run_boost(size.workers, [&] {
    skynet(0, size[0] / fanout);  // warm-up
    const auto start = bench::clock::now();
    sum = skynet(0, size[0]);
    const double ns = bench::ns_since(start);
    bench::metric("total", ns * 1e-6, "ms");
    bench::metric("leaf", ns / double(size[0]), "ns");
  });
  bench::answer(sum);
}
