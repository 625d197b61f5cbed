// SPDX-License-Identifier: BSL-1.0
// What lies below a fiber's stack, on the kernels people have: many fibers, and an overflow, with
// each kind of guard page, and where guard pages run out. Everything happens in children whose
// kernel is older than ours.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <alloca.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <weft/weft.hpp>

#include "base/sanitizers.hpp"
#include "fiber/stack_pool.hpp"
#include "os/os.hpp"
#include "sched/park.hpp"
#include "support/emulator.hpp"
#include "support/in_child.hpp"
#include "support/old_kernel.hpp"
#include "support/runtimes.hpp"

namespace {

using namespace weft;
using namespace weft::test;
using namespace std::chrono_literals;

constexpr int no_filter = 77;
constexpr kernel kernels[] = {kernel::newest, kernel::userfaultfd, kernel::mprotect,
                              kernel::sandboxed};

bool has(const child_end& end, const std::string& text) {
  return end.errors.find(text) != std::string::npos;
}

template <class F>
child_end on_kernel(kernel k, F body, unsigned seconds = 100) {
  return in_child([&] {
    alarm(seconds);
    return become(k) ? body() : no_filter;
  });
}

int sleepers(int n) {
  return run([n] {
    std::vector<fiber<int>> fibers;
    std::atomic<int> begun{0};
    for (int i = 0; i < n; ++i)
      fibers.push_back(spawn([i, n, &begun] {
        ++begun;
        do static_cast<void>(this_fiber::sleep_for(50ms));
        while (begun < n);  // all of them at the same time
        return i % 2;
      }));
    int odd = 0;
    for (auto& f : fibers) odd += f.join();
    return odd == n / 2 ? 0 : 1;
  });
}

volatile int sink = 0;

// Touches each page down to `bytes` below the caller.
[[gnu::noinline]] void reach_down(std::size_t bytes) {
  volatile char frame[1024];
  frame[bytes % sizeof frame] = 1;
  if (bytes > sizeof frame + 128) reach_down(bytes - sizeof frame - 128);
  frame[0] = frame[bytes % sizeof frame];
}
[[gnu::noinline]] int descend_for_ever(int depth) {
  volatile char frame[64];
  frame[depth % 64] = static_cast<char>(depth);
  const int below = sink >= 0 ? descend_for_ever(depth + 1) : 0;
  return below + frame[0];
}

// As many guarded stacks as there may be are taken; the body's fibers get others.
template <class F>
child_end beyond_the_guards(F body, options o = {.workers = 1}) {
  return on_kernel(kernel::sandboxed, [&] {
    os::test_hooks.most_guards = 100;
    return run(o, [&] {
      std::vector<fiber<>> parked;
      for (int i = 0; i < 200; ++i) parked.push_back(spawn([] { park_until_stopped(); }));
      this_fiber::yield();
      const int code = body();
      for (auto& f : parked) f.request_stop();
      for (auto& f : parked) f.join();
      return code;
    });
  });
}

template <class F>
int join_doomed(F body) {
  auto doomed = spawn({.name = "doomed"}, body);
  while (!doomed.join_for(1h)) {  // not inline: on a stack of its own
  }
  return 0;
}

void check_report(const child_end& end) {
  if (end.exit_code == no_filter) return;
  CAPTURE(end.errors);
  CHECK(end.signal == SIGABRT);
  CHECK(has(end, "weft: stack overflow in fiber "));
  CHECK(has(end, "\"doomed\""));
  CHECK(has(end, "stack of 256 KiB"));
  CHECK(has(end, "options::stack_size"));
}

// On ours the program of README's first screen is a test of its own.
TEST_CASE("more sleepers than the mappings of a process would guard, on every older kernel") {
  const std::pair<kernel, std::size_t> all[] = {
      {kernel::userfaultfd, 100'000}, {kernel::mprotect, 20'000}, {kernel::sandboxed, 40'000}};
  for (const auto& one : all) {
    const kernel k = one.first;
    const std::size_t n = one.second;
    CAPTURE(static_cast<int>(k));
    const child_end end =
        on_kernel(k, [&] { return sleepers(static_cast<int>(scaled(n) / 2 * 2)); });
    CAPTURE(end.errors);
    CHECK((end.exit_code == 0 || end.exit_code == no_filter));
    if (end.exit_code == 0 && !WEFT_TSAN && !WEFT_ASAN && os::max_map_count() < 80'000)
      CHECK(has(end, "sysctl -w vm.max_map_count=") == (k != kernel::userfaultfd));
  }
}

// Takes 4.5 GB and a minute: variant/million_sleepers, of tools/test --full.
TEST_CASE("a million fibers asleep at a time, on every kernel" * doctest::skip()) {
  constexpr int n = 1'000'000;
  for (const kernel k : kernels) {
    CAPTURE(static_cast<int>(k));
    const child_end end = on_kernel(
        k,
        [] {
          return run([] {
            std::atomic<int> asleep{0}, awake{0};
            event go;
            {
              scope all;
              for (int i = 0; i < n; ++i)
                all.spawn([&] {
                  ++asleep;
                  go.wait();
                  ++awake;
                });
              until([&] { return asleep == n; });
              go.set();
              all.join();
            }
            return awake == n ? 0 : 1;
          });
        },
        600);
    CAPTURE(end.errors);
    CHECK((end.exit_code == 0 || end.exit_code == no_filter));
  }
}

TEST_CASE("an overflow is reported with every kind of guard") {
  if (WEFT_ASAN) return;  // reports overflows itself
  for (const kernel k : kernels) {
    CAPTURE(static_cast<int>(k));
    const child_end end = on_kernel(k, [] {
      return run(options{.workers = 1}, [] { return join_doomed([] { descend_for_ever(0); }); });
    });
    check_report(end);
    if (end.exit_code != no_filter) CHECK(has(end, "descend_for_ever"));
  }
}

TEST_CASE("userfaultfd: a forked child has its guards, and so have those it makes") {
  if (WEFT_ASAN) return;
  const child_end end = on_kernel(kernel::userfaultfd, [] {
    if (os::guard_support() != os::guard_kind::write_protect) return 70;
    run([] {
      std::vector<fiber<>> some;
      for (int i = 0; i < 200; ++i)
        some.push_back(spawn([] { static_cast<void>(this_fiber::sleep_for(1ms)); }));
      for (auto& f : some) f.join();
    });
    const child_end inner = in_child([] {
      return run(options{.workers = 1}, [] { return join_doomed([] { descend_for_ever(0); }); });
    });
    // The report, or the bare signal where in_child has taken the report away.
    if (inner.signal != SIGBUS && !(inner.signal == SIGABRT && has(inner, "stack overflow"))) {
      std::fprintf(stderr, "inner child: signal %d, %s\n", inner.signal, inner.errors.c_str());
      return 71;
    }
    return sleepers(1000);  // and the parent's are as they were
  });
  CAPTURE(end.errors);
  if (end.exit_code == no_filter || end.exit_code == 70) return;
  CHECK(end.exit_code == 0);
}

TEST_CASE(
    "stacks without a guard: full use is no overflow, and stderr says once that there are some") {
  const child_end end = beyond_the_guards([] {
    for (int round = 0; round < 3; ++round) {
      std::vector<fiber<>> all;
      for (int i = 0; i < 50; ++i)
        all.push_back(spawn([] {
          reach_down((WEFT_ASAN != 0 ? 160 : 240) * 1024);  // its frames are larger there
          this_fiber::yield();
          static_cast<void>(this_fiber::sleep_for(1ms));
        }));
      for (auto& f : all)
        while (!f.join_for(1h)) {
        }
    }
    return detail::stack_pool_statistics().checked > 0 ? 0 : 2;
  });
  if (end.exit_code == no_filter) return;
  CAPTURE(end.errors);
  CHECK(end.exit_code == 0);
  const std::size_t first = end.errors.find("weft: guard pages take two mappings");
  CHECK(first != std::string::npos);
  CHECK(end.errors.find("weft: guard pages take two mappings", first + 1) == std::string::npos);
}

TEST_CASE(
    "stacks without a guard: an overflow is found at the end, at a deep park, and while it runs") {
  if (WEFT_ASAN || WEFT_TSAN) return;
  constexpr std::size_t too_deep = 280 * 1024;  // by less than the red zone
  SUBCASE("at the end") {
    const child_end end =
        beyond_the_guards([] { return join_doomed([] { reach_down(too_deep); }); });
    check_report(end);
    if (end.exit_code != no_filter) CHECK(has(end, "has no guard page"));
  }
  SUBCASE("at a deep park") {
    const child_end end = beyond_the_guards([] {
      return join_doomed([] {
        auto* const deep = static_cast<volatile char*>(alloca(230 * 1024));
        deep[0] = 1;
        asm volatile("" : : "r"(deep) : "memory");  // or clang keeps the one byte that is used
        reach_down(too_deep - 230 * 1024);
        for (;;) static_cast<void>(this_fiber::sleep_for(1h));
      });
    });
    check_report(end);
  }
  SUBCASE("while it runs") {
    const child_end end = beyond_the_guards([] {
      return join_doomed([] {
        reach_down(too_deep);
        while (sink == 0) {
        }
      });
    });
    check_report(end);
  }
  SUBCASE("by a frame that jumps over the red zone") {
    const child_end end = beyond_the_guards([] {
      return join_doomed([] {
        const detail::fiber_record& self = detail::this_agent();
        auto* const below = self.stack_limit - os::page_size() - 64 * 1024;
        *static_cast<volatile std::byte*>(below - 8) = std::byte{1};
      });
    });
    check_report(end);
  }
}

TEST_CASE(
    "stack_guard_policy::page: who finds no guarded stack fails at once, and its join says why") {
  const child_end end = on_kernel(kernel::sandboxed, [] {
    os::test_hooks.most_guards = 100;
    runtime rt(options{.workers = 1, .stack_guard = stack_guard_policy::page});
    std::vector<fiber<>> all;
    std::atomic<std::size_t> begun{0};
    for (int i = 0; i < 20'000; ++i)
      all.push_back(rt.spawn([&] {
        ++begun;
        park_until_stopped();
      }));
    until([&] { return rt.fibers() == begun; });  // the others have failed
    int failed = 0;
    std::string text;
    for (auto& f : all) f.request_stop();
    for (auto& f : all) try {
        f.join();
      } catch (const std::system_error& e) {
        if (e.code() == std::errc::not_enough_memory) ++failed;
        text = e.what();
      }
    os::write_stderr(text);
    if (begun > 100 || failed != 20'000 - static_cast<int>(begun)) return 2;
    rt.spawn([] {}).join();  // what was there is usable again
    return static_cast<int>(rt.shutdown());
  });
  if (end.exit_code == no_filter) return;
  CAPTURE(end.errors);
  CHECK(end.exit_code == 0);
  CHECK(has(end, "no stack of 256 KiB for a fiber: no mapping left"));
  CHECK(has(end, "sysctl -w vm.max_map_count="));
}

TEST_CASE("locked memory: stacks are locked as they are touched, and have guards of another kind" *
          not_under_qemu("it has no mlock2(2)")) {
  if (WEFT_ASAN || WEFT_TSAN) return;
  for (const kernel k : {kernel::newest, kernel::sandboxed}) {
    const child_end end = on_kernel(k, [] {
      if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) return no_filter;
      if (const int code = sleepers(2000)) return code;
      rusage used{};
      getrusage(RUSAGE_SELF, &used);
      if (used.ru_maxrss > 300 * 1024) return 3;  // KiB; all of their stacks would be 500 MiB
      return run(options{.workers = 1}, [] { return join_doomed([] { descend_for_ever(0); }); });
    });
    if (end.exit_code == no_filter) return;
    check_report(end);
  }
}

TEST_CASE("where memory is committed strictly, only the stacks in use count" *
          not_under_qemu("setrlimit(RLIMIT_DATA) has no effect there")) {
  if (WEFT_ASAN || WEFT_TSAN) return;
  const child_end end = on_kernel(kernel::newest, [] {
    const rlimit tight{std::size_t{700} << 20, std::size_t{700} << 20};
    // counts what can be written, as vm.overcommit_memory = 2 does
    if (setrlimit(RLIMIT_DATA, &tight) != 0) return 4;
    if (const int code = sleepers(1000)) return code;  // 250 MiB; the slabs are 1 GiB
    return run([] {
      std::vector<fiber<>> all;
      std::size_t failed = 0;
      for (int i = 0; i < 4000; ++i) all.push_back(spawn([] { park_until_stopped(); }));
      this_fiber::yield();
      static_cast<void>(this_fiber::sleep_for(10ms));
      for (auto& f : all) f.request_stop();
      for (auto& f : all) try {
          f.join();
        } catch (const std::system_error& e) {
          failed += e.code() == std::errc::not_enough_memory ? 1 : 0;
        }
      return failed < 4000 ? 0 : 5;
    });
  });
  CAPTURE(end.errors);
  CHECK(end.exit_code == 0);
}

TEST_CASE("without membarrier, from the start") {
  const child_end end = in_child([] {
    alarm(100);
    return refuse({{SYS_membarrier, EPERM}}) ? sleepers(2000) : no_filter;
  });
  CAPTURE(end.errors);
  CHECK((end.exit_code == 0 || end.exit_code == no_filter));
}

}  // namespace
