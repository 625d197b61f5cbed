// SPDX-License-Identifier: BSL-1.0
// test/model/explorer_model.cpp - the explorer itself: what C++ allows is found, what it forbids is
// not, and known mistakes are caught. A model test is worth what this file shows.
#include "model/explorer.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "model/sync.hpp"

using namespace weft;
using model::execution;

namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto seq_cst = std::memory_order_seq_cst;

struct cells {
  model::atomic<int> x{0}, y{0}, z{0};
  long a = -1, b = -1, c = -1, d = -1;
};
using shared = std::shared_ptr<cells>;

enum class between { nothing, full_fences, light_and_heavy, heavy_made_local };

model::result store_buffering(std::memory_order store, std::memory_order load, between f) {
  return model::explore({}, [=](execution& x) {
    auto s = std::make_shared<cells>();
    x.name(&s->x, "x");
    x.name(&s->y, "y");
    x.thread("left", [=] {
      s->x.store(1, store);
      if (f == between::full_fences) model::sync::fence(seq_cst);
      if (f == between::light_and_heavy || f == between::heavy_made_local)
        model::sync::light_fence();
      s->a = s->y.load(load);
    });
    x.thread("right", [=] {
      s->y.store(1, store);
      if (f == between::full_fences) model::sync::fence(seq_cst);
      if (f == between::light_and_heavy) model::sync::heavy_fence();
      if (f == between::heavy_made_local) model::local_heavy_fence_sync::heavy_fence();
      s->b = s->x.load(load);
    });
    x.finally([=] { model::observe({s->a, s->b}); });
  });
}

model::result message_passing(std::memory_order publish, std::memory_order look) {
  return model::explore({}, [=](execution& x) {
    auto s = std::make_shared<cells>();
    x.thread("writer", [=] {
      s->x.store(1, relaxed);
      s->y.store(1, publish);
    });
    x.thread("reader", [=] {
      s->a = s->y.load(look);
      s->b = s->x.load(relaxed);
    });
    x.finally([=] { model::observe({s->a, s->b}); });
  });
}

model::result independent_reads(std::memory_order store, std::memory_order load,
                                bool fences = false) {
  return model::explore({}, [=](execution& x) {
    auto s = std::make_shared<cells>();
    x.thread("x", [=] { s->x.store(1, store); });
    x.thread("y", [=] { s->y.store(1, store); });
    x.thread("xy", [=] {
      s->a = s->x.load(load);
      if (fences) model::sync::fence(seq_cst);
      s->b = s->y.load(load);
    });
    x.thread("yx", [=] {
      s->c = s->y.load(load);
      if (fences) model::sync::fence(seq_cst);
      s->d = s->x.load(load);
    });
    x.finally([=] { model::observe({s->a, s->b, s->c, s->d}); });
  });
}

}  // namespace

TEST_CASE("store buffering") {
  const auto weak = store_buffering(relaxed, relaxed, between::nothing);
  CHECK_MESSAGE(weak.ok(), weak.report);
  CHECK(weak.observed.size() == 4);
  CHECK(store_buffering(release, acquire, between::nothing).saw({0, 0}));
  const auto fenced = store_buffering(relaxed, relaxed, between::full_fences);
  CHECK_FALSE(fenced.saw({0, 0}));
  CHECK(fenced.observed.size() == 3);
  const auto ordered = store_buffering(seq_cst, seq_cst, between::nothing);
  CHECK_FALSE(ordered.saw({0, 0}));
  CHECK(ordered.observed.size() == 3);
  CHECK(store_buffering(seq_cst, acquire, between::nothing).saw({0, 0}));
}

TEST_CASE("the asymmetric fence orders as two full ones, its halves alone do not") {
  const auto pair = store_buffering(relaxed, relaxed, between::light_and_heavy);
  CHECK_FALSE(pair.saw({0, 0}));
  CHECK(pair.observed.size() == 3);
  CHECK(store_buffering(relaxed, relaxed, between::heavy_made_local).saw({0, 0}));
}

