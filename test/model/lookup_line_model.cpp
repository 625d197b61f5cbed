// SPDX-License-Identifier: BSL-1.0
// test/model/lookup_line_model.cpp - net/lookup_line.hpp: callers that join lookups, wait for them
// and give up, against threads that ask, lie down, end, or cannot be made. A lookup that nobody
// answers, or a waiter that nobody wakes, is a deadlock.
#include "net/lookup_line.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "model/holds.hpp"
#include "model/spin_lock.hpp"
#include "model/sync.hpp"

using namespace weft;
using detail::ticket;
using model::bounded;
using model::execution;
using model::holds;

namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;

using line = detail::basic_lookup_line<model::sync, model::spin_lock>;

enum class system { gives_threads, gives_none };
enum class idle { for_ever, not_at_all };

struct setting {
  std::size_t threads = 1, per_domain = 1;
  system gives = system::gives_threads;
  idle threads_are = idle::for_ever;
};
struct world {
  explicit world(const setting& s)
      : with(s), names({.threads = s.threads, .threads_per_domain = s.per_domain}) {}
  const setting with;
  line names;
  model::atomic<unsigned> to_start{0};  // threads that callers have started
  model::plain<int> asked[3]{0, 0, 0};  // by the host's first letter
  model::atomic<unsigned> running{0};   // lookups of one domain, which are few
  model::atomic<unsigned> woken[3]{};   // by the ticket, a caller each
};
using shared = std::shared_ptr<world>;

void wake(const shared& w, ticket t) { w->woken[t.bits - 1].store(1, release); }

enum class outcome { answered, failed, gave_up };
enum class patience { endless, none };

// As resolver::resolve.
outcome look_up(const shared& w, int me, std::string host, patience p = patience::endless) {
  const int name = host[0] - 'a';
  std::error_code ec;
  const line::joined joined = w->names.join({std::move(host), "", net::address_family::any}, ec);
  model::check(joined.of != nullptr, "there is room");
  if (joined.needs_thread) {
    if (w->with.gives == system::gives_threads)
      w->to_start.fetch_add(1, release);
    else
      w->names.thread_failed([&](ticket t) { wake(w, t); });
  }
  line::lookup& l = *joined.of;
  detail::extra_waiter waits;
  waits.who = ticket{static_cast<std::uint64_t>(me) + 1};
  if (w->names.begin_wait(l, waits) && p == patience::endless)
    while (w->woken[me].load(acquire) == 0) model::sync::pause();
  const bool done = w->names.end_wait(l, waits);
  auto end = outcome::gave_up;
  if (done) {
    end = l.answer.error ? outcome::failed : outcome::answered;
    if (!l.answer.error)
      model::check(w->asked[name] == 1, "RESOLVE-1: done, it brings the answer along");
  }
  model::check(done || p == patience::none, "RESOLVE-1: woken when it is done");
  w->names.lose_interest(l);
  return end;
}

struct thread_idle {
  const shared& w;
  void begins() {}
  bool is_over() const { return w->with.threads_are == idle::not_at_all; }
  void sleep(model::atomic<std::uint32_t>& word, std::uint32_t seen) const {
    model::sync::futex_wait(word, seen);
  }
};
void serve(const shared& w) {
  w->names.serve(
      [&](const detail::lookup_request& r) -> detail::lookup_answer {
        const std::size_t same = r.host.find('.') == std::string::npos ? 0 : 1;
        if (same != 0)
          model::check(w->running.fetch_add(1, relaxed) < w->with.per_domain,
                       "RESOLVE-3: one domain has a part of the threads");
        auto& asked = w->asked[r.host[0] - 'a'];
        if (asked != 1) asked = 1;
        if (same != 0) w->running.fetch_sub(1, relaxed);
        return {};
      },
      [&](ticket t) { wake(w, t); }, thread_idle{w});
}
// Comes up if a caller starts it; `which` is the first, second, ...
void a_thread(execution& x, const shared& w, unsigned which) {
  x.daemon("thread " + std::to_string(which), [=] {
    while (w->to_start.load(acquire) < which) model::sync::pause();
    serve(w);
  });
}
void nothing_is_left(const shared& w) {
  model::check(w->names.under_way() == 0, "RESOLVE-2: no lookup is left");
}

