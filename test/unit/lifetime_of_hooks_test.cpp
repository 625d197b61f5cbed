// SPDX-License-Identifier: BSL-1.0
// unit/lifetime_of_hooks_test.cpp - what is the user's and runs late: the hook for an exception
// whose handle outlives the fiber, beside the end of the runtime; destructors of exceptions.
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

using hook = std::function<void(const weft::unhandled_exception&)>;

std::unique_ptr<weft::runtime> runtime_with(hook h) {
  weft::options o;
  o.workers = 1;
  o.on_unhandled_exception = std::move(h);
  return std::make_unique<weft::runtime>(o);
}

/// The handle of a fiber that has failed and ended.
weft::fiber<> failed(weft::runtime& rt) {
  auto f = rt.spawn([] { throw 17; });
  until([&] { return rt.fibers() == 0; });
  return f;
}

/// Detaches it.
void drop(weft::fiber<>& f) { f = weft::fiber<>(); }

}  // namespace

TEST_CASE("a runtime stays while its hook runs for the handle of a fiber that ended long ago") {
  std::atomic<bool> in_hook{false}, go_on{false}, gone{false};
  auto rt = runtime_with([&](const weft::unhandled_exception&) {
    in_hook = true;
    until([&] { return go_on.load(); });
    CHECK_FALSE(gone);
  });
  auto f = failed(*rt);
  std::thread drops([&] { drop(f); });
  until([&] { return in_hook.load(); });
  std::thread ends([&] {
    rt.reset();
    gone = true;
  });
  std::this_thread::sleep_for(30ms);  // time for what must not happen
  CHECK_FALSE(gone);
  go_on = true;
  drops.join();
  ends.join();
}

TEST_CASE("that hook may destroy the runtime itself") {
  std::unique_ptr<weft::runtime> rt = runtime_with([&](const auto&) { rt.reset(); });
  auto f = failed(*rt);
  drop(f);
  CHECK(rt == nullptr);
}

TEST_CASE("the destructor of a second child's exception may use the scope") {
  struct looks_at_scope {
    weft::scope* of;
    std::atomic<int>* looks;
    ~looks_at_scope() {
      static_cast<void>(of->size());
      looks->fetch_add(1);
    }
  };
  weft::run([] {
    std::atomic<int> looks{0};
    weft::scope all;
    for (int i = 0; i < 3; ++i) all.spawn([&] { throw looks_at_scope{&all, &looks}; });
    CHECK_THROWS_AS(all.join(), looks_at_scope);
    CHECK(looks == 3);
  });
}

// The hook comes back to the service thread after the runtime was destroyed.
TEST_CASE("a hook that shuts its runtime down is waited for by nobody, and returns") {
  std::unique_ptr<weft::runtime> rt;
  std::atomic<bool> told{false}, shut{false}, go_on{false}, returned{false};
  weft::options o;
  o.workers = 1;
  o.stall_after = 20ms;
  o.on_stall = [&](const weft::stall_report&) {
    if (told.exchange(true)) return;
    static_cast<void>(rt->shutdown());
    shut = true;
    until([&] { return go_on.load(); });
    returned = true;
  };
  rt = std::make_unique<weft::runtime>(o);
  auto f = rt->spawn([&] {
    while (!told) std::this_thread::yield();
  });
  until([&] { return shut.load(); });
  rt.reset();
  go_on = true;
  until([&] { return returned.load(); });
  std::this_thread::sleep_for(20ms);  // it goes on in what must be there still
}