TEST_CASE("message passing") {
  CHECK_FALSE(message_passing(release, acquire).saw({1, 0}));
  CHECK(message_passing(release, acquire).observed.size() == 3);
  CHECK(message_passing(relaxed, acquire).saw({1, 0}));
  CHECK(message_passing(release, relaxed).saw({1, 0}));

  const auto fences = model::explore({}, [](execution& x) {
    auto s = std::make_shared<cells>();
    x.thread("writer", [=] {
      s->x.store(1, relaxed);
      model::sync::fence(release);
      s->y.store(1, relaxed);
    });
    x.thread("reader", [=] {
      s->a = s->y.load(relaxed);
      model::sync::fence(acquire);
      s->b = s->x.load(relaxed);
    });
    x.finally([=] { model::observe({s->a, s->b}); });
  });
  CHECK(fences.observed.size() == 3);
  CHECK_FALSE(fences.saw({1, 0}));
}

TEST_CASE("coherence: reads of one location do not go back") {
  const auto r = model::explore({}, [](execution& x) {
    auto s = std::make_shared<cells>();
    x.thread("writer", [=] {
      s->x.store(1, relaxed);
      s->x.store(2, relaxed);
    });
    x.thread("reader", [=] {
      s->a = s->x.load(relaxed);
      s->b = s->x.load(relaxed);
    });
    x.finally([=] { model::observe({s->a, s->b}); });
  });
  CHECK(r.observed.size() == 6);
  for (const auto& o : r.observed) CHECK(o[0] <= o[1]);
}

TEST_CASE("modification order need not be the order of execution") {  // the litmus test 2+2W
  const auto run = [](std::memory_order order) {
    return model::explore({}, [=](execution& x) {
      auto s = std::make_shared<cells>();
      x.thread("left", [=] {
        s->x.store(1, order);
        s->y.store(2, order);
      });
      x.thread("right", [=] {
        s->y.store(1, order);
        s->x.store(2, order);
      });
      x.finally([=] { model::observe({s->x.load(relaxed), s->y.load(relaxed)}); });
    });
  };
  CHECK(run(relaxed).saw({1, 1}));
  CHECK(run(release).saw({1, 1}));
  CHECK_FALSE(run(seq_cst).saw({1, 1}));
}

TEST_CASE("independent reads of independent writes") {
  CHECK(independent_reads(release, acquire).saw({1, 0, 1, 0}));
  CHECK_FALSE(independent_reads(seq_cst, seq_cst).saw({1, 0, 1, 0}));
  CHECK_FALSE(independent_reads(relaxed, relaxed, true).saw({1, 0, 1, 0}));
  CHECK(independent_reads(relaxed, relaxed, true).observed.size() == 15);
}

TEST_CASE("a read-modify-write continues a release sequence, a store does not") {
  const auto run = [](bool by_rmw) {
    return model::explore({}, [=](execution& x) {
      auto s = std::make_shared<cells>();
      x.thread("writer", [=] {
        s->x.store(1, relaxed);
        s->y.store(1, release);
      });
      x.thread("between", [=] {
        if (by_rmw) {
          int one = 1;
          s->y.compare_exchange_strong(one, 2, relaxed, relaxed);
        } else if (s->y.load(relaxed) == 1) {
          s->y.store(2, relaxed);
        }
      });
      x.thread("reader", [=] {
        s->a = s->y.load(acquire);
        s->b = s->x.load(relaxed);
      });
      x.finally([=] { model::observe({s->a, s->b}); });
    });
  };
  CHECK(run(true).saw({2, 1}));
  CHECK_FALSE(run(true).saw({2, 0}));
  CHECK(run(false).saw({2, 0}));
}

TEST_CASE("read-modify-writes never lose an update, and cost what they say") {
  const auto r = model::explore({}, [](execution& x) {
    auto s = std::make_shared<cells>();
    for (int t = 0; t < 3; ++t)
      x.thread("adder", [=] {
        s->x.fetch_add(1, relaxed);
        int seen = s->x.load(relaxed);
        while (!s->x.compare_exchange_weak(seen, seen + 1, relaxed, relaxed)) {
        }
      });
    x.finally([=] { model::check(s->x.load(relaxed) == 6, "six increments"); });
  });
  CHECK_MESSAGE(r.ok(), r.report);
  CHECK(r.executions > 100);
}

