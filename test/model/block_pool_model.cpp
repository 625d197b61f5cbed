// SPDX-License-Identifier: BSL-1.0
// test/model/block_pool_model.cpp - trace/block_pool.hpp: a thread that records against the
// collector, with an event as a plain cell: one that is read while it is written, or a block in two
// hands, is a reported race.
#include "trace/block_pool.hpp"

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "model/holds.hpp"
#include "model/sync.hpp"

using namespace weft;
using namespace weft::detail::trace;
using model::execution;

namespace {

using model::holds;

class spin_lock {
 public:
  void lock() noexcept {
    for (int free = 0; !word_.compare_exchange_strong(free, 1, std::memory_order_acquire,
                                                      std::memory_order_relaxed);
         free = 0)
      model::sync::pause();
  }
  void unlock() noexcept { word_.store(0, std::memory_order_release); }

 private:
  model::sync::atomic<int> word_{0};
};

constexpr std::uint32_t room = 2;  // events a block holds

struct block : block_links<block, model::sync> {
  std::array<model::plain<int>, room> cells;
};
using pool = block_pool<block, spin_lock>;

struct scene {
  explicit scene(when_none policy, std::uint32_t n) : blocks(n) {
    for (auto& b : blocks) {
      b = std::make_unique<block>();
      all.add(*b);
    }
    all.begin(1, policy, n);
  }
  pool all;
  std::vector<std::unique_ptr<block>> blocks;
  int overwritten = 0;  // under the pool's lock
};

// The writer numbers its events from 1 on; what it could not store it counts.
struct writer {
  scene& s;
  block* current = nullptr;
  std::uint32_t used = 0;
  int dropped = 0;

  void record(int event) {
    if (current == nullptr || used == room) {
      current = s.all.exchange(current, [this](const block& b) noexcept {
        s.overwritten += static_cast<int>(b.used.load(std::memory_order_relaxed));
      });
      used = 0;
    }
    if (current == nullptr) {
      ++dropped;
      return;
    }
    current->cells[used] = event;
    publish(*current, ++used);
  }
};

// Whatever is read is a run of events, in order.
void check_run(const block& b, std::uint32_t used, std::vector<int>& seen) {
  int before = 0;
  for (std::uint32_t i = 0; i < used; ++i) {
    const int e = b.cells[i];
    model::check(e > before && (before == 0 || e == before + 1),
                 "events of a block follow each other");
    before = e;
    seen.push_back(e);
  }
}

// A file: the collector takes what is full and looks at what is being written.
model::program into_a_file(int events, std::uint32_t blocks) {
  return [=](execution& x) {
    auto s = std::make_shared<scene>(when_none::refuse, blocks);
    auto dropped = std::make_shared<int>(0);
    x.thread("writer", [=] {
      writer w{*s};
      for (int e = 1; e <= events; ++e) w.record(e);
      if (w.current != nullptr) s->all.release(*w.current);
      *dropped = w.dropped;
    });
    auto taken = std::make_shared<std::vector<int>>();
    x.thread("collector", [=] {
      std::vector<int> peeked;
      s->all.peek([&](const block& b, std::uint32_t used) { check_run(b, used, peeked); }, [] {});
      if (block* b = s->all.take()) {
        check_run(*b, b->used.load(std::memory_order_relaxed), *taken);
        s->all.give_back(*b, block_owner::free);
      }
    });
    x.finally([=] {
      while (block* b = s->all.take())
        check_run(*b, b->used.load(std::memory_order_relaxed), *taken);
      model::check(static_cast<int>(taken->size()) + *dropped == events,
                   "each event is in the file once, or counted as dropped");
      for (std::size_t i = 1; i < taken->size(); ++i)
        model::check((*taken)[i] > (*taken)[i - 1], "blocks come in their order");
    });
  };
}

// A flight recorder: the writer overwrites, a snapshot saves what it has written.
model::program in_flight(int events, std::uint32_t blocks) {
  return [=](execution& x) {
    auto s = std::make_shared<scene>(when_none::overwrite, blocks);
    auto dropped = std::make_shared<int>(0);
    x.thread("writer", [=] {
      writer w{*s};
      for (int e = 1; e <= events; ++e) w.record(e);
      if (w.current != nullptr) s->all.release(*w.current);
      *dropped = w.dropped;
    });
    x.thread("snapshot", [=] {
      std::vector<int> seen;
      if (block* b = s->all.take()) {
        check_run(*b, b->used.load(std::memory_order_relaxed), seen);
        s->all.give_back(*b, block_owner::saved);
      }
      s->all.forget_peeks();
      s->all.peek([&](const block& b, std::uint32_t used) { check_run(b, used, seen); }, [] {});
      s->all.keep_saved();
      for (std::size_t i = 1; i < seen.size(); ++i)
        model::check(seen[i] > seen[i - 1], "a snapshot is in order");
    });
    x.finally([=] {
      std::vector<int> left;
      while (block* b = s->all.take()) check_run(*b, b->used.load(std::memory_order_relaxed), left);
      model::check(!left.empty() && left.back() + *dropped >= events, "the last events are there");
      for (std::size_t i = 1; i < left.size(); ++i)
        model::check(left[i] == left[i - 1] + 1, "without a gap");
    });
  };
}

}  // namespace

TEST_CASE("TRACE-2: what is published can be looked at while the writer goes on") {
  holds(into_a_file(2, 2));
  holds(into_a_file(3, 2));
}

TEST_CASE("TRACE-3: a block is in one place; every event is written once, or counted") {
  holds(into_a_file(3, 1));
  holds(in_flight(3, 1));
  holds(in_flight(3, 2));
  holds(in_flight(4, 2), {.preemptions = 3});
}

TEST_CASE("TRACE: which orderings are needed") {
  const auto all = model::mutate({}, {into_a_file(2, 2)}, "/block_pool.hpp");
  CHECK_MESSAGE(model::survivors(all).empty(), model::list(all));
}
