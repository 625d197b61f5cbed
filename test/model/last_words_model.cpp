// SPDX-License-Identifier: BSL-1.0
// test/model/last_words_model.cpp - TRACE-6: trace/last_words.hpp: a collector that writes its file
// in pieces, and threads that crash. The file is plain memory: two that write it at once are a
// race.
#include "trace/last_words.hpp"

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

struct world {
  detail::trace::basic_last_words<model::sync> last;
  model::plain<int> file{0};   // pieces in it
  model::plain<int> ended{0};  // last words
};
using shared = std::shared_ptr<world>;

void collect(const shared& w, int pieces) {
  for (int i = 0; i < pieces; ++i)
    w->last.piece([&] {
      model::check(w->ended == 0, "TRACE-6: no piece begins after the last words");
      w->file = w->file + 1;
    });
}
void crash(const shared& w) {
  if (!w->last.begin()) return;
  w->last.await([] {
    model::sync::pause();
    return true;
  });
  w->file = w->file + 1;
  w->ended = w->ended + 1;
}

void one_crashes(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("collector", [=] { collect(w, 3); });
  x.thread("crash", [=] { crash(w); });
  x.finally([=] { model::check(w->ended == 1, "TRACE-6: the last words are written once"); });
}
void two_crash(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("collector", [=] { collect(w, 2); });
  x.thread("crash", [=] { crash(w); });
  x.thread("second", [=] { crash(w); });
  x.finally([=] { model::check(w->ended == 1, "TRACE-6: the last words are written once"); });
}

// What the order of its steps prevents: the collector looks before it says that it works.
void looks_first(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("collector", [=] {
    if (!w->last.wanted()) w->file = w->file + 1;
  });
  x.thread("crash", [=] { crash(w); });
}

}  // namespace

TEST_CASE("TRACE-6: the last words do not mix with the collector's") {
  holds(one_crashes);
  holds(two_crash);
  CHECK(model::explore({}, looks_first).end == model::verdict::raced);
}
TEST_CASE("TRACE-6: which orderings are needed") {
  const auto all = model::mutate({}, {one_crashes, two_crash}, "/last_words.hpp");
  const std::vector<std::string> expected{};
  CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}
