// SPDX-License-Identifier: BSL-1.0
#include <doctest/doctest.h>

#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

#include <unistd.h>

#include "os/os.hpp"
#include "support/emulator.hpp"
#include "support/in_child.hpp"

namespace {

using namespace weft;
using namespace std::chrono_literals;

TEST_CASE("futex: a changed word does not wait, a deadline ends a wait, a wake ends one") {
  std::atomic<std::uint32_t> word{1};
  os::futex_wait(word, 0);
  errno = 77;
  CHECK(os::futex_wait_until(word, 0, std::chrono::steady_clock::now() + 1h));
  CHECK_FALSE(os::futex_wait_until(word, 1, std::chrono::steady_clock::now() + 1ms));
  CHECK_FALSE(os::futex_wait_until(word, 1, std::chrono::steady_clock::time_point::min()));
  CHECK(errno == 77);
  std::thread sleeper([&] {
    while (word.load(std::memory_order_acquire) == 1) os::futex_wait(word, 1);
  });
  word.store(2, std::memory_order_release);
  os::futex_wake(word, os::wake_all);
  sleeper.join();
  CHECK(os::futex_wake(word, 1) == 0);
}

TEST_CASE("memory: reserve is aligned and zero, discard drops, both with and without vectors") {
  for (const bool vectored : {true, false}) {
    os::test_hooks.no_vectored_advice = !vectored;
    const std::size_t page = os::page_size();
    std::byte* begin = nullptr;
    REQUIRE_FALSE(os::reserve(4000 * page, 1 << 20, begin));
    CHECK(reinterpret_cast<std::uintptr_t>(begin) % (1 << 20) == 0);
    std::vector<os::range> every_other;  // more than one call takes
    for (std::size_t i = 0; i < 4000; i += 2) every_other.push_back({begin + i * page, page});
    CHECK_FALSE(os::populate(every_other));
    for (std::size_t i = 0; i < 4000; ++i) begin[i * page] = std::byte{1};
    CHECK_FALSE(os::discard(every_other));
    std::size_t ones = 0;
    for (std::size_t i = 0; i < 4000; ++i) {
      const bool dropped = begin[i * page] == std::byte{0};
      REQUIRE(dropped == (i % 2 == 0));
      ones += !dropped;
    }
    CHECK(ones == 2000);
    os::release(begin, 4000 * page);
  }
  os::test_hooks.no_vectored_advice = false;
}

TEST_CASE("memory: a guard kills, whatever kind it is, and its neighbours live") {
  for (const os::guard_kind kind :
       {os::guard_kind::page_table, os::guard_kind::write_protect, os::guard_kind::mapping}) {
    CAPTURE(static_cast<int>(kind));
    os::test_hooks.no_guard_advice = kind != os::guard_kind::page_table;
    os::test_hooks.no_userfaultfd = kind == os::guard_kind::mapping;
    if (os::guard_support() != kind) continue;  // an older kernel, or a sandbox
    const std::size_t page = os::page_size();
    const auto write_to = [&](std::size_t which) {
      return test::in_child([&] {
        std::byte* begin = nullptr;
        if (os::reserve_bare(4 * page, begin) || os::commit({begin, 4 * page})) return 1;
        os::guard_area area{{begin, 4 * page}};
        const os::range guards[] = {{begin, page}, {begin + 2 * page, page}};
        if (os::install_guards(area, guards).count != 2) return 2;
        if (os::discard({guards, 1})) return 3;  // it survives that
        begin[page] = begin[3 * page] = std::byte{1};
        static_cast<volatile std::byte*>(begin)[which * page + 8] = std::byte{1};
        return 0;
      });
    };
    for (const std::size_t guard : {1u, 3u}) CHECK(write_to(guard).exit_code == 0);
    const int signal = kind == os::guard_kind::write_protect ? SIGBUS : SIGSEGV;
    CHECK(write_to(2).signal == signal);
    if (kind != os::guard_kind::write_protect) CHECK(write_to(0).signal == signal);
  }
  os::test_hooks.no_guard_advice = false;
  os::test_hooks.no_userfaultfd = false;
  CHECK(os::current_map_count() > 5);
  CHECK(os::max_map_count() > os::current_map_count());
}

TEST_CASE(
    "clocks: monotonic time moves, a working thread's CPU clock moves, a default one is none") {
  const auto start = os::now_ns();
  os::thread_cpu_clock mine;
  mine.of(pthread_self());
  const auto cpu = mine.now_ns();
  REQUIRE(cpu >= 0);
  while (mine.now_ns() == cpu) {
  }
  CHECK(mine.now_ns() > cpu);
  CHECK(os::now_ns() > start);
  CHECK(os::thread_cpu_clock{}.now_ns() < 0);
}

TEST_CASE("threads: names are cut, ids differ, an alternate stack is installed and put back") {
  os::set_thread_name("a-name-longer-than-the-kernel-takes");
  char name[32];
  pthread_getname_np(pthread_self(), name, sizeof name);
  CHECK(std::string_view(name) == "a-name-longer-t");
  const pid_t here = os::thread_id();
  std::thread([&] { CHECK(os::thread_id() != here); }).join();

  stack_t before{}, during{}, after{};
  sigaltstack(nullptr, &before);
  {
    const os::alternate_stack alternate;
    REQUIRE_FALSE(alternate.error());
    sigaltstack(nullptr, &during);
    CHECK(during.ss_size == os::alternate_stack::size());
    CHECK(during.ss_sp != before.ss_sp);
  }
  sigaltstack(nullptr, &after);
  CHECK(after.ss_sp == before.ss_sp);
  CHECK(after.ss_flags == before.ss_flags);
}

std::atomic<int> seen_by_weft{0}, seen_by_previous{0};
std::atomic<int> seen_by_second{0};
std::atomic<bool> ours{true};
bool take_it(int, siginfo_t*, void*) {
  seen_by_weft.fetch_add(1, std::memory_order_relaxed);
  return ours.load(std::memory_order_relaxed);
}
bool never_takes_it(int, siginfo_t*, void*) {
  seen_by_second.fetch_add(1, std::memory_order_relaxed);
  return false;
}
void previous(int) { seen_by_previous.fetch_add(1, std::memory_order_relaxed); }

TEST_CASE("signals: handled in front of the previous handler, chained, restored") {
  std::signal(SIGUSR2, previous);
  REQUIRE_FALSE(os::install_signal_handler(SIGUSR2, take_it));
  REQUIRE_FALSE(os::install_signal_handler(SIGUSR2, take_it));
  REQUIRE_FALSE(os::install_signal_handler(SIGUSR2, never_takes_it));
  CHECK(os::install_signal_handler(99, take_it));
  CHECK_FALSE(os::signal_thread(os::thread_id(), SIGUSR2));  // to oneself: delivered on return
  CHECK(seen_by_weft == 1);
  CHECK(seen_by_second == 0);
  CHECK(seen_by_previous == 0);
  ours = false;
  CHECK_FALSE(os::signal_thread(os::thread_id(), SIGUSR2));
  CHECK(seen_by_weft == 2);
  CHECK(seen_by_second == 1);
  CHECK(seen_by_previous == 1);
  {
    const os::block_signals none;
    CHECK_FALSE(os::signal_thread(os::thread_id(), SIGUSR2));
    CHECK(seen_by_weft == 2);
    os::unblock_signal(SIGUSR2);
    CHECK(seen_by_weft == 3);
  }
  os::restore_signal_handler(SIGUSR2);
  CHECK_FALSE(os::signal_thread(os::thread_id(), SIGUSR2));
  CHECK(seen_by_weft == 3);
  CHECK(seen_by_previous == 3);
}

std::atomic<int> seen_whole{0}, seen_in_part{0};
void with_info(int signal, siginfo_t* info, void*) {
  const bool whole = info != nullptr && info->si_signo == signal;
  (whole ? seen_whole : seen_in_part).fetch_add(1, std::memory_order_relaxed);
}
void without_info(int) { seen_whole.fetch_add(1, std::memory_order_relaxed); }

// Another action each time, of another kind. (ThreadSanitizer sees an action that is overwritten.)
TEST_CASE("SIG-1: a signal finds a whole action while weft comes and goes in front of it" *
          test::not_under_qemu("its sigaction(2) changes an action piece by piece")) {
  struct sigaction before{}, kinds[2]{};
  kinds[0].sa_sigaction = with_info;
  kinds[0].sa_flags = SA_SIGINFO;
  kinds[1].sa_handler = without_info;
  REQUIRE(sigaction(SIGUSR2, &kinds[0], &before) == 0);
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i)
    threads.emplace_back([&] {
      while (!stop.load(std::memory_order_relaxed))
        static_cast<void>(os::signal_thread(os::thread_id(), SIGUSR2));
    });
  for (int i = 0; i < 500; ++i) {
    sigaction(SIGUSR2, &kinds[i % 2], nullptr);
    REQUIRE_FALSE(os::install_signal_handler(SIGUSR2, never_takes_it));
    const int seen = seen_whole.load(std::memory_order_relaxed);
    while (seen_whole.load(std::memory_order_relaxed) == seen) std::this_thread::yield();
    os::restore_signal_handler(SIGUSR2);
  }
  stop = true;
  for (auto& t : threads) t.join();
  CHECK(seen_in_part == 0);
  sigaction(SIGUSR2, &before, nullptr);
}

