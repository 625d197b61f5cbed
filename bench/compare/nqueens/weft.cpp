// SPDX-License-Identifier: BSL-1.0
// nqueens: all ways to put N queens on a board, a fiber per queen that can stand.
#include <array>

#include "common/weft.hpp"
#include "nqueens/queens.hpp"

namespace {

std::int64_t place(bench::board board, std::uint32_t all) {
  if (board.columns == all) return 1;
  std::array<weft::fiber<std::int64_t>, 32> children;
  std::size_t count = 0;
  for (std::uint32_t free = board.free(all); free != 0; free &= free - 1) {
    const bench::board next = board.with(free & -free);
    children[count] = weft::spawn([next, all] { return place(next, all); });
    ++count;
  }
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += children[i].join();
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"N", "TASKS"});
  const auto all = std::uint32_t((1u << size[0]) - 1);
  std::int64_t answer = 0;
  const int status = bench::run_weft(size.workers, [&] {
    const auto start = bench::clock::now();
    answer = place({}, all);
    const double ns = bench::ns_since(start);
    bench::metric("task", ns / double(size[1]), "ns");
    bench::metric("total", ns * 1e-6, "ms");
    return 0;
  });
  bench::answer(answer);
  return status;
}
