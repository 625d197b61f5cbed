// SPDX-License-Identifier: BSL-1.0
// test/unit/names_test.cpp - names of runtimes and fibers with line breaks: every report keeps to
// its lines.
#include <doctest/doctest.h>

#include <chrono>
#include <mutex>
#include <string>
#include <thread>

#include <weft/weft.hpp>

#include "support/in_child.hpp"

using namespace std::chrono_literals;

namespace {

weft::options two_lines() {
  weft::options o;
  o.workers = 1;
  o.name = "two\nlines";
  o.shutdown_timeout = 0ms;
  return o;
}
bool has(const std::string& text, const std::string& words) {
  return text.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("a dump, and the report of fibers left behind") {
  const auto end = weft::test::in_child([] {
    weft::runtime rt(two_lines());
    weft::event never;
    auto waits = rt.spawn({.name = "a\nb"}, [&] { never.wait(); });
    while (weft::metrics(rt).waiting == 0) std::this_thread::yield();
    const std::string dump = weft::debug::dump_fibers();
    if (!has(dump, "runtime \"two\\nlines\"") || !has(dump, "\"a\\nb\"")) return 1;
    rt.shutdown();
    return has(weft::debug::dump_fibers(), "\"a\\nb\": left behind by its runtime") ? 0 : 2;
  });
  CHECK(end.exit_code == 0);
  CHECK_MESSAGE(has(end.errors, "runtime \"two\\nlines\" ends"), end.errors);
}

TEST_CASE("a deadlock") {
  const auto end = weft::test::in_child([] {
    auto o = two_lines();
    o.deadlock_after = 10ms;
    o.on_deadlock = weft::deadlock_policy::abort;
    weft::run(o, [] {
      weft::mutex m;
      const std::lock_guard lock(m);
      weft::scope children;
      children.spawn([&] { const std::lock_guard again(m); });
    });
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CHECK_MESSAGE(has(end.errors, "deadlock in runtime \"two\\nlines\""), end.errors);
}
