// SPDX-License-Identifier: BSL-1.0
// The park/ready word and the join word, one transition after the other. Interleavings: test/model.
#include <doctest/doctest.h>

#include "fiber/fiber_word.hpp"
#include "fiber/join_word.hpp"

using namespace weft::detail;

namespace {

constexpr auto not_stopped = [] { return false; };
constexpr auto stopped = [] { return true; };

}  // namespace

TEST_CASE("park, commit, wake: the waker enqueues") {
  fiber_word w;
  w.set(fiber_state::running);
  const epoch_t e = w.begin_park(stoppable::no);
  CHECK(w.state() == fiber_state::parking);
  CHECK(w.commit(not_stopped) == commit_duty::none);
  CHECK(w.state() == fiber_state::parked);
  CHECK(w.awaits(e));
  CHECK(w.wake(e, wake_code::timeout) == wake_duty::enqueue);
  CHECK(w.state() == fiber_state::runnable);
  CHECK(w.code() == wake_code::timeout);
  CHECK_FALSE(w.awaits(e));
  CHECK(w.wake(e, wake_code::ready) == wake_duty::stale);
  CHECK(w.code() == wake_code::timeout);
}

TEST_CASE("a wake before the commit is the parker's to see") {
  fiber_word w;
  w.set(fiber_state::running);
  const epoch_t e = w.begin_park(stoppable::no);
  CHECK_FALSE(w.woken_early());
  CHECK(w.wake(e, wake_code::ready) == wake_duty::none);
  CHECK(w.woken_early());
  CHECK(w.wake(e, wake_code::timeout) == wake_duty::stale);
  CHECK(w.commit(not_stopped) == commit_duty::enqueue);
  CHECK(w.state() == fiber_state::runnable);
  CHECK(w.code() == wake_code::ready);
}

TEST_CASE("PARK-3: tickets of other parks do nothing") {
  fiber_word w;
  w.set(fiber_state::running);
  const epoch_t first = w.begin_park(stoppable::no);
  CHECK(w.cancel_park());
  const epoch_t second = w.begin_park(stoppable::no);
  CHECK(first != second);
  CHECK(w.wake(first, wake_code::ready) == wake_duty::stale);
  CHECK(w.wake(second + 1, wake_code::ready) == wake_duty::stale);
  CHECK(w.state() == fiber_state::parking);
  CHECK(w.wake(second, wake_code::ready) == wake_duty::none);
  CHECK_FALSE(w.cancel_park());
  CHECK(w.state() == fiber_state::running);
  CHECK(w.code() == wake_code::ready);
}

TEST_CASE("the epoch lasts over lives of the record") {
  fiber_word w;
  w.set(fiber_state::running);
  const epoch_t e = w.begin_park(stoppable::no);
  CHECK(w.cancel_park());
  w.set(fiber_state::dead);
  w.set(fiber_state::unused);
  w.set(fiber_state::fresh);
  CHECK(w.epoch() == e);
  w.set(fiber_state::running);
  CHECK(w.wake(e, wake_code::ready) == wake_duty::stale);
}

TEST_CASE("PARK-2: a stop request before, between and after the commit") {
  fiber_word before;
  before.set(fiber_state::running);
  static_cast<void>(before.begin_park(stoppable::yes));
  CHECK(before.wake_for_stop() == wake_duty::none);
  CHECK(before.commit(stopped) == commit_duty::enqueue);
  CHECK(before.code() == wake_code::stop);

  fiber_word between;
  between.set(fiber_state::running);
  static_cast<void>(between.begin_park(stoppable::yes));
  CHECK(between.commit(stopped) == commit_duty::enqueue);  // only the flag was seen
  CHECK(between.code() == wake_code::stop);
  CHECK(between.wake_for_stop() == wake_duty::stale);

  fiber_word after;
  after.set(fiber_state::running);
  static_cast<void>(after.begin_park(stoppable::yes));
  CHECK(after.commit(not_stopped) == commit_duty::none);
  CHECK(after.wake_for_stop() == wake_duty::enqueue);
  CHECK(after.code() == wake_code::stop);
}

TEST_CASE("a wait that is not stoppable is not stopped") {
  fiber_word w;
  w.set(fiber_state::running);
  static_cast<void>(w.begin_park(stoppable::no));
  CHECK(w.wake_for_stop() == wake_duty::stale);
  CHECK(w.commit(stopped) == commit_duty::none);
  CHECK(w.wake_for_stop() == wake_duty::stale);
  CHECK(w.state() == fiber_state::parked);
}

TEST_CASE("join word: the end before, during and after a wait") {
  join_word w;
  CHECK(w.finish().joiner == join_word::open);
  CHECK(w.is_done());
  CHECK_FALSE(w.wait_on(77));

  w.reset();
  CHECK(w.wait_on(77));
  CHECK(w.finish().joiner == 77);
  CHECK_FALSE(w.leave(77));

  w.reset();
  CHECK(w.wait_on(77));
  CHECK(w.leave(77));
  CHECK_FALSE(w.is_done());
  const auto end = w.finish();
  CHECK(end.joiner == join_word::open);
  CHECK_FALSE(end.free_record);
}

TEST_CASE("join word: one of handle and fiber frees") {
  join_word w;
  CHECK_FALSE(w.detach());
  CHECK(w.is_detached());
  CHECK(w.finish().free_record);

  w.reset();
  CHECK_FALSE(w.finish().free_record);
  CHECK(w.detach());

  w.reset_detached();
  CHECK(w.finish().free_record);
}
