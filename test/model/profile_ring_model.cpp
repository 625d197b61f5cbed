// SPDX-License-Identifier: BSL-1.0
// test/model/profile_ring_model.cpp - debug/profile_ring.hpp: a handler that writes samples against
// the collector that takes them. A slot is plain memory: written and read at once, it is a race.
#include "debug/profile_ring.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "model/holds.hpp"
#include "model/sync.hpp"

using namespace weft;
using model::execution;
using model::holds;

namespace {

struct sample {
  model::plain<int> number{0};
};
struct world {
  detail::basic_profile_ring<model::sync, sample, 2> ring;
  int put = 0, taken = 0, dropped = 0;
};
using shared = std::shared_ptr<world>;

void take(const shared& w) {
  w->ring.take([&](const sample& s) {
    model::check(s.number > w->taken, "PROF-1: each once, in order");
    w->taken = s.number;
  });
  w->dropped += static_cast<int>(w->ring.take_dropped());
}

void samples(execution& x, int many) {
  auto w = std::make_shared<world>();
  x.thread("handler", [=] {
    for (int i = 1; i <= many; ++i)
      if (sample* s = w->ring.begin()) {
        s->number = i;
        w->ring.end();
        ++w->put;
      }
  });
  x.thread("collector", [=] {
    take(w);
    take(w);
  });
  x.finally([=] {
    take(w);
    model::check(w->put + w->dropped == many, "each is put or counted");
  });
}
void three(execution& x) { samples(x, 3); }  // one more than there is room for
void five(execution& x) { samples(x, 5); }

}  // namespace

TEST_CASE("PROF-1: a slot is written or read, never both") {
  holds(three);
  holds(five);
}
TEST_CASE("PROF: which orderings are needed") {
  const auto all = model::mutate({}, {three}, "/profile_ring.hpp");
  const std::vector<std::string> expected{};
  CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}
