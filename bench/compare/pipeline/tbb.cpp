// SPDX-License-Identifier: BSL-1.0
// pipeline: ITEMS through ten serial filters in order; CAPACITY items per filter may be under way.
#include <tbb/parallel_pipeline.h>

#include "common/tbb.hpp"
#include "pipeline/stages.hpp"

namespace {

using item_filter = tbb::filter<std::int64_t, std::int64_t>;

item_filter stage_filter(std::int64_t stage) {
  return {tbb::filter_mode::serial_in_order,
          [stage](std::int64_t item) { return bench::through(stage, item); }};
}

}  // namespace

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"ITEMS", "CAPACITY"});
  bench::ordered_hash hash;
  bench::run_tbb(size.workers, [&] {
    const auto start = bench::clock::now();
    std::int64_t next = 0;
    tbb::filter<void, std::int64_t> source(tbb::filter_mode::serial_in_order,
                                           [&](tbb::flow_control& control) {
                                             if (next == size[0]) control.stop();
                                             return next++;
                                           });
    const tbb::filter<std::int64_t, void> sink(tbb::filter_mode::serial_in_order,
                                               [&](std::int64_t item) { hash.add(item); });
    item_filter middle = stage_filter(0);
    for (std::int64_t stage = 1; stage < bench::stages; ++stage) {
      middle = middle & stage_filter(stage);
    }
    tbb::parallel_pipeline(std::size_t(size[1] * bench::stages), source & middle & sink);
    bench::metric("item", bench::ns_since(start) / double(size[0]), "ns");
  });
  bench::answer(hash.value());
}
