// SPDX-License-Identifier: BSL-1.0
// pipeline: ITEMS through ten stages, a fiber each, and channels of CAPACITY between them.
#include <memory>

#include <weft/channel.hpp>

#include "common/weft.hpp"
#include "pipeline/stages.hpp"

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"ITEMS", "CAPACITY"});
  bench::ordered_hash hash;
  const int status = bench::run_weft(size.workers, [&] {
    using channel = weft::channel<std::int64_t>;
    std::vector<std::unique_ptr<channel>> channels;
    for (std::int64_t i = 0; i <= bench::stages; ++i) {
      channels.push_back(std::make_unique<channel>(std::size_t(size[1])));
    }
    const auto start = bench::clock::now();
    std::vector<weft::fiber<void>> tasks;
    for (std::int64_t stage = 0; stage < bench::stages; ++stage) {
      channel& in = *channels[std::size_t(stage)];
      channel& out = *channels[std::size_t(stage) + 1];
      tasks.push_back(weft::spawn([&in, &out, stage] {
        while (const auto item = in.receive()) {
          if (!out.send(bench::through(stage, *item))) return;
        }
        out.close();
      }));
    }
    tasks.push_back(weft::spawn([&] {
      for (std::int64_t i = 0; i < size[0]; ++i) {
        if (!channels.front()->send(std::int64_t{i})) return;
      }
      channels.front()->close();
    }));
    while (const auto item = channels.back()->receive()) hash.add(*item);
    for (auto& task : tasks) task.join();
    bench::metric("item", bench::ns_since(start) / double(size[0]), "ns");
    return 0;
  });
  bench::answer(hash.value());
  return status;
}
