// SPDX-License-Identifier: BSL-1.0
// pipeline: ITEMS through ten stages, a fiber each, and channels of CAPACITY between them.
// Boost's channel is a ring that keeps one slot free: it holds CAPACITY - 1.
#include <memory>

#include "common/boost.hpp"
#include "pipeline/stages.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"ITEMS", "CAPACITY"});
  bench::ordered_hash hash;
  bench::run_boost(size.workers, [&] {
    using channel = boost::fibers::buffered_channel<std::int64_t>;
    std::vector<std::unique_ptr<channel>> channels;
    for (std::int64_t i = 0; i <= bench::stages; ++i) {
      channels.push_back(std::make_unique<channel>(std::size_t(size[1])));
    }
    const auto start = bench::clock::now();
    std::vector<boost::fibers::fiber> tasks;
    for (std::int64_t stage = 0; stage < bench::stages; ++stage) {
      channel& in = *channels[std::size_t(stage)];
      channel& out = *channels[std::size_t(stage) + 1];
      tasks.emplace_back([&in, &out, stage] {
        std::int64_t item = 0;
        while (in.pop(item) == boost::fibers::channel_op_status::success) {
          out.push(bench::through(stage, item));
        }
        out.close();
      });
    }
    tasks.emplace_back([&] {
      for (std::int64_t i = 0; i < size[0]; ++i) channels.front()->push(i);
      channels.front()->close();
    });
    std::int64_t item = 0;
    while (channels.back()->pop(item) == boost::fibers::channel_op_status::success) hash.add(item);
    for (auto& task : tasks) task.join();
    bench::metric("item", bench::ns_since(start) / double(size[0]), "ns");
  });
  bench::answer(hash.value());
}
