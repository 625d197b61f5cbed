// SPDX-License-Identifier: BSL-1.0
// pipeline: ITEMS through ten stages, a thread each, and channels of CAPACITY between them.
#include <memory>

#include "common/thread.hpp"
#include "common/thread_channel.hpp"
#include "pipeline/stages.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"ITEMS", "CAPACITY"});
  bench::ordered_hash hash;
  bench::begin_threads(size);
  {
    using channel = bench::thread_channel;
    std::vector<std::unique_ptr<channel>> channels;
    for (std::int64_t i = 0; i <= bench::stages; ++i) {
      channels.push_back(std::make_unique<channel>(std::size_t(size[1])));
    }
    const auto start = bench::clock::now();
    std::vector<std::thread> tasks;
    for (std::int64_t stage = 0; stage < bench::stages; ++stage) {
      channel& in = *channels[std::size_t(stage)];
      channel& out = *channels[std::size_t(stage) + 1];
      tasks.emplace_back([&in, &out, stage] {
        while (const auto item = in.receive()) out.send(bench::through(stage, *item));
        out.close();
      });
    }
    tasks.emplace_back([&] {
      for (std::int64_t i = 0; i < size[0]; ++i) channels.front()->send(i);
      channels.front()->close();
    });
    while (const auto item = channels.back()->receive()) hash.add(*item);
    for (auto& task : tasks) task.join();
    bench::metric("item", bench::ns_since(start) / double(size[0]), "ns");
  }
  bench::answer(hash.value());
}
