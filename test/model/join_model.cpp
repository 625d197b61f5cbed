// SPDX-License-Identifier: BSL-1.0
// test/model/join_model.cpp - fiber/join_word.hpp: a fiber's end against the handle that may wait
// for it.
#include "fiber/join_word.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "model/holds.hpp"
#include "model/sync.hpp"

using namespace weft;
using model::execution;

namespace {

using model::holds;

using word = detail::basic_join_word<model::sync>;
constexpr word::ticket_bits ticket = 0x100;

struct record {
  word join;
  model::plain<int> result{0};
  model::plain<int> freed{
      0};  // written by the side that is told to free: a second one is a race or a count
  model::atomic<unsigned> wakes{0};  // rung by the finisher for the joiner; counts
  int rung = 0;                      // finisher's
};
using shared = std::shared_ptr<record>;

void free_record(const shared& r) {
  model::check(r->freed == 0, "JOIN-2: freed once");
  r->freed = 1;
}

void fiber_ends(const shared& r) {
  r->result = 42;
  const word::finish_result end = r->join.finish();
  if (end.free_record) free_record(r);
  if (end.joiner == word::open) return;
  model::check(end.joiner == ticket, "the ticket that was left");
  ++r->rung;
  r->wakes.fetch_add(1, std::memory_order_release);
}

void wait_for_wake(const shared& r) {
  while (r->wakes.load(std::memory_order_acquire) == 0) model::sync::pause();
}

void let_go(const shared& r) {
  if (r->join.detach()) free_record(r);
}

void freed_once(const shared& r) { model::check(r->freed == 1, "JOIN-2: freed by one side"); }

void join_waits(execution& x) {
  auto r = std::make_shared<record>();
  x.thread("fiber", [=] { fiber_ends(r); });
  x.thread("handle", [=] {
    if (r->join.wait_on(ticket)) wait_for_wake(r);  // a lost wake is a deadlock here
    model::check(r->result == 42, "JOIN-3: done, so the result is there");
    model::check(r->join.is_done(), "woken or refused: done");
    let_go(r);
  });
  x.finally([=] {
    model::check(r->rung <= 1, "JOIN-1: woken once");
    freed_once(r);
  });
}

void join_polls(execution& x) {
  auto r = std::make_shared<record>();
  x.thread("fiber", [=] { fiber_ends(r); });
  x.thread("handle", [=] {
    while (!r->join.is_done()) model::sync::pause();
    model::check(r->result == 42, "JOIN-3: done, so the result is there");
    let_go(r);
  });
  x.finally([=] { freed_once(r); });
}

void join_gives_up(execution& x) {
  auto r = std::make_shared<record>();
  x.thread("fiber", [=] { fiber_ends(r); });
  x.thread("handle", [=] {
    if (r->join.wait_on(ticket) && !r->join.leave(ticket)) {
      model::check(r->result == 42, "JOIN-3: too late to leave, so the result is there");
      wait_for_wake(r);
    }
    let_go(r);
  });
  x.finally([=] { freed_once(r); });
}

// The handle's last words to the record must reach a finisher that frees it, and the fiber's the
// handle.
void handle_detaches(execution& x) {
  auto r = std::make_shared<record>();
  auto note = std::make_shared<model::plain<int>>(0);
  x.thread("fiber", [=] {
    r->result = 42;
    if (r->join.finish().free_record) {
      *note = 2;
      free_record(r);
    }
  });
  x.thread("handle", [=] {
    *note = 1;
    if (r->join.detach()) {
      model::check(r->result == 42, "JOIN-3: ended, so the result is there");
      free_record(r);
    }
  });
  x.finally([=] { freed_once(r); });
}

// Times out, tries again, and waits this time.
void join_comes_back(execution& x) {
  auto r = std::make_shared<record>();
  x.thread("fiber", [=] { fiber_ends(r); });
  x.thread("handle", [=] {
    for (int round = 0;; ++round) {
      if (!r->join.wait_on(ticket)) break;
      if (round == 0 && r->join.leave(ticket)) continue;
      wait_for_wake(r);
      break;
    }
    model::check(r->result == 42, "JOIN-3: done, so the result is there");
    let_go(r);
  });
  x.finally([=] {
    model::check(r->rung <= 1, "JOIN-1: woken once");
    freed_once(r);
  });
}

// The runtime ends meanwhile; the fiber, in user code, may end all the same.
void runtime_ends_first(execution& x) {
  auto r = std::make_shared<record>();
  auto parks = std::make_shared<model::plain<int>>(0);
  x.thread("fiber", [=] { fiber_ends(r); });
  x.thread("shutdown", [=] {
    const word::ticket_bits joiner = r->join.leave_behind();
    if (joiner == word::open) return;
    model::check(joiner == ticket && *parks == 1, "JOIN-1: the ticket of a park that has begun");
    ++r->rung;
    r->wakes.fetch_add(1, std::memory_order_release);
  });
  x.thread("handle", [=] {
    *parks = 1;
    if (r->join.wait_on(ticket)) wait_for_wake(r);
    if (!r->join.is_left_behind())
      model::check(r->result == 42, "JOIN-3: done, so the result is there");
    let_go(r);
  });
  x.finally([=] {
    model::check(r->rung <= 1, "JOIN-1: woken once");
    freed_once(r);
  });
}

}  // namespace

TEST_CASE("JOIN-1: an accepted joiner is woken exactly once") {
  holds(join_waits);
  holds(join_gives_up);
  holds(join_comes_back);
  holds(runtime_ends_first);
}

TEST_CASE("JOIN-2: exactly one side frees the record, after the other's last word") {
  holds(handle_detaches);
}

TEST_CASE("JOIN-3: whoever sees done sees the result") { holds(join_polls); }

TEST_CASE("JOIN: which orderings are needed") {
  const auto all = model::mutate(
      {},
      {join_waits, join_gives_up, join_comes_back, handle_detaches, join_polls, runtime_ends_first},
      "/join_word.hpp");
  const std::vector<std::string> expected{};
  CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}
