// SPDX-License-Identifier: BSL-1.0
// A fiber that overflows its stack is named and ends the process; other faults are nobody's
// business of weft's.
#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>

#include <unistd.h>

#include <weft/weft.hpp>

#include "base/sanitizers.hpp"
#include "os/os.hpp"
#include "support/in_child.hpp"

namespace {

using namespace weft;

bool has(const test::child_end& end, const std::string& text) {
  return end.errors.find(text) != std::string::npos;
}

volatile int sink = 0;

// Not a tail call, and not one the optimiser turns into a loop.
[[gnu::noinline]] int descend_for_ever(int depth) {
  volatile char frame[64];
  frame[depth % 64] = static_cast<char>(depth);
  const int below = sink >= 0 ? descend_for_ever(depth + 1) : 0;
  return below + frame[0];
}

// One frame of a megabyte, of which only the far end is touched: it jumps a guard page, unless
// compiled with -fstack-clash-protection as weft::weft asks.
[[gnu::noinline]] int one_huge_array() {
  char frame[1 << 20];
  asm volatile("" : : "r"(frame) : "memory");  // somebody may use all of it
  frame[0] = static_cast<char>(sink + 1);
  asm volatile("" : : "r"(frame) : "memory");
  return frame[0] + sink;
}

[[gnu::noinline]] int one_huge_alloca(std::size_t bytes) {
  auto* const frame = static_cast<volatile char*>(__builtin_alloca(bytes));
  frame[0] = 1;
  return frame[0] + sink;
}

bool skipped_under_asan() {
  if (!WEFT_ASAN) return false;
  MESSAGE("skipped: AddressSanitizer reports overflows itself");
  return true;
}

template <class F>
test::child_end overflow_in(const attributes& a, F body) {
  return test::in_child([&] {
    run(options{.workers = 1}, [&] {
      auto doomed = spawn(a, body);
      while (!doomed.join_for(std::chrono::hours(1))) {  // not inline: on a stack of its own
      }
    });
    return 0;
  });
}

void check_report(const test::child_end& end, const std::string& size,
                  const std::string& function) {
  CAPTURE(end.errors);
  CHECK(end.signal == SIGABRT);
  CHECK(has(end, "weft: stack overflow in fiber "));
  CHECK(has(end, "\"doomed\""));
  CHECK(has(end, "stack of " + size + " KiB"));
  CHECK(has(end, "attributes::stack_size"));
  CHECK(has(end, "options::stack_size"));
  CHECK(has(end, function));
  CHECK(has(end, "fiber_entry"));  // down to the start
}

TEST_CASE("recursion: fiber, size, remedy and the calls from both ends") {
  if (skipped_under_asan()) return;
  const auto end = overflow_in({.name = "doomed"}, [] { return descend_for_ever(0); });
  check_report(end, "256", "descend_for_ever");
  CHECK(has(end, " calls ...\n"));
}

TEST_CASE("names with line breaks stay on the report's lines") {
  if (skipped_under_asan()) return;
  const auto end = test::in_child([] {
    run(options{.workers = 1, .name = "two\nlines"}, [] {
      auto doomed = spawn({.name = "a\nb"}, [] { return descend_for_ever(0); });
      while (!doomed.join_for(std::chrono::hours(1))) {
      }
    });
    return 0;
  });
  CAPTURE(end.errors);
  CHECK(end.signal == SIGABRT);
  CHECK(has(end, "\"a\\x0ab\""));
  CHECK(has(end, "runtime \"two\\x0alines\""));
  // bytes that are no UTF-8; and of a long name the line's end is not lost
  const auto other = overflow_in({.name = "\xff\u00e9" + std::string(5000, 'x')},
                                 [] { return descend_for_ever(0); });
  CHECK(has(other, "\"\\xff\u00e9xx"));
  CHECK(has(other, "xx...\": it has used up its stack of 256 KiB"));
}

// every kind of guard: stack_guard_test
TEST_CASE("recursion on a stack of the fiber's own size") {
  if (skipped_under_asan()) return;
  const auto end =
      overflow_in({.name = "doomed", .stack_size = 64 * 1024}, [] { return descend_for_ever(0); });
  check_report(end, "64", "descend_for_ever");
}

TEST_CASE("one huge frame does not jump the guard") {
  if (skipped_under_asan()) return;
  const attributes small{.name = "doomed", .stack_size = 64 * 1024};
  check_report(overflow_in(small, [] { return one_huge_array(); }), "64", "one_huge_array");
  const std::size_t bytes = (std::size_t{1} << 20) + static_cast<std::size_t>(sink);
  check_report(overflow_in(small, [=] { return one_huge_alloca(bytes); }), "64", "one_huge_alloca");
}

TEST_CASE("a child run inline is named together with the joiner whose stack it used up") {
  if (skipped_under_asan()) return;
  const auto end = test::in_child([] {
    run(options{.workers = 1}, [] {
      auto outer = spawn({.name = "outer", .stack_size = 128 * 1024}, [] {
        auto inner =
            spawn({.name = "inner", .stack_size = 64 * 1024}, [] { return descend_for_ever(0); });
        return inner.join();
      });
      while (!outer.join_for(std::chrono::hours(1))) {
      }
    });
    return 0;
  });
  CAPTURE(end.errors);
  CHECK(end.signal == SIGABRT);
  CHECK(has(end, "\"inner\", which runs inline on the stack of fiber "));
  CHECK(has(end, "\"outer\", its joiner: that stack of 128 KiB"));
}

TEST_CASE("an application's SIGABRT handler does not run on the signal stack of a broken fiber") {
  if (skipped_under_asan()) return;
  const auto end = test::in_child([] {
    std::signal(SIGABRT, [](int) { _exit(3); });
    run(options{.workers = 1}, [] { static_cast<void>(descend_for_ever(0)); });
    return 0;
  });
  CHECK(end.signal == SIGABRT);
}

void null_dereference() {
  volatile int* nowhere = nullptr;
  asm volatile("" : "+r"(nowhere));  // or the compiler knows, and traps instead
  *nowhere = 1;
}

TEST_CASE("another fault takes its default course, and is called no overflow") {
  if (skipped_under_asan()) return;
  const auto end = test::in_child([] {
    run(options{.workers = 1}, null_dereference);
    return 0;
  });
  CHECK(end.signal == SIGSEGV);
  CHECK_FALSE(has(end, "stack overflow"));
}

TEST_CASE("another fault reaches the application's handler, installed before or after") {
  if (skipped_under_asan()) return;
  for (const bool before : {true, false}) {
    const auto end = test::in_child([&] {
      const auto install = [] { std::signal(SIGSEGV, [](int) { _exit(42); }); };
      if (before) install();
      runtime rt(options{.workers = 1});
      if (!before) install();
      {
        const runtime another(options{.workers = 1});
      }  // does not step in front again
      rt.spawn(null_dereference).join();
      return 0;
    });
    CHECK(end.exit_code == 42);
  }
}

TEST_CASE("a pointer into a guard page is no overflow") {
  if (skipped_under_asan()) return;
  const auto end = test::in_child([] {
    run(options{.workers = 1}, [] {
      char here = 0;
      // A stack's slot is as large as aligned: the guard is its lowest page.
      auto at = reinterpret_cast<std::uintptr_t>(&here);
      at = at / (256 * 1024) * (256 * 1024) + 64;
      *reinterpret_cast<volatile char*>(at) = here;
    });
    return 0;
  });
  CHECK((end.signal == SIGSEGV || end.signal == SIGBUS));  // by the kind of guard
  CHECK_FALSE(has(end, "stack overflow"));
}

}  // namespace