// One caller that waits, and one thread, are few enough for all executions; the rest is explored
// with few switches, or by sample.
template <idle Idle, patience P>
void one_caller(execution& x) {
  auto w = std::make_shared<world>(setting{.threads_are = Idle});
  a_thread(x, w, 1);
  x.thread("caller", [=] {
    const outcome end = look_up(w, 0, "a", P);
    model::check(P == patience::none || end == outcome::answered, "it is answered");
  });
  if (P == patience::endless) x.finally([=] { nothing_is_left(w); });
}
// The same name, which is asked for once, or twice one after the other.
void one_name(execution& x) {
  auto w = std::make_shared<world>(setting{});
  a_thread(x, w, 1);
  for (int me : {0, 1})
    x.thread("caller",
             [=] { model::check(look_up(w, me, "a") == outcome::answered, "it is answered"); });
  x.finally([=] { nothing_is_left(w); });
}
void two_names(execution& x) {
  auto w = std::make_shared<world>(setting{});
  a_thread(x, w, 1);
  for (int me : {0, 1})
    x.thread("caller", [=] {
      model::check(look_up(w, me, me == 0 ? "a" : "b") == outcome::answered, "it is answered");
    });
  x.finally([=] { nothing_is_left(w); });
}
// Of one domain, which has one thread; the other lies down over what is in line.
void one_domain(execution& x) {
  auto w = std::make_shared<world>(setting{.threads = 2});
  a_thread(x, w, 1);
  a_thread(x, w, 2);
  for (int me : {0, 1})
    x.thread("caller", [=] {
      model::check(look_up(w, me, me == 0 ? "a.x.y" : "b.x.y") == outcome::answered,
                   "it is answered");
    });
  x.finally([=] { nothing_is_left(w); });
}
// One gives up: in line, while it runs, or just when it is done.
void gives_up(execution& x) {
  auto w = std::make_shared<world>(setting{});
  a_thread(x, w, 1);
  x.thread("caller", [=] { look_up(w, 0, "a", patience::none); });
  x.thread("patient",
           [=] { model::check(look_up(w, 1, "a") == outcome::answered, "it is answered"); });
}
void threads_that_end(execution& x) {
  auto w = std::make_shared<world>(setting{.threads_are = idle::not_at_all});
  a_thread(x, w, 1);
  a_thread(x, w, 2);
  for (int me : {0, 1})
    x.thread("caller", [=] {
      model::check(look_up(w, me, me == 0 ? "a" : "b") == outcome::answered, "it is answered");
    });
  x.finally([=] { nothing_is_left(w); });
}
void no_threads(execution& x) {
  auto w = std::make_shared<world>(setting{.threads = 2, .gives = system::gives_none});
  for (int me : {0, 1, 2})
    x.thread("caller", [=] {
      model::check(look_up(w, me, me == 0 ? "a" : "b") == outcome::failed, "it fails");
    });
  x.finally([=] {
    nothing_is_left(w);
    model::check(w->names.threads() == 0, "RESOLVE-2: none is counted");
  });
}
// The end comes while the thread lies down.
void ends(execution& x) {
  auto w = std::make_shared<world>(setting{});
  x.thread("thread", [=] {
    while (w->to_start.load(acquire) == 0) model::sync::pause();
    serve(w);
  });
  x.thread("caller", [=] {
    look_up(w, 0, "a");
    w->names.end([](auto& word, std::uint32_t seen) {
      static_cast<void>(word), static_cast<void>(seen);
      model::sync::pause();
    });
  });
}

// What the look under the lock prevents.
void parks_without_a_look(execution& x) {
  auto w = std::make_shared<world>(setting{});
  a_thread(x, w, 1);
  x.thread("caller", [=] {
    std::error_code ec;
    const line::joined joined = w->names.join({"a", "", net::address_family::any}, ec);
    w->to_start.fetch_add(1, release);
    detail::extra_waiter waits;
    waits.who = ticket{1};
    static_cast<void>(w->names.begin_wait(*joined.of, waits));
    while (w->woken[0].load(acquire) == 0) model::sync::pause();
    static_cast<void>(w->names.end_wait(*joined.of, waits));
  });
}
// What the last that gets no thread prevents.
void nobody_fails_the_line(execution& x) {
  auto w = std::make_shared<world>(setting{.threads = 1, .gives = system::gives_none});
  x.thread("caller", [=] { look_up(w, 0, "a"); });
  x.thread("second", [=] {
    std::error_code ec;
    const line::joined joined = w->names.join({"b", "", net::address_family::any}, ec);
    detail::extra_waiter waits;
    waits.who = ticket{2};
    if (w->names.begin_wait(*joined.of, waits))
      while (w->woken[1].load(acquire) == 0) model::sync::pause();
    static_cast<void>(w->names.end_wait(*joined.of, waits));
  });
}

}  // namespace

TEST_CASE("RESOLVE-1: a waiter for a lookup is woken when it is done") {
  holds(one_caller<idle::for_ever, patience::endless>);
  holds(one_caller<idle::for_ever, patience::none>, bounded(4));
  for (const auto& p : {one_name, two_names, gives_up}) {
    holds(p, bounded(0));
    model::holds_in_sample(p);
  }
  CHECK(model::explore({}, parks_without_a_look).end == model::verdict::deadlocked);
}
TEST_CASE("RESOLVE-2: every lookup is answered, fails, or leaves the line") {
  holds(one_caller<idle::not_at_all, patience::endless>);
  holds(one_caller<idle::not_at_all, patience::none>, bounded(4));
  model::holds_in_sample(threads_that_end);
  model::holds_in_sample(no_threads);
  holds(ends, bounded(1));
  CHECK(model::explore({}, nobody_fails_the_line).end == model::verdict::deadlocked);
}
TEST_CASE("RESOLVE-3: a thread does not lie down over a domain that has one again") {
  model::holds_in_sample(one_domain);
}
TEST_CASE("RESOLVE: which orderings are needed") {
  // None of its own: all of it is under the lock.
  const auto all = model::mutate(bounded(1), {ends}, "/lookup_line.hpp");
  CHECK_MESSAGE(all.empty(), model::list(all));
}
