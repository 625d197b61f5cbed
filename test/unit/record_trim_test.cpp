// SPDX-License-Identifier: BSL-1.0
// The memory of records that a burst leaves idle goes back, and no ticket or event of before fits
// the records that come again there (fiber/record_trim.hpp, TRIM-2).
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "fiber/record.hpp"
#include "fiber/stack_trim.hpp"
#include "net/poll_descriptor.hpp"
#include "os/os.hpp"
#include "sched/park.hpp"
#include "support/runtimes.hpp"
#include "support/storm.hpp"

using namespace weft::test;
using namespace weft::detail;

namespace {

constexpr std::size_t many = 20'000;

// What a service thread does, period after period, until nothing is left to do.
void trim_until_done() {
  while (trim_stacks(weft::os::now_ns()) != std::numeric_limits<std::int64_t>::max()) continue;
}
void trim_all() {
  const trim_period none(0);
  trim_claim.want();
  REQUIRE(trim_claim.claim());
  trim_until_done();
}

// How many of the pages below these addresses have memory.
template <class T>
std::size_t resident(const std::vector<T*>& all) {
  std::set<std::uintptr_t> pages;
  const std::uintptr_t size = weft::os::page_size();
  for (const T* at : all) pages.insert(reinterpret_cast<std::uintptr_t>(at) / size * size);
  std::size_t n = 0;
  for (const std::uintptr_t page : pages) {
    unsigned char there = 0;
    REQUIRE(!weft::os::resident_pages({reinterpret_cast<std::byte*>(page), size}, &there));
    n += there & 1;
  }
  return n;
}

// Units of 16 fiber records and of 64 descriptors are whole pages of 4 KiB; with the fields that a
// sanitizer needs, or with larger pages, they are not, and nothing is dropped.
bool units_fill_pages(std::size_t bytes) {
  const bool whole = bytes % weft::os::page_size() == 0;
  if (!whole) MESSAGE("not tried: " << bytes << " bytes are no whole pages in this build");
  return whole;
}

}  // namespace

TEST_CASE("fiber records: their pages go, epochs go on, stale tickets match nothing") {
  if (!units_fill_pages(16 * sizeof(fiber_record))) return;
  std::vector<fiber_record*> all;
  std::vector<ticket> tickets;
  for (std::size_t i = 0; i < many; ++i) {
    fiber_record& r = take_record();
    all.push_back(&r);
    r.word.set(fiber_state::running);
    for (std::size_t parks = 0; parks <= i % 5; ++parks) {
      tickets.push_back(r.make_ticket(r.word.begin_park(stoppable::no)));
      REQUIRE(r.word.cancel_park());
    }
    r.word.set(fiber_state::unused);
  }
  const std::size_t before = resident(all);
  std::vector<epoch_t> epochs;
  for (fiber_record* r : all) epochs.push_back(r->word.epoch());
  for (fiber_record* r : all) give_record(*r);
  trim_all();
  CHECK(resident(all) < before / 10);
  for (const ticket t : tickets) REQUIRE_FALSE(wake(t));

  std::set<fiber_record*> again;
  std::size_t same = 0;
  for (std::size_t i = 0; i < many; ++i) again.insert(&take_record());
  CHECK(again.size() == many);
  for (std::size_t i = 0; i < many; ++i) {
    fiber_record& r = *all[i];
    if (again.count(&r) == 0) continue;
    ++same;
    REQUIRE(r.word.epoch() == epochs[i]);
    REQUIRE(r.word.state() == fiber_state::unused);
    REQUIRE(&record_at(r.index) == &r);
    REQUIRE(r.in_children.owner == &r);
    REQUIRE(r.extras.load() == nullptr);
  }
  CHECK(same > many / 10 * 9);
  for (const ticket t : tickets) REQUIRE_FALSE(wake(t));
  for (fiber_record* r : again) give_record(*r);
}

TEST_CASE("fiber records: one in use keeps its page, and the others go") {
  if (!units_fill_pages(16 * sizeof(fiber_record))) return;
  std::vector<fiber_record*> all, kept;
  for (std::size_t i = 0; i < many; ++i) all.push_back(&take_record());
  const std::size_t before = resident(all);
  for (std::size_t i = 0; i < many; ++i) {
    if (i % 200 == 0) {
      kept.push_back(all[i]);
      all[i]->id = i + 1;
    } else {
      give_record(*all[i]);
    }
  }
  trim_all();
  CHECK(resident(all) >= kept.size());
  CHECK(resident(all) < before / 2);
  for (std::size_t i = 0; i < kept.size(); ++i) REQUIRE(kept[i]->id == i * 200 + 1);
  for (fiber_record* r : kept) give_record(*r);
  trim_all();
  CHECK(resident(all) < before / 10);
}

