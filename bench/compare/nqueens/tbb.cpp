// SPDX-License-Identifier: BSL-1.0
// nqueens: all ways to put N queens on a board, a task of a task_group per queen that can stand.
#include <array>

#include "common/tbb.hpp"
#include "nqueens/queens.hpp"

namespace {

std::int64_t place(bench::board board, std::uint32_t all) {
  if (board.columns == all) return 1;
  tbb::task_group children;
  std::array<std::int64_t, 32> found{};
  std::size_t count = 0;
  for (std::uint32_t free = board.free(all); free != 0; free &= free - 1) {
    const bench::board next = board.with(free & -free);
    std::int64_t& result = found[count];
    children.run([&result, next, all] { result = place(next, all); });
    ++count;
  }
  children.wait();
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += found[i];
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"N", "TASKS"});
  const auto all = std::uint32_t((1u << size[0]) - 1);
  std::int64_t answer = 0;
  bench::run_tbb(size.workers, [&] {
    const auto start = bench::clock::now();
    answer = place({}, all);
    const double ns = bench::ns_since(start);
    bench::metric("task", ns / double(size[1]), "ns");
    bench::metric("total", ns * 1e-6, "ms");
  });
  bench::answer(answer);
}
