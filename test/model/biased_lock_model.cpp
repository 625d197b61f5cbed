// SPDX-License-Identifier: BSL-1.0
// test/model/biased_lock_model.cpp - sync/channel_lock.hpp and sync/biased_lock.hpp as shipped.
#include <doctest/doctest.h>

#include <memory>

#include "model/explorer.hpp"
#include "model/holds.hpp"
#include "model/sync.hpp"
#include "sync/biased_lock.hpp"

using namespace weft;
using namespace weft::detail;
using model::execution;
using model::holds;
using model::switches;

namespace {

struct env : model::sync {
  static constexpr std::int64_t shortest_ns = 0, longest_ns = 0, hot_ns = 0, patience_ns = 1;
  static constexpr int tries = 1;
  static std::int64_t now() { return ++time; }
  static void stand_back(std::int64_t, std::int64_t) {}
  static void pause() {}  // the spinning ends by itself
  static inline std::int64_t time = 0;
  static void sleep(model::atomic<std::uint32_t>& w, std::uint32_t v) { w.futex_wait(v); }
  static void wake_one(model::atomic<std::uint32_t>& w) { w.futex_wake(1); }
};
struct env_without_heavy_fence : env {
  static void heavy_fence(model::where = model::where::here()) {}
};

template <class Env>
void two_lockers(execution& x) {
  struct state {
    basic_channel_lock<Env> lock;
    model::plain<int> guarded{0};
  };
  auto s = std::make_shared<state>();
  for (const char* name : {"one", "two"})
    x.thread(name, [s] {
      s->lock.lock();
      s->guarded = s->guarded + 1;
      s->lock.unlock();
    });
  x.finally([s] { model::check(s->guarded == 2, "LOCK-1: one at a time"); });
}

// BIAS-1, BIAS-2. Two processors with an owner each, and a thread that is none; the bias comes
// after one lock in a row.
struct biased_env : env {
  static constexpr std::uint32_t first_need = 1;
  using owner = base::basic_bias_owner<biased_env>;
  static bool bias_pays() { return true; }
  static void await_owner(int) { model::sync::pause(); }
};
struct biased_env_without_heavy_fence : biased_env {
  static void heavy_fence(model::where = model::where::here()) {}
};
struct biased_env_with_local_heavy_fence : biased_env {
  static void heavy_fence(model::where w = model::where::here()) {
    model::sync::fence(std::memory_order_seq_cst, w);
  }
};

enum class rival : std::uint8_t { processor, thread, several_locks };

template <class Env, rival R>
void owner_against(execution& x) {
  struct state {
    basic_biased_lock<Env> lock;
    typename Env::owner first, second;
    model::plain<int> guarded{0};
  };
  auto s = std::make_shared<state>();
  const auto pass = [s](typename Env::owner* me) {
    const held_by how = s->lock.lock(me);
    s->guarded = s->guarded + 1;
    s->lock.unlock(how, me);
  };
  x.thread("owner", [=] {
    for (int i = 0; i < 4; ++i) pass(&s->first);  // counted, biased; twice by bias, or turned away
  });
  x.thread("rival", [=] {
    if constexpr (R == rival::several_locks) {
      s->lock.lock_word(&s->second);
      s->guarded = s->guarded + 1;
      s->lock.unlock_word(&s->second);
    } else {
      pass(R == rival::thread ? nullptr : &s->second);
    }
  });
  x.finally([s] { model::check(s->guarded == 5, "BIAS-1: one at a time"); });
}

// The owner goes from one lock of its to the next: what the revoker finds is not this lock, nor
// null.
template <class Env>
void owner_moves_on(execution& x) {
  struct state {
    basic_biased_lock<Env> lock, other;
    typename Env::owner owner;
    model::plain<int> guarded{0};
  };
  auto s = std::make_shared<state>();
  for (auto* l : {&s->lock, &s->other})
    for (int i = 0; i < 2; ++i) l->unlock(l->lock(&s->owner), &s->owner);
  x.thread("owner", [=] {
    for (auto* l : {&s->lock, &s->other}) {
      const held_by how = l->lock(&s->owner);
      if (l == &s->lock) s->guarded = s->guarded + 1;
      l->unlock(how, &s->owner);
    }
  });
  x.thread("rival", [=] {
    s->lock.lock_word(nullptr);
    s->guarded = s->guarded + 1;
    s->lock.unlock_word(nullptr);
  });
  x.finally([s] { model::check(s->guarded == 2, "BIAS-1: one at a time"); });
}

}  // namespace

TEST_CASE("LOCK-2: the lock that is let go of by a plain store loses no sleeper") {
  holds(two_lockers<env>);
  const auto broken = model::explore({}, two_lockers<env_without_heavy_fence>);
  CHECK(!broken.ok());  // else this test could not fail
}

TEST_CASE("BIAS-1, BIAS-2: one holder, by word or by bias") {
  holds(owner_against<biased_env, rival::processor>, switches);
  holds(owner_against<biased_env, rival::thread>, switches);
  holds(owner_against<biased_env, rival::several_locks>, switches);
  holds(owner_moves_on<biased_env>);
}

TEST_CASE("BIAS-1 stands on the membarrier") {
  CHECK(!model::explore({}, owner_against<biased_env_without_heavy_fence, rival::thread>).ok());
  CHECK(!model::explore({}, owner_against<biased_env_with_local_heavy_fence, rival::thread>).ok());
}

TEST_CASE("BIAS: which orderings are needed") {
  model::options o;
  o.preemptions = switches;
  const auto all =
      model::mutate(o,
                    {owner_against<biased_env, rival::processor>,
                     owner_against<biased_env, rival::thread>, owner_moves_on<biased_env>},
                    "/biased_lock.hpp");
  CHECK_MESSAGE(model::survivors(all).empty(), model::list(all));
}
