// SPDX-License-Identifier: BSL-1.0
// test/model/kept_descriptor_model.cpp - os/kept_descriptor.hpp: readers against the thread that
// keeps and drops the number. A file is plain memory that its close writes: a read beside or after
// the close is a race, or finds it closed.
#include "os/kept_descriptor.hpp"

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
  os::basic_kept_descriptor<model::sync> kept;
  model::plain<int> file[2]{0, 0};  // 1: open, 2: closed
  bool was_kept[2] = {false, false};
};
using shared = std::shared_ptr<world>;

void close(const shared& w, int number) {
  model::check(w->file[number] == 1, "STAT-1: closed once");
  w->file[number] = 2;
}
void keep(const shared& w, int number) {
  w->file[number] = 1;
  w->was_kept[number] = w->kept.keep(number);
  if (!w->was_kept[number]) close(w, number);
}
void drop(const shared& w) {
  w->kept.drop([=](int number) { close(w, number); });
}
void read(const shared& w) {
  w->kept.read([=](int number) { model::check(w->file[number] == 1, "STAT-1: open when read"); },
               [=](int number) { close(w, number); });
}

void one_reader(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("keeper", [=] {
    keep(w, 0);
    drop(w);
  });
  x.thread("reader", [=] { read(w); });
  x.finally([=] { model::check(w->file[0] == 2, "STAT-1: closed"); });
}

void two_readers(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("keeper", [=] {
    keep(w, 0);
    drop(w);
  });
  x.thread("reader", [=] { read(w); });
  x.thread("second", [=] { read(w); });
  x.finally([=] { model::check(w->file[0] == 2, "STAT-1: closed"); });
}

// The slot's next thread opens its own while somebody still reads from the last one's.
void another_one(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("keeper", [=] {
    keep(w, 0);
    drop(w);
    keep(w, 1);
  });
  x.thread("reader", [=] {
    read(w);
    read(w);
  });
  x.finally([=] {
    model::check(w->file[0] == 2, "STAT-1: the first is closed");
    model::check(w->file[1] == (w->was_kept[1] ? 1 : 2), "STAT-1: the second, if nobody keeps it");
  });
}

// What the closer's look prevents: it does not know of the reader.
void closed_at_once(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("keeper", [=] {
    keep(w, 0);
    close(w, 0);
  });
  x.thread("reader", [=] { read(w); });
}

}  // namespace

TEST_CASE("STAT-1: a kept descriptor is closed once, and not read from afterwards") {
  holds(one_reader);
  holds(two_readers);
  holds(another_one);
  CHECK_FALSE(model::explore({}, closed_at_once).ok());
}

TEST_CASE("STAT: which orderings are needed") {
  const auto all =
      model::mutate({}, {one_reader, two_readers, another_one}, "os/kept_descriptor.hpp");
  const std::vector<std::string> expected{};
  CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}
