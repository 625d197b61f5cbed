// SPDX-License-Identifier: BSL-1.0
// Profilers and debuggers see whole fiber stacks: by the unwind tables (perf --call-graph dwarf,
// heaptrack, gdb) and by frame pointers (perf record -g, the kernel), a walk reaches the fiber's
// entry and ends there.
#include <weft/weft.hpp>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <vector>

#include <unwind.h>

#include "base/sanitizers.hpp"
#include "fiber/stack_pool.hpp"
#include "os/os.hpp"
#include "sched/worker.hpp"
#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

constexpr int depth = 100;

struct walk {
  std::vector<std::uintptr_t> functions;  // from the innermost; where each begins
  std::uintptr_t last_frame = 0;          // its stack pointer
  bool ended_by_itself = false;
};

_Unwind_Reason_Code add_frame(_Unwind_Context* frame, void* to) {
  walk& w = *static_cast<walk*>(to);
  const std::uintptr_t ip = _Unwind_GetIP(frame);
  if (ip == 0) return _URC_NO_REASON;
  w.functions.push_back(reinterpret_cast<std::uintptr_t>(
      _Unwind_FindEnclosingFunction(reinterpret_cast<void*>(ip - 1))));
  w.last_frame = _Unwind_GetCFA(frame);
  return w.functions.size() > 1000 ? _URC_END_OF_STACK : _URC_NO_REASON;
}

// which has room: a signal handler must not allocate
[[gnu::noinline]] void by_tables_into(walk& w) {
  w.ended_by_itself =
      _Unwind_Backtrace(&add_frame, &w) == _URC_END_OF_STACK && w.functions.size() <= 1000;
}

[[gnu::noinline]] walk by_tables() {
  walk w;
  w.functions.reserve(1100);
  by_tables_into(w);
  return w;
}

// As the kernel walks: a pair (frame above, return address) at each frame pointer, until the frame
// is null.
[[gnu::noinline]] walk by_frame_pointers() {
  walk w;
  w.functions.reserve(1100);
  auto* frame = static_cast<std::uintptr_t*>(__builtin_frame_address(0));
  while (frame != nullptr && w.functions.size() < 1000) {
    w.last_frame = reinterpret_cast<std::uintptr_t>(frame);
    const std::uintptr_t above = frame[0], back = frame[1];
    w.functions.push_back(reinterpret_cast<std::uintptr_t>(
        _Unwind_FindEnclosingFunction(reinterpret_cast<void*>(back - 1))));
    if (above == 0) {
      w.ended_by_itself = true;
      break;
    }
    if (above <= reinterpret_cast<std::uintptr_t>(frame)) break;  // not a stack any more
    frame = reinterpret_cast<std::uintptr_t*>(above);
  }
  return w;
}

using walker = walk (*)();

[[gnu::noinline]] walk deep(int n, walker how) {
  if (n == 0) return how();
  // Through a pointer nobody sees through, or the compiler makes copies of it that count as other
  // functions.
  auto* next = &deep;
  asm volatile("" : "+r"(next));
  walk w = next(n - 1, how);
  asm volatile("" : : : "memory");  // no tail call
  return w;
}

std::size_t frames_of_deep(const walk& w) {
  auto* const f = &deep;
  std::uintptr_t begin = 0;
  std::memcpy(&begin, &f, sizeof begin);
  return static_cast<std::size_t>(std::count(w.functions.begin(), w.functions.end(), begin));
}

// Call it from the fiber the walk is of.
void check(const walk& w, std::size_t deeps = depth + 1) {
  CHECK(w.ended_by_itself);
  CHECK(frames_of_deep(w) == deeps);
  REQUIRE(w.functions.size() > deeps);
  const weft::detail::fiber_record* f = weft::detail::this_worker()->current;
  while (f->has(weft::detail::fiber_record::inlined)) f = f->outer;
  const auto top = reinterpret_cast<std::uintptr_t>(f->stack_limit) +
                   weft::detail::slot_size(f->stack) - weft::os::page_size();
  CHECK(w.last_frame <= top);
  CHECK(w.last_frame > top - 2048);  // up to 15 cache lines below the top, and what the entry keeps
}

