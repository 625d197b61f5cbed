// SPDX-License-Identifier: BSL-1.0
// offload: the round trip of one small call through weft::offload, one after the other.
#include <weft/offload.hpp>

#include "common/weft.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"CALLS"});
  std::int64_t sum = 0;
  const int status = bench::run_weft(size.workers, [&] {
    const auto start = bench::clock::now();
    for (std::int64_t i = 0; i < size[0]; ++i) sum += weft::offload([i] { return i + 1; });
    bench::metric("round_trip", bench::ns_since(start) / double(size[0]), "ns");
    return 0;
  });
  bench::answer(sum);
  return status;
}
