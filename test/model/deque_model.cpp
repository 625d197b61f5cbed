// SPDX-License-Identifier: BSL-1.0
// test/model/deque_model.cpp - sched/deque.hpp: the owner at both ends against thieves.
// An entry is a pointer to plain data: written before its push, and written again by whoever is
// handed it, so a second hand-out or a missing happens-before is a reported race even before the
// count at the end finds it.
#include "sched/deque.hpp"

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/holds.hpp"
#include "model/sync.hpp"

using namespace weft;
using model::execution;

namespace {

using model::at_most;
using model::holds;

struct item {
  model::plain<int> uses{0};
};

template <class Sync, std::uint32_t pops_per_announcement>
struct bag {
  explicit bag(std::size_t capacity) : queue(capacity) {}
  using queue_type = detail::deque<item*, Sync, pops_per_announcement>;
  queue_type queue;
  std::array<item, 8> items;
  std::size_t pushed = 0;

  void push() {
    item& i = items[pushed++];
    i.uses = 1;
    queue.push(&i);
  }
  static void use(item* i) {
    if (i == nullptr) return;
    model::check(i->uses == 1, "DEQ-1: handed out for the first time");
    i->uses = 2;
  }
};

// The owner's steps: u push, o pop, j pop of what it pushed last, t take, c unclaim. One thief per
// number in `steals`, trying so often in one steal session. `beforehand`: the steal session was
// announced long ago, so that every pop has its fence.
enum class announced { beforehand, meanwhile };

template <class Sync = model::sync, std::uint32_t pops_per_announcement = 1,
          announced when = announced::meanwhile>
model::program steal_sessions(std::size_t capacity, std::string_view before, std::string_view owner,
                              std::vector<int> steals) {
  using bag = ::bag<Sync, pops_per_announcement>;
  return [=](execution& x) {
    using steal_session = typename bag::queue_type::steal_session;
    struct state : bag {
      using bag::bag;
      std::optional<steal_session> begun;
    };
    auto b = std::make_shared<state>(capacity);
    const auto step = [](bag& in, char what) {
      if (what == 'u') in.push();
      if (what == 'o') bag::use(in.queue.pop());
      if (what == 'j' && in.queue.pop(&in.items[in.pushed - 1])) bag::use(&in.items[in.pushed - 1]);
      if (what == 't') bag::use(in.queue.take());
      if (what == 'c') in.queue.unclaim();
    };
    for (const char c : before) step(*b, c);
    if (when == announced::beforehand) b->begun.emplace(b->queue);
    x.thread("owner", [=] {
      for (const char c : owner) step(*b, c);
    });
    for (const int tries : steals)
      x.thread("thief", [=] {
        std::optional<steal_session> own;
        if (!b->begun) own.emplace(b->queue);
        for (int i = 0; i < tries; ++i) {
          const auto [status, entry] = (own ? *own : *b->begun).steal();
          model::check((entry != nullptr) == (status == detail::steal_status::stolen),
                       "status fits the entry");
          bag::use(entry);
        }
      });
    x.finally([=] {
      while (item* i = b->queue.take()) bag::use(i);
      for (std::size_t i = 0; i < b->pushed; ++i)
        model::check(b->items[i].uses == 2, "DEQ-1: not lost");
    });
  };
}

// Thieves that need no announcement.
model::program scenario(std::size_t capacity, std::string_view before, std::string_view owner,
                        std::vector<int> steals) {
  return steal_sessions<model::sync, 1000, announced::beforehand>(capacity, before, owner,
                                                                  std::move(steals));
}

}  // namespace

TEST_CASE("DEQ-1: the last entry goes to one of owner and thieves") {
  holds(scenario(2, "u", "o", {1, 1}));
  holds(scenario(2, "u", "t", {1, 1}));
  holds(scenario(2, "", "uo", {1, 1}));
  holds(scenario(2, "u", "ouo", {1, 1}));
  holds(scenario(2, "u", "oo", {2}));
  holds(scenario(2, "u", "j", {1, 1}));
  holds(scenario(2, "u", "jjuj", {2}));  // what a thief has taken still stands in its slot
}

