// SPDX-License-Identifier: BSL-1.0
// matmul: a fiber per half of the longer side of the product, down to LEAF x LEAF tiles.
#include "common/weft.hpp"
#include "common/matrix.hpp"

namespace {

void multiply(bench::product& product, const bench::tile& part, std::size_t leaf) {
  if (part.is_leaf(leaf)) return product.compute(part);
  const auto [first, second] = part.halves();
  weft::fiber<void> child = weft::spawn([&, first = first] { multiply(product, first, leaf); });
  multiply(product, second, leaf);
  child.join();
}

}  // namespace

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"N", "LEAF"});
  bench::product product{std::size_t(size[0])};
  const auto round = [&] { multiply(product, product.whole(), std::size_t(size[1])); };
  const int status = bench::run_weft(size.workers, [&] {
    round();  // warm-up
    const auto start = bench::clock::now();
    round();
    bench::metric("total", bench::ns_since(start) * 1e-6, "ms");
    return 0;
  });
  bench::answer(product.weighted_sum());
  return status;
}