TEST_CASE("signals: a default action behind weft still happens") {
  const auto dies = test::in_child([] {
    os::install_signal_handler(SIGUSR1, [](int, siginfo_t*, void*) { return false; });
    os::signal_thread(os::thread_id(), SIGUSR1);
    for (;;) usleep(1000);  // TSan delivers at the next call that may block
    return 0;
  });
  CHECK(dies.signal == SIGUSR1);
  const auto faults = test::in_child([] {
    os::install_signal_handler(SIGSEGV, [](int, siginfo_t*, void*) { return false; });
    std::byte* page = nullptr;
    if (os::reserve(os::page_size(), os::page_size(), page)) return 1;
    if (os::guard_page({page, os::page_size()})) return 2;
    *static_cast<volatile std::byte*>(page) = std::byte{1};
    return 0;
  });
  CHECK(faults.signal == SIGSEGV);
  const auto ignored = test::in_child([] {
    os::install_signal_handler(SIGURG, [](int, siginfo_t*, void*) { return false; });
    os::signal_thread(os::thread_id(), SIGURG);
    os::signal_thread(os::thread_id(), SIGURG);
    os::write_stderr("alive");
    return 7;
  });
  CHECK(ignored.exit_code == 7);
  CHECK(ignored.errors == "alive");
}

}  // namespace