TEST_CASE("DEQ-1: both ends at once") {
  holds(scenario(4, "uuu", "oo", {1, 1}));
  holds(scenario(4, "uuu", "to", {2}));
  holds(scenario(4, "uuuu", "tot", {1, 1}));
  holds(scenario(4, "uu", "ootu", {2}));
}

TEST_CASE("DEQ-2: an entry brings what was written before its push, through a growing ring too") {
  holds(scenario(2, "", "uu", {2}));
  holds(scenario(2, "uu", "u", {2}));
  holds(scenario(2, "u", "uuo", {1, 1}));
  holds(scenario(1, "", "uu", {1, 1}));
}

TEST_CASE("DEQ-3: a claimed slot is not written again before it is taken") {
  holds(scenario(4, "uuuut", "uut",
                 {1}));  // claims two, takes one: slot 1 is still needed when the ring is full
  holds(scenario(4, "uuuutt", "uuo", {1}));  // both taken: their slots are free
  holds(scenario(2, "uu", "tutu", {1}));
  holds(scenario(4, "uuuut", "c", {2}));
  holds(scenario(4, "uuuutu", "uc", {1}));  // putting back grows the ring
}

TEST_CASE(
    "DEQ-4: a pop fences while somebody steal_sessions, and no steal_session relies on an "
    "announcement taken back") {
  // Every pop takes the announcement back; every second one.
  holds(steal_sessions(2, "u", "o", {1}));
  holds(steal_sessions(4, "uu", "oo", {2}));
  holds(steal_sessions<model::sync, 2>(4, "uuu", "ooo", {2}));
  holds(steal_sessions(2, "u", "ouo", {1}));
  holds(steal_sessions(2, "u", "o", {1, 1}), at_most(3));
  holds(steal_sessions(4, "uuu", "ooo", {1, 1}), at_most(2));
  holds(steal_sessions<model::sync, 2>(4, "uuu", "ooo", {1, 1}), at_most(2));
  holds(steal_sessions(2, "uu", "oo", {1, 1, 1}), at_most(1));
}

TEST_CASE(
    "DEQ-4: without the membarrier, or with a fence in its place, an entry is handed out twice") {
  const auto twice = [](const model::program& p) {
    const auto end = model::explore({}, p).end;
    return end == model::verdict::violated || end == model::verdict::raced;
  };
  CHECK(twice(steal_sessions<model::no_heavy_fence_sync>(2, "uu", "o", {2})));
  CHECK(twice(steal_sessions<model::local_heavy_fence_sync>(2, "uu", "o", {2})));
}

TEST_CASE("DEQ: which orderings are needed") {
  const auto all = model::mutate(
      {},
      {scenario(2, "u", "o", {1, 1}), scenario(2, "uu", "u", {2}), scenario(2, "u", "uuo", {1, 1}),
       scenario(4, "uuu", "oo", {1, 1}), scenario(2, "uu", "tutu", {1}),
       scenario(2, "uu", "tu", {2}), steal_sessions(2, "uu", "o", {2}),
       steal_sessions<model::sync, 2>(4, "uu", "oo", {2})},
      "sched/deque.hpp");
  // Not missed by any execution here: the seq_cst of the three CASes on top_ (that one CAS wins is
  // atomicity; the fences order the rest), the acquire of steal's first load (its fence acquires as
  // well), and make_room's acquire, which keeps a thief's load of a slot before the slot's next
  // write - a load buffering, so out of reach. Nor the orders of the read-modify-writes of
  // thieves_: they are for a second thief, who relies on the membarrier of the first (above,
  // bounded), and for a steal that outlasts its announcement.
  const std::vector<std::string> expected{
      "cas seq_cst made acquire/release", "cas seq_cst made acquire/release",
      "cas seq_cst made acquire/release", "cas seq_cst made relaxed",
      "cas seq_cst made relaxed",         "cas seq_cst made relaxed",
      "load acquire made relaxed",        "load acquire made relaxed",
      "rmw acq_rel made relaxed",         "rmw acq_rel made relaxed",
      "rmw acq_rel made relaxed",         "rmw release made relaxed",
  };
  CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}
