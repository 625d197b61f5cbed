// SPDX-License-Identifier: BSL-1.0
// test/unit/dump_stacks_test.cpp - the calls of fibers that wait, run or are preempted, in a dump.
#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <weft/weft.hpp>

#include "base/sanitizers.hpp"
#include "debug/stack_copy.hpp"
#include "support/dumps.hpp"
#include "support/runtimes.hpp"

namespace {

using namespace std::chrono_literals;
using weft::test::matches;
using weft::test::paragraph;
using weft::test::paragraph_of;
using weft::test::workers;

// Not leaves and not tail calls, so that they stay on the stack.
std::atomic<int> returned{0};
[[gnu::noinline]] void wait_in_here(weft::channel<int>& c) {
  static_cast<void>(c.receive());
  ++returned;
}
[[gnu::noinline]] int dig(int depth, weft::channel<int>& c) {
  volatile char room[512];
  room[0] = static_cast<char>(depth);
  if (depth == 0) wait_in_here(c);
  return (depth > 0 ? dig(depth - 1, c) : 0) + room[0];
}

// A nest: outermost_call, one of the next two, inner_call, and what waits or computes in there.
using bottom = void (*)(weft::channel<int>*, const std::atomic<bool>*);
using middle = void (*)(bottom, weft::channel<int>*, const std::atomic<bool>*);

void parks_in_here(weft::channel<int>* c, const std::atomic<bool>*) { wait_in_here(*c); }
// Calls nothing: on aarch64 it has no frame, and its return address stands in a register only.
[[gnu::noinline]] void spins_in_here(weft::channel<int>*, const std::atomic<bool>* go_on) {
  while (go_on->load(std::memory_order_relaxed)) {
  }
}
[[gnu::noinline]] void inner_call(bottom what, weft::channel<int>* c,
                                  const std::atomic<bool>* go_on) {
  [[maybe_unused]] volatile char room[200];
  room[0] = 1;
  what(c, go_on);
  ++returned;
}
[[gnu::noinline]] void middle_call(bottom what, weft::channel<int>* c,
                                   const std::atomic<bool>* go_on) {
  inner_call(what, c, go_on);
  ++returned;
}
// Its return address is signed on its way to the stack, where the processor can.
#if defined(__aarch64__)
[[gnu::target("branch-protection=pac-ret")]]
#endif
[[gnu::noinline]] void
signed_middle_call(bottom what, weft::channel<int>* c, const std::atomic<bool>* go_on) {
  inner_call(what, c, go_on);
  ++returned;
}
[[gnu::noinline]] void outermost_call(middle next, bottom what, weft::channel<int>* c,
                                      const std::atomic<bool>* go_on) {
  [[maybe_unused]] volatile char room[1000];
  room[0] = 1;
  next(what, c, go_on);
  ++returned;
}

/// True if each of them is there, once, in this order.
bool in_order(const std::string& calls, const std::vector<std::string>& names) {
  std::size_t at = 0;
  for (const std::string& name : names) {
    at = calls.find(name, at);
    if (at == std::string::npos || calls.find(name, at + 1) != std::string::npos) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("dump: the calls of a fiber that waits, each once and in order") {
  weft::runtime rt(workers(1));
  for (const bool is_signed : {false, true}) {
    weft::channel<int> c(0);
    std::vector<weft::fiber<void>> all;
    for (int i = 0; i < 3; ++i)
      all.push_back(rt.spawn([&] {
        outermost_call(is_signed ? &signed_middle_call : &middle_call, &parks_in_here, &c, nullptr);
      }));
    // alike: the second and third are not walked, but compared with the first
    const std::string p = paragraph_of("3 fibers alike", "parked, channel receive");
    CAPTURE(p);
    CHECK(in_order(
        p, {"wait_in_here", "inner_call", is_signed ? "signed_middle_call" : "::middle_call",
            "outermost_call", "run_callable"}));
    c.close();
    for (auto& f : all) f.join();
  }
}

TEST_CASE("dump: running, preempted, ready, not started") {
  weft::options o = workers(1);
  weft::runtime rt(o);
  std::atomic<bool> go_on{true}, computes{true};
  std::atomic<int> passes[2] = {0, 0};
  std::vector<weft::fiber<void>> all;
  weft::attributes a;
  for (std::atomic<int>& own_passes : passes) {
    a.name = &own_passes == passes ? "hog 1" : "hog 2";
    all.push_back(rt.spawn(a, [&] {
      do {
        outermost_call(&own_passes == passes ? &middle_call : &signed_middle_call, &spins_in_here,
                       nullptr, &computes);
        weft::this_fiber::yield();
        ++own_passes;
      } while (go_on);
    }));
  }
  // With two hogs on one worker one runs and one is frozen. But a hog may be asleep when the
  // monitor looks: it fetches a page, or a sanitizer waits for a lock. If its processor was retaken
  // then, both run until it calls weft.
  int looks = 0;
  std::string dump, running, frozen;
  weft::test::until([&] {
    if (++looks % 50 == 0) {
      const int first = passes[0], second = passes[1];
      computes = false;
      weft::test::until([&] { return passes[0] != first && passes[1] != second; });
      computes = true;
    }
    dump = weft::debug::dump_fibers();
    running = paragraph(dump, ": running on worker");
    frozen = paragraph(dump, ": preempted on worker");
    return running.find("hog") != std::string::npos && frozen.find("hog") != std::string::npos &&
           (WEFT_TSAN != 0 || (running.find("spins_in_here") != std::string::npos &&
                               frozen.find("spins_in_here") != std::string::npos));
  });
  CAPTURE(dump);
  for (const std::string& one : {running, frozen})
    if (WEFT_TSAN == 0)
      CHECK(in_order(
          one, {"spins_in_here", "inner_call", "middle_call", "outermost_call", "run_callable"}));
  for (int i = 0; i < 3; ++i) all.push_back(rt.spawn([] { weft::this_fiber::yield(); }));
  const std::string waiting = weft::debug::dump_fibers();
  CAPTURE(waiting);
  CHECK((matches(waiting, "fibers? alike: .*not started") ||
         matches(waiting, "not started|runnable|about to run") || returned > 0));
  go_on = computes = false;
  for (auto& f : all) f.join();
}

TEST_CASE("dump: a deep stack is cut, not followed to its end") {
  weft::options o = workers(1);
  o.stack_size = std::size_t{2} << 20;
  weft::runtime rt(o);
  weft::channel<int> c(0);
  auto deep = rt.spawn([&] { return dig(900, c); });
  const std::string p = paragraph_of(": parked, channel receive", "receives");
  CHECK(p.find("dig(int") != std::string::npos);
  CHECK(p.find("\n    ...") != std::string::npos);
  CHECK(c.send(1));
  static_cast<void>(deep.join());
}

// Its caller is found by the frame pointer, its tables say.
extern "C" void found_by_frame_pointer();
asm(R"(
  .text
  .p2align 4
  .type found_by_frame_pointer, %function
found_by_frame_pointer:
  .cfi_startproc
)"
#if defined(__x86_64__)
    R"(
  .cfi_def_cfa rbp, 16
  .cfi_offset rip, -8
  .cfi_offset rbp, -16
  nop
  nop
  nop
  nop
  nop
)"
#else
    R"(
  .cfi_def_cfa x29, 16
  .cfi_offset x30, -8
  .cfi_offset x29, -16
  nop
  nop
)"
#endif
    R"(
  ret
  .cfi_endproc
  .size found_by_frame_pointer, . - found_by_frame_pointer
)");

TEST_CASE("a walk that is led astray ends there, and not the process") {
  if (WEFT_TSAN != 0) return;
  const weft::runtime rt(workers(1));  // it installs the guard
  std::array<std::uintptr_t, 64> stack{};
  weft::detail::registers at;
  at.pc = reinterpret_cast<std::uintptr_t>(&found_by_frame_pointer) + 4;
  at.sp = reinterpret_cast<std::uintptr_t>(stack.data());
  at.fp = 64;
  weft::detail::stack_copy copy;
  REQUIRE(copy.take(at, at.sp, at.sp + sizeof stack));
  std::array<weft::detail::call_frame, 8> frames;
  CHECK(copy.walk(frames) == 1);
  CHECK(frames[0].address == at.pc);
  CHECK(weft::debug::dump_fibers().starts_with("weft: "));
}
