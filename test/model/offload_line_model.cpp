// SPDX-License-Identifier: BSL-1.0
// test/model/offload_line_model.cpp - sched/offload_line.hpp: callers against the threads of a pool
// that lie down, end, or cannot be made. A call that nobody runs, nor refuses, is a deadlock.
#include "sched/offload_line.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "model/holds.hpp"
#include "model/spin_lock.hpp"
#include "model/sync.hpp"

using namespace weft;
using model::bounded;
using model::execution;
using model::holds;

namespace {

constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;

// As offload_job; each is its waiter's, on whose stack it lies.
struct job {
  enum class state : std::uint8_t { queued, running, done };
  model::plain<job*> next{nullptr}, prev{nullptr};
  model::plain<std::uint64_t> waiter{0};
  model::plain<state> where{state::queued};
  model::plain<int> ran{0};  // what the call does
};
struct thread_record : detail::basic_offload_thread<model::sync, job> {
  bool left = false;  // under the lock
};
using line = detail::basic_offload_line<model::sync, model::spin_lock, thread_record, job>;

enum class system { gives_threads, gives_none };
enum class sleepers { wait, leave };

struct world {
  world(std::size_t most, system s, sleepers how) : calls(most), gives(s), idle(how) {}
  line calls;
  const system gives;
  const sleepers idle;
  thread_record threads[2];
  job unwatched;                      // its caller does not wait for it
  model::atomic<unsigned> rung[4]{};  // 1 by the ticket of one's first wait, 2 by the second's
};
using shared = std::shared_ptr<world>;

void wake(const shared& w, std::uint64_t ticket) {
  w->rung[ticket % 4].fetch_or(ticket < 4 ? 1 : 2, release);
}
void wait(const shared& w, std::uint64_t ticket) {
  while ((w->rung[ticket % 4].load(acquire) & (ticket < 4 ? 1 : 2)) == 0) model::sync::pause();
}

// As offload_pool::start, up to the new thread: another thread of the scenario.
struct started {
  model::atomic<unsigned> yes{0};
};

enum class outcome { ran, refused, withdrawn };

// As weft::offload. `at`: the record of the new thread.
outcome call(const shared& w, std::uint64_t me, thread_record& at, started* up,
             bool gives_up = false) {
  auto mine = std::make_unique<job>();
  switch (w->calls.submit(*mine, me)) {
    case line::place::needs_thread:
      if (w->gives == system::gives_threads) {
        at.give(mine.get());
        up->yes.store(1, release);
      } else if (!w->calls.no_thread(*mine, &at)) {
        while (const std::uint64_t who = w->calls.refuse_one()) wake(w, who);
        return outcome::refused;
      }
      break;
    case line::place::ended:
      return outcome::refused;
    default:
      break;
  }
  auto now = line::late::done;
  if (gives_up) {
    now = w->calls.withdraw(*mine, [&] { return me + 4; });
    if (now == line::late::keep_waiting) wait(w, me + 4);
  } else {
    wait(w, me);
    if (line::was_refused(*mine)) now = line::late::refused;
  }
  if (now == line::late::refused || now == line::late::withdrawn) {
    model::check(mine->ran == 0, "POOL-1: what was refused is not run");
    return now == line::late::refused ? outcome::refused : outcome::withdrawn;
  }
  model::check(mine->ran == 1, "POOL-1: it is woken when its call has run");
  return outcome::ran;
}

// As offload_pool::main.
void serve(const shared& w, thread_record& me, job* first) {
  for (job* mine = first;;) {
    if (mine != nullptr) mine->ran = mine->ran + 1;
    const line::turn now = w->calls.next(me, mine);
    if (now.woken != 0) wake(w, now.woken);
    mine = now.job;
    if (mine != nullptr) continue;
    if (now.ends) return;
    me.spin([] { return false; });
    while (me.is_asleep()) {
      if (me.sleep([&](auto& word, std::uint32_t asleep) {
            if (w->idle == sleepers::wait) model::sync::futex_wait(word, asleep);
            return w->idle == sleepers::wait;
          }))
        continue;
      const auto how = w->calls.leave(me, [&] { return me.left = true; });
      if (how == line::leaving::left) return;
      if (how == line::leaving::is_given) break;
    }
    mine = me.await_given();
  }
}
void pool_thread(execution& x, const shared& w, const char* name, thread_record& at, started& up) {
  x.daemon(name, [=, &at, &up] {
    while (up.yes.load(acquire) == 0) model::sync::pause();
    serve(w, at, at.job());
  });
}

void nothing_is_left(const shared& w) {
  model::check(w->calls.queued() == 0, "POOL-2: no call is left in line");
  w->calls.end();  // who sleeps leaves the list
}

// Two calls, and room for one thread, which the first makes.
void one_thread(execution& x) {
  auto w = std::make_shared<world>(1, system::gives_threads, sleepers::wait);
  auto up = std::make_shared<started>();
  pool_thread(x, w, "thread", w->threads[0], *up);
  for (std::uint64_t me : {1, 2})
    x.thread("caller " + std::to_string(me), [=] {
      model::check(call(w, me, w->threads[0], up.get()) == outcome::ran, "nobody refuses it");
    });
  x.finally([=] { nothing_is_left(w), static_cast<void>(up); });
}

// One that calls again may find its thread spinning, asleep, or on its way there.
void again(execution& x) {
  auto w = std::make_shared<world>(1, system::gives_threads, sleepers::wait);
  auto up = std::make_shared<started>();
  pool_thread(x, w, "thread", w->threads[0], *up);
  x.thread("caller", [=] {
    model::check(call(w, 1, w->threads[0], up.get()) == outcome::ran, "nobody refuses it");
    model::check(call(w, 2, w->threads[0], up.get()) == outcome::ran, "nobody refuses it");
  });
  x.finally([=] { nothing_is_left(w), static_cast<void>(up); });
}

// The thread is at work; the next cannot be made.
shared one_at_work(std::size_t most, sleepers how) {
  auto w = std::make_shared<world>(most, system::gives_none, how);
  if (w->calls.submit(w->unwatched, 3) == line::place::needs_thread)
    w->threads[0].give(&w->unwatched);
  return w;
}

// It sleeps no longer, just as somebody calls.
void leaves(execution& x) {
  const shared w = one_at_work(1, sleepers::leave);
  x.thread("thread", [=] { serve(w, w->threads[0], w->threads[0].job()); });
  x.thread("caller", [=] { call(w, 1, w->threads[1], nullptr); });
  x.finally([=] {
    nothing_is_left(w);
    model::check(w->calls.live() == 0, "who has left is not counted");
  });
}

void none_to_be_had(execution& x, std::size_t most, int callers) {
  auto w = std::make_shared<world>(most, system::gives_none, sleepers::wait);
  for (int me = 1; me <= callers; ++me)
    x.thread("caller " + std::to_string(me), [=] {
      model::check(
          call(w, static_cast<std::uint64_t>(me), w->threads[me % 2], nullptr) == outcome::refused,
          "nobody runs it");
    });
  x.finally([=] { nothing_is_left(w); });
}
void none_for_one(execution& x) { none_to_be_had(x, 1, 2); }
void none_for_two(execution& x) { none_to_be_had(x, 2, 2); }
void none_for_three(execution& x) { none_to_be_had(x, 2, 3); }

// It is still at work, or lies down.
void one_is_there(execution& x) {
  const shared w = one_at_work(2, sleepers::wait);
  x.daemon("thread", [=] { serve(w, w->threads[0], w->threads[0].job()); });
  x.thread("caller", [=] {
    model::check(call(w, 1, w->threads[1], nullptr) == outcome::ran,
                 "POOL-2: it comes to the line");
  });
  x.finally([=] { nothing_is_left(w); });
}

void gives_up(execution& x) {
  auto w = std::make_shared<world>(1, system::gives_threads, sleepers::wait);
  auto up = std::make_shared<started>();
  pool_thread(x, w, "thread", w->threads[0], *up);
  x.thread("caller", [=] { call(w, 1, w->threads[0], up.get()); });
  x.thread("impatient", [=] { call(w, 2, w->threads[0], up.get(), true); });
  x.finally([=] { nothing_is_left(w), static_cast<void>(up); });
}

// The end comes while the thread lies down.
void ends(execution& x) {
  auto w = std::make_shared<world>(1, system::gives_threads, sleepers::wait);
  auto up = std::make_shared<started>();
  x.thread("thread", [=] {
    while (up->yes.load(acquire) == 0) model::sync::pause();
    serve(w, w->threads[0], w->threads[0].job());
  });
  x.thread("caller", [=] {
    call(w, 1, w->threads[0], up.get());
    w->calls.end();
    model::check(call(w, 2, w->threads[0], up.get()) == outcome::refused, "it has ended");
  });
}

// What refuse_one prevents.
void only_the_last_is_told(execution& x) {
  auto w = std::make_shared<world>(2, system::gives_none, sleepers::wait);
  for (std::uint64_t me : {1, 2})
    x.thread("caller " + std::to_string(me), [=] {
      auto mine = std::make_unique<job>();
      if (w->calls.submit(*mine, me) == line::place::needs_thread &&
          !w->calls.no_thread(*mine, &w->threads[me - 1]))
        return;
      wait(w, me);
    });
}

}  // namespace

TEST_CASE("POOL-1 POOL-2: every call is run, by the threads there are") {
  holds(one_thread, bounded(2));
  holds(gives_up, bounded(2));
  holds(one_is_there, bounded(3));
}
TEST_CASE("POOL-3: a thread that is given a job is awake") {
  holds(again);
  holds(leaves, bounded(4));
  holds(ends);
}
TEST_CASE("POOL-2: if no thread can be made, every call is refused") {
  holds(none_for_one);
  holds(none_for_two);
  holds(none_for_three, bounded(1));
  CHECK(model::explore({}, only_the_last_is_told).end == model::verdict::deadlocked);
}

TEST_CASE("POOL: which orderings are needed") {
  const auto all = model::mutate(bounded(2), {again, leaves, one_is_there, gives_up, none_for_two},
                                 "/offload_line.hpp");
  const std::vector<std::string> expected{};
  CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}
