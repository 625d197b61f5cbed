// SPDX-License-Identifier: BSL-1.0
// matmul: a fiber per half of the longer side of the product, down to LEAF x LEAF tiles.
#include "common/boost.hpp"
#include "common/matrix.hpp"

namespace {

void multiply(bench::product& product, const bench::tile& part, std::size_t leaf) {
  if (part.is_leaf(leaf)) return product.compute(part);
  const auto [first, second] = part.halves();
  boost::fibers::fiber child([&, first = first] { multiply(product, first, leaf); });
  multiply(product, second, leaf);
  child.join();
}

}  // namespace

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"N", "LEAF"});
  bench::product product{std::size_t(size[0])};
  const auto round = [&] { multiply(product, product.whole(), std::size_t(size[1])); };
  bench::run_boost(size.workers, [&] {
    round();  // warm-up
    const auto start = bench::clock::now();
    round();
    bench::metric("total", bench::ns_since(start) * 1e-6, "ms");
  });
  bench::answer(product.weighted_sum());
}
