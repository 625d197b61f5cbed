// SPDX-License-Identifier: BSL-1.0
// mutex: TASKS fibers (one of them: the uncontended case), each locking one mutex OPS times.
#include <mutex>

#include <weft/mutex.hpp>

#include "common/weft.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"TASKS", "OPS"});
  std::int64_t counter = 0;
  const int status = bench::run_weft(size.workers, [&] {
    weft::mutex mutex;
    const auto start = bench::clock::now();
    std::vector<weft::fiber<void>> fibers;
    for (std::int64_t task = 0; task < size[0]; ++task) {
      fibers.push_back(weft::spawn([&] {
        for (std::int64_t i = 0; i < size[1]; ++i) {
          const std::lock_guard lock(mutex);
          ++counter;
        }
      }));
    }
    for (auto& fiber : fibers) fiber.join();
    bench::metric("lock", bench::ns_since(start) / double(size[0] * size[1]), "ns");
    return 0;
  });
  bench::answer(counter);
  return status;
}