template <class Body>
void on_one_worker(Body body) {
  weft::options o;
  o.workers = 1;
  with_runtime(o, [&](weft::runtime& rt) { rt.spawn(body).join(); });
}

constexpr walker walkers[] = {&by_tables, &by_frame_pointers};

}  // namespace

TEST_CASE("a walk from deep inside a fiber reaches its entry and ends there") {
  for (const walker how : walkers) {
    CAPTURE(how == &by_tables);
    on_one_worker([&] { check(deep(depth, how)); });
  }
}

TEST_CASE("both ways see the same functions, and nothing below the entry") {
  on_one_worker([] {
    const walk tables = deep(depth, &by_tables), frames = deep(depth, &by_frame_pointers);
    REQUIRE(tables.functions.size() >= frames.functions.size());
    // The innermost differ by the walker itself.
    const auto from = tables.functions.end() - static_cast<std::ptrdiff_t>(depth + 3);
    CHECK(std::equal(from, tables.functions.end(),
                     frames.functions.end() - static_cast<std::ptrdiff_t>(depth + 3)));
    CHECK(std::find(tables.functions.begin(), tables.functions.end(), std::uintptr_t{0}) ==
          tables.functions.end());
    CHECK(std::find(frames.functions.begin(), frames.functions.end(), std::uintptr_t{0}) ==
          frames.functions.end());
  });
}

TEST_CASE("the same after it has waited, and on another thread") {
  for (const walker how : walkers) {
    weft::options o;
    o.workers = 4;
    with_runtime(o, [&](weft::runtime& rt) {
      std::vector<weft::fiber<void>> fibers;
      for (int i = 0; i < 16; ++i)
        fibers.push_back(rt.spawn([&] {
          for (int round = 0; round < 4; ++round) {
            weft::this_fiber::sleep_for(1ms);
            weft::this_fiber::yield();
            check(deep(depth, how));
          }
        }));
      for (auto& f : fibers) f.join();
    });
  }
}

TEST_CASE("a stack that runs fiber after fiber has one entry, whoever is on it") {
  for (const walker how : walkers)
    on_one_worker([&] {
      std::vector<std::uintptr_t> entries;
      for (int i = 0; i < 3; ++i)
        weft::spawn([&] {
          const walk w = deep(depth, how);
          check(w);
          entries.push_back(w.functions.back());
          weft::this_fiber::yield();
        }).detach();
      while (entries.size() < 3) weft::this_fiber::yield();
      CHECK(entries[0] == entries[1]);
      CHECK(entries[1] == entries[2]);
    });
}

TEST_CASE(
    "a child that its joiner runs has the joiner's frames below it, down to the entry of the "
    "stack") {
  for (const walker how : walkers)
    on_one_worker([&] {
      struct {
        walker how;
        [[gnu::noinline]] void operator()(int levels) const {
          if (levels == 0) {
            check(deep(depth, how));
            return;
          }
          auto child = weft::spawn(*this, levels - 1);
          child.join();
        }
      } const nest{how};
      nest(3);
    });
}

namespace {
walk in_handler;
void on_signal(int) { by_tables_into(in_handler); }
}  // namespace

TEST_CASE("a walk from a signal handler on its own stack goes on through the interrupted fiber") {
  struct sigaction action{}, before{};
  action.sa_handler = &on_signal;
  action.sa_flags = SA_ONSTACK;
  REQUIRE(sigaction(SIGUSR2, &action, &before) == 0);
  in_handler.functions.reserve(1100);
  on_one_worker([&] {
    check(deep(
        depth, +[] {
          std::raise(SIGUSR2);
          return in_handler;
        }));
  });
  sigaction(SIGUSR2, &before, nullptr);
}
