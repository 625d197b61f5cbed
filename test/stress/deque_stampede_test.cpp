// SPDX-License-Identifier: BSL-1.0
// stampede: one owner at both ends, thieves at the top; every entry is handed out exactly once
// (DEQ-1), with all that was written before its push (DEQ-2).
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "sched/deque.hpp"
#include "support/runtimes.hpp"
#include "support/seed.hpp"

using weft::detail::steal_status;
using weft::test::choices;
using weft::test::scaled;

namespace {

struct entry {
  std::uint64_t plain = 0;  // written before the push, read by whoever is handed the entry
  std::atomic<int> handed{0};
};

void stampede(std::size_t thieves, std::size_t count, std::uint64_t stream) {
  using queue = weft::detail::deque<entry*>;
  queue q(2);
  std::vector<entry> entries(count);
  std::atomic<bool> end{false};
  std::atomic<std::size_t> got{0};
  std::atomic<std::size_t> unseen{0};
  const auto take = [&](entry* e) {
    const auto index = static_cast<std::size_t>(e - entries.data());
    if (e->plain != index + 1) unseen.fetch_add(1, std::memory_order_relaxed);
    e->handed.fetch_add(1, std::memory_order_relaxed);
    got.fetch_add(1, std::memory_order_relaxed);
  };
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < thieves; ++t)
    threads.emplace_back([&, t] {
      choices pick(stream + 100 + t);
      while (!end.load(std::memory_order_relaxed)) {
        queue::steal_session steal_session(q);
        for (auto n = pick.below(8); n > 0; --n) {
          const auto [status, e] = steal_session.steal();
          if (status == steal_status::stolen)
            take(e);
          else if (status == steal_status::empty)
            std::this_thread::yield();
        }
      }
    });
  choices pick(stream);
  std::size_t pushed = 0;
  while (pushed < count) {
    for (auto burst = pick.below(20); burst > 0 && pushed < count; --burst) {
      entries[pushed].plain = pushed + 1;
      q.push(&entries[pushed++]);
    }
    for (auto n = pick.below(8); n > 0; --n)
      if (entry* e = q.pop()) take(e);
    for (auto n = pick.below(8); n > 0; --n)
      if (entry* e = q.take()) take(e);
    if (pick.below(50) == 0) q.unclaim();
    if (pushed != 0 && q.pop(&entries[pushed - 1])) take(&entries[pushed - 1]);
  }
  weft::test::until([&] {
    while (entry* e = q.take()) take(e);
    return got == count;
  });
  end = true;
  for (auto& t : threads) t.join();
  CHECK(unseen == 0);
  std::size_t wrong = 0;
  for (const entry& e : entries) wrong += e.handed != 1;
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("stampede") {
  for (const std::size_t thieves : {1u, 3u, 7u})
    for (std::uint64_t stream = 0; stream < 4; ++stream)
      stampede(thieves, scaled(200'000), stream * 10 + thieves);
}
