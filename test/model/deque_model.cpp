// SPDX-License-Identifier: BSL-1.0
// test/model/deque_model.cpp - sched/deque.hpp: the owner at both ends against thieves.
// An entry is a pointer to plain data: written before its push, and written again by whoever is
// handed it, so a second hand-out or a missing happens-before is a reported race even before the
// count at the end finds it.
#include "sched/deque.hpp"

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/explorer.hpp"
#include "model/sync.hpp"

using namespace weft;
using model::execution;

namespace {

struct item {
  model::plain<int> uses{0};
};

struct bag {
  explicit bag(std::size_t capacity) : queue(capacity) {}
  detail::deque<item*, model::sync> queue;
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

// The owner's steps: u push, o pop, t take, c unclaim. One thief per number in `steals`, trying so
// often.
model::program scenario(std::size_t capacity, std::string_view before, std::string_view owner,
                        std::vector<int> steals) {
  return [=](execution& x) {
    auto b = std::make_shared<bag>(capacity);
    const auto step = [](bag& in, char what) {
      if (what == 'u') in.push();
      if (what == 'o') bag::use(in.queue.pop());
      if (what == 't') bag::use(in.queue.take());
      if (what == 'c') in.queue.unclaim();
    };
    for (const char c : before) step(*b, c);
    x.thread("owner", [=] {
      for (const char c : owner) step(*b, c);
    });
    for (const int tries : steals)
      x.thread("thief", [=] {
        for (int i = 0; i < tries; ++i) {
          const auto [status, entry] = b->queue.steal();
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

void holds(const model::program& p) {
  const auto r = model::explore({}, p);
  CHECK_MESSAGE(r.ok(), r.report);
  if (r.ok()) MESSAGE(r.report);
}

}  // namespace

TEST_CASE("DEQ-1: the last entry goes to one of owner and thieves") {
  holds(scenario(2, "u", "o", {1, 1}));
  holds(scenario(2, "u", "t", {1, 1}));
  holds(scenario(2, "", "uo", {1, 1}));
  holds(scenario(2, "u", "ouo", {1, 1}));
  holds(scenario(2, "u", "oo", {2}));
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

TEST_CASE("DEQ: which orderings are needed") {
  const auto all = model::mutate({},
                                 {scenario(2, "u", "o", {1, 1}), scenario(2, "uu", "u", {2}),
                                  scenario(2, "u", "uuo", {1, 1}), scenario(4, "uuu", "oo", {1, 1}),
                                  scenario(2, "uu", "tutu", {1}), scenario(2, "uu", "tu", {2})},
                                 "sched/deque.hpp");
  // Not missed by any execution here: the seq_cst of the three CASes on top_ (that one CAS wins is
  // atomicity; the fences order the rest), the acquire of steal's first load (its fence acquires as
  // well), and make_room's acquire, which keeps a thief's load of a slot before the slot's next
  // write - a load buffering, so out of reach.
  const std::vector<std::string> expected{
      "cas seq_cst made acquire/release", "cas seq_cst made acquire/release",
      "cas seq_cst made acquire/release", "cas seq_cst made relaxed",
      "cas seq_cst made relaxed",         "cas seq_cst made relaxed",
      "load acquire made relaxed",        "load acquire made relaxed",
  };
  CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}
