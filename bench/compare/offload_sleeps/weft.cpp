// SPDX-License-Identifier: BSL-1.0
// offload_sleeps: TASKS fibers, each with CALLS sleeps of the kernel through weft::offload, one
// after the other.
#include <unistd.h>

#include <weft/offload.hpp>

#include "common/weft.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"TASKS", "CALLS", "MS"});
  std::int64_t calls = 0;
  const int status = bench::run_weft(size.workers, [&] {
    const auto start = bench::clock::now();
    std::vector<weft::fiber<std::int64_t>> fibers;
    for (std::int64_t i = 0; i < size[0]; ++i) {
      fibers.push_back(weft::spawn([&] {
        std::int64_t done = 0;
        for (std::int64_t call = 0; call < size[1]; ++call)
          done += weft::offload([&] { return usleep(useconds_t(size[2] * 1000)) == 0; });
        return done;
      }));
    }
    for (auto& fiber : fibers) calls += fiber.join();
    bench::metric("wall", bench::ns_since(start) * 1e-6, "ms");
    return 0;
  });
  bench::answer(calls);
  return status;
}
