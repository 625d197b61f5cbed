// SPDX-License-Identifier: BSL-1.0
// Whether a thread that blocks keeps its processor for a moment: only if no CPU would idle, and if
// blocks are as short as it hopes.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>

#include "os/os.hpp"
#include "watch/block_patience.hpp"

using namespace weft;
using detail::block_patience;

namespace {

constexpr std::int64_t us = 1000, ms = 1'000'000;

struct pretended_load {
  explicit pretended_load(int runnable) { set(runnable); }
  pretended_load(const pretended_load&) = delete;
  pretended_load& operator=(const pretended_load&) = delete;
  ~pretended_load() { set(-1); }
  static void set(int runnable) noexcept {
    os::test_hooks.runnable_threads.store(runnable, std::memory_order_relaxed);
  }
};
const int busy = static_cast<int>(os::online_cpus()) + 1;  // the caller, too

// It has asked often enough to know.
void ask(block_patience& p, std::int64_t& now) {
  for (int i = 0; i < 16; ++i, now += block_patience::ask_again_ns)
    static_cast<void>(p.waits(now, 0));
}

}  // namespace

TEST_CASE("a CPU that idles: no patience") {
  const pretended_load load(busy - 1);
  block_patience p;
  for (std::int64_t now = ms; now < 20 * ms; now += ms) CHECK_FALSE(p.waits(now, 0));
}

TEST_CASE("all CPUs busy: a moment, and no longer") {
  const pretended_load load(busy);
  block_patience p;
  std::int64_t now = ms;
  CHECK_FALSE(p.waits(now, 0));  // one answer proves nothing
  ask(p, now);
  CHECK(p.waits(now, 100 * us));
  CHECK(p.waits(now + 100 * us, 999 * us));
  CHECK_FALSE(p.waits(now + 200 * us, block_patience::longest_ns));
}

TEST_CASE("CPUs that idle for a moment change nothing; for longer, they do") {
  const pretended_load load(busy);
  block_patience p;
  std::int64_t now = ms;
  const auto looks_until = [&](bool patient) {
    int looks = 0;
    for (; p.waits(now, 0) != patient && looks < 100; now += block_patience::ask_again_ns) ++looks;
    return looks;
  };
  ask(p, now);
  for (int i = 0; i < 20; ++i, now += block_patience::ask_again_ns) {
    load.set(i % 4 == 0 ? 1 : busy);
    CHECK(p.waits(now, 0));
  }
  load.set(1);
  CHECK(looks_until(false) >= 4);
  load.set(busy);
  CHECK(looks_until(true) < 16);
  now += 200 * ms;  // what was long ago is forgotten
  CHECK_FALSE(p.waits(now, 0));
}

TEST_CASE("long blocks: no patience for 50 ms, then one is tried") {
  const pretended_load load(busy);
  block_patience p;
  std::int64_t now = ms;
  ask(p, now);
  const auto one_is_long = [&] {
    CHECK(p.waits(now, 0));
    now += 2 * ms;
    CHECK_FALSE(p.waits(now, 2 * ms));
  };
  one_is_long();
  one_is_long();
  for (int round = 0; round < 3; ++round) {
    for (const std::int64_t end = now + block_patience::hurry_ns - 1; now < end; now += ms)
      CHECK_FALSE(p.waits(now, 0));
    now += ms;
    one_is_long();
  }
}

TEST_CASE("short blocks: one that is long among them changes nothing") {
  const pretended_load load(busy);
  block_patience p;
  std::int64_t now = ms;
  ask(p, now);
  for (int i = 0; i < 100; ++i) {
    for (int k = 0; k < 2; ++k, now += ms) {
      CHECK(p.waits(now, 0));
      p.came_back();
    }
    CHECK_FALSE(p.waits(now, 2 * ms));
  }
  CHECK(p.waits(now, 0));
}

TEST_CASE("without /proc: not known, no patience") {
  os::test_hooks.no_proc.store(true, std::memory_order_relaxed);
  CHECK(os::runnable_threads().count() == -1);
  block_patience p;
  CHECK_FALSE(p.waits(ms, 0));
  os::test_hooks.no_proc.store(false, std::memory_order_relaxed);
}

TEST_CASE("the kernel's text, and what is none") {
  os::runnable_threads r;
  CHECK(r.count() >= 1);  // the caller runs
  CHECK(r.count() >= 1);
  CHECK(os::parse_runnable_threads("0.20 0.18 0.12 3/80 11206\n") == 3);
  CHECK(os::parse_runnable_threads("0.20 0.18 0.12 1200/8000 1\n") == 1200);
  for (const char* text : {"", "0.20", "0.20 0.18 0.12", "0.20 0.18 0.12 ", "0.20 0.18 0.12 3",
                           "0.20 0.18 0.12 -3/80 1", "a b c d/e f", "0.2 0.1 0.1 99999999999/1"})
    CHECK_MESSAGE(os::parse_runnable_threads(text) == -1, text);
}

TEST_CASE("a program that closes what it does not know") {
  os::runnable_threads r;
  const int free = ::dup(0);
  ::close(free);
  REQUIRE(r.count() >= 1);
  REQUIRE(::fcntl(free, F_GETFD) != -1);  // that is its number
  ::close(free);
  CHECK(r.count() >= 1);
  const int null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, free);
  CHECK(r.count() >= 1);
  CHECK(::fcntl(null, F_GETFD) != -1);
  ::close(null);
  ::close(free);
}
