// SPDX-License-Identifier: BSL-1.0
// test/model/thread_entry_model.cpp - TRACE-5: trace/thread_entry.hpp: a row of the table of
// threads is written again while others read it.
#include "trace/thread_entry.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "model/holds.hpp"
#include "model/sync.hpp"

using namespace weft;
using model::execution;
using model::holds;

namespace {

struct row {
  std::uint64_t ring = 0, name = 0;
};
struct world {
  detail::trace::thread_entry<row, model::sync> entry;
};

void written_twice(execution& x) {
  auto w = std::make_shared<world>();
  x.thread("writer", [=] {
    for (std::uint64_t n = 1; n <= 2; ++n) w->entry.write({n, n});
  });
  x.thread("reader", [=] {
    row seen;
    if (!w->entry.read(seen)) return;
    model::check(seen.ring != 0, "TRACE-5: nothing is read before it is written");
    model::check(seen.ring == seen.name, "TRACE-5: a row is read whole");
  });
}

}  // namespace

TEST_CASE("TRACE-5: a thread's entry is read whole or not at all") { holds(written_twice); }
TEST_CASE("TRACE-5: which orderings are needed") {
  const auto all = model::mutate({}, {written_twice}, "/thread_entry.hpp");
  const std::vector<std::string> expected{};
  CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}
