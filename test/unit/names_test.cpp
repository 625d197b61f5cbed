// SPDX-License-Identifier: BSL-1.0
// test/unit/names_test.cpp - names of runtimes and fibers with line breaks, controls of a terminal
// and bytes that are no UTF-8: every report keeps to its lines, and is UTF-8.
#include <doctest/doctest.h>

#include <chrono>
#include <mutex>
#include <string>
#include <thread>

#include <weft/weft.hpp>

#include "base/one_line.hpp"
#include "base/utf8.hpp"
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

TEST_CASE("names of any bytes: what is no text of UTF-8 is shown by its bytes") {
  using weft::detail::one_line;
  const std::string good = "caf\u00e9 \u20ac \U0001f600 \ud7ff\ue000\U0010ffff";
  CHECK(one_line(good) == good);
  CHECK(one_line("\x1b[2J\r\x7f\u009b") == R"(\x1b[2J\x0d\x7f\xc2\x9b)");
  CHECK(one_line("a\xff"
                 "b\x80") == R"(a\xffb\x80)");
  CHECK(one_line("\xc0\xaf") == R"(\xc0\xaf)");                  // longer than needed
  CHECK(one_line("\xe0\x9f\xbf") == R"(\xe0\x9f\xbf)");          // so is this
  CHECK(one_line("\xed\xa0\x80") == R"(\xed\xa0\x80)");          // half a surrogate pair
  CHECK(one_line("\xf4\x90\x80\x80") == R"(\xf4\x90\x80\x80)");  // beyond Unicode
  CHECK(one_line("\xe2\x82") == R"(\xe2\x82)");                  // cut
  CHECK(one_line(std::string("a\0b", 3)) == R"(a\x00b)");
}

TEST_CASE("a name that is cut ends with a whole character") {
  using weft::detail::without_half_character;
  const std::string name = "\u00e9\u20ac\U0001f600";
  for (std::size_t n = 0; n <= name.size(); ++n) {
    const std::size_t whole = n < 2 ? 0 : n < 5 ? 2 : n < 9 ? 5 : 9;
    CHECK(without_half_character(name.substr(0, n)) == name.substr(0, whole));
  }
  CHECK(without_half_character("a\xff") == "a");
  CHECK(without_half_character("a\x80") == "a\x80");  // was never one: it is not cut
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