TEST_CASE("descriptors' records: their pages go, generations go on") {
  if (!units_fill_pages(64 * sizeof(poll_descriptor))) return;
  std::vector<poll_descriptor*> all;
  std::vector<std::uint64_t> tags;
  std::vector<poll_word::edge_count> edges;
  for (std::size_t i = 0; i < many; ++i) {
    all.push_back(&make_descriptor(0, descriptor_kind::borrowed));
    tags.push_back(all[i]->tag());
    edges.push_back(all[i]->word.edges());
  }
  const std::size_t before = resident(all);
  for (poll_descriptor* d : all) abandon(*d);
  trim_all();
  CHECK(resident(all) < before / 10);
  for (std::size_t i = 0; i < many; ++i) REQUIRE(all[i]->tag() != tags[i]);
  std::set<poll_descriptor*> again;
  for (std::size_t i = 0; i < many; ++i)
    again.insert(&make_descriptor(0, descriptor_kind::borrowed));
  CHECK(again.size() == many);
  for (std::size_t i = 0; i < many; ++i) {
    poll_descriptor& d = *all[i];
    REQUIRE(again.count(&d) == 1);
    REQUIRE(descriptor_at(d.index) == &d);
    REQUIRE(d.generation.load() == (tags[i] >> 32) + 1);
    REQUIRE(d.word.edges() > edges[i]);
    REQUIRE(d.duplicate.load() == -1);
  }
  for (poll_descriptor* d : again) abandon(*d);
}

namespace {

struct fiber_records {
  using record = fiber_record;
  static constexpr std::size_t unit = 16;
  static record& take() { return take_record(); }
  static void give(record& r) { give_record(r); }
};
struct descriptors {
  using record = poll_descriptor;
  static constexpr std::size_t unit = 64;
  static record& take() { return make_descriptor(0, descriptor_kind::borrowed); }
  static void give(record& d) { abandon(d); }
};

template <class Kind>
std::vector<typename Kind::record*> take_many() {
  std::vector<typename Kind::record*> all;
  for (std::size_t i = 0; i < many; ++i) all.push_back(&Kind::take());
  return all;
}

}  // namespace

TEST_CASE_TEMPLATE("a burst that ends within a period goes in the next one", Kind, fiber_records,
                   descriptors) {
  if (!units_fill_pages(Kind::unit * sizeof(typename Kind::record))) return;
  trim_all();
  const auto all = take_many<Kind>();
  const std::size_t before = resident(all);
  constexpr std::size_t early = 1000;  // idle in all of the period, so dropped at its end
  for (std::size_t i = 0; i < early; ++i) Kind::give(*all[i]);
  const trim_period none(0);
  trim_claim.want();
  REQUIRE(trim_claim.claim());
  REQUIRE(trim_stacks(weft::os::now_ns()) != std::numeric_limits<std::int64_t>::max());
  for (std::size_t i = early; i < many; ++i) Kind::give(*all[i]);
  trim_until_done();
  CHECK(resident(all) < before / 10);
}

TEST_CASE_TEMPLATE("a burst after one whose records could not go is wanted anew", Kind,
                   fiber_records, descriptors) {
  if (!units_fill_pages(Kind::unit * sizeof(typename Kind::record))) return;
  trim_all();
  auto all = take_many<Kind>();
  const std::size_t before = resident(all);
  std::sort(all.begin(), all.end());
  std::vector<typename Kind::record*> kept;  // one of each unit
  for (std::size_t i = 0; i < many; ++i)
    if (i % Kind::unit == 0)
      kept.push_back(all[i]);
    else
      Kind::give(*all[i]);
  trim_all();
  CHECK(resident(all) > before / 2);

  all = kept;
  while (all.size() < many) all.push_back(&Kind::take());
  std::sort(all.begin(), all.end());
  const auto middle = all.begin() + many * 3 / 4;  // fewer than were idle before
  std::for_each(all.begin(), middle, [](auto* r) { Kind::give(*r); });
  const trim_period none(0);
  REQUIRE(trim_claim.claim());  // nobody has to say so
  trim_until_done();
  CHECK(resident(all) < before / 2);
  std::for_each(middle, all.end(), [](auto* r) { Kind::give(*r); });
}

TEST_CASE("bursts of fibers come and go while others run") {
  const trim_period short_one(1'000'000);
  with_runtime(workers(2), [](weft::runtime& rt) {
    std::atomic<bool> over{false};
    auto ticks = rt.spawn([&] {
      while (!over.load(std::memory_order_relaxed)) {
        weft::scope s;
        for (int i = 0; i < 10; ++i)
          s.spawn([] { weft::this_fiber::sleep_for(std::chrono::milliseconds(1)); });
        s.join();
      }
    });
    for (int round = 0; round < 20; ++round) {
      std::vector<weft::fiber<std::size_t>> all;
      for (std::size_t i = 0; i < scaled(2000); ++i)
        all.push_back(rt.spawn([i] {
          weft::this_fiber::yield();
          return i;
        }));
      for (std::size_t i = 0; i < all.size(); ++i) REQUIRE(all[i].join() == i);
      // So that pages are dropped between two rounds, or while the next takes them: both are right.
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    over.store(true, std::memory_order_relaxed);
    ticks.join();
  });
}