TEST_CASE("a data race is reported, a release and acquire between is not") {
  const auto run = [](std::memory_order publish) {
    struct state {
      model::plain<int> data{0};
      model::atomic<int> flag{0};
    };
    return model::explore({}, [=](execution& x) {
      auto s = std::make_shared<state>();
      x.thread("writer", [=] {
        s->data = 1;
        s->flag.store(1, publish);
      });
      x.thread("reader", [=] {
        while (s->flag.load(acquire) == 0) model::sync::pause();
        model::check(s->data == 1, "published");
      });
    });
  };
  CHECK(run(release).ok());
  const auto raced = run(relaxed);
  CHECK(raced.end == model::verdict::raced);
  CHECK(raced.report.find("reader reads plain data") != std::string::npos);
  CHECK(raced.report.find("store") != std::string::npos);
}

TEST_CASE("an object reached before its construction or after its destruction is reported") {
  struct state {
    std::unique_ptr<model::atomic<int>> made;
    model::atomic<model::atomic<int>*> published{nullptr};
  };
  const auto publish = [](std::memory_order order) {
    return model::explore({}, [=](execution& x) {
      auto s = std::make_shared<state>();
      x.thread("maker", [=] {
        s->made = std::make_unique<model::atomic<int>>(1);
        s->published.store(s->made.get(), order);
      });
      x.thread("user", [=] {
        if (auto* p = s->published.load(acquire)) (void)p->load(relaxed);
      });
    });
  };
  CHECK(publish(release).ok());
  CHECK(publish(relaxed).end == model::verdict::raced);

  const auto freed = model::explore({}, [](execution& x) {
    auto s = std::make_shared<state>();
    s->made = std::make_unique<model::atomic<int>>(1);
    s->published.store(s->made.get(), relaxed);
    x.thread("user", [=] {
      if (auto* p = s->published.load(acquire)) (void)p->load(relaxed);
    });
    x.thread("owner", [=] {
      s->published.store(nullptr, relaxed);
      s->made->~atomic();
      new (s->made.get()) model::atomic<int>(2);
    });
  });
  CHECK(freed.end == model::verdict::raced);
}

TEST_CASE("a wait for something that never comes is a deadlock, an endless loop is not proved") {
  const auto never = model::explore({}, [](execution& x) {
    auto s = std::make_shared<cells>();
    x.thread("waiter", [=] {
      while (s->x.load(acquire) == 0) model::sync::pause();
    });
    x.thread("other", [=] { s->y.store(1, release); });
  });
  CHECK(never.end == model::verdict::deadlocked);
  CHECK(never.report.find("waiter (pause)") != std::string::npos);

  model::options few;
  few.max_steps = 100;
  const auto endless = model::explore(few, [](execution& x) {
    auto s = std::make_shared<cells>();
    x.thread("one", [=] {
      while (s->x.load(acquire) == 0) {
      }
    });
    x.thread("two", [=] {
      while (s->x.load(acquire) == 0) {
      }
    });
  });
  CHECK(endless.end == model::verdict::unfinished);
  few.max_executions = 3;
  CHECK(model::explore(few, [](execution& x) {
          auto s = std::make_shared<cells>();
          x.thread("one", [=] { s->x.store(1, relaxed); });
          x.thread("two", [=] { s->x.store(2, relaxed); });
          x.thread("three", [=] { s->x.store(3, relaxed); });
        }).end == model::verdict::unfinished);
}

TEST_CASE("a fence that hides an older message does not end a wait for it") {
  struct state {
    model::atomic<int> go{0}, other{0};
  };
  const auto r = model::explore({}, [](execution& x) {
    auto s = std::make_shared<state>();
    x.thread("waiter", [=] {
      while (s->go.load(relaxed) == 0) model::sync::pause();
    });
    x.thread("setter", [=] {
      s->go.store(1, relaxed);
      model::sync::heavy_fence();  // moves the waiter's view past its last read
    });
  });
  CHECK_MESSAGE(r.ok(), r.report);
}
