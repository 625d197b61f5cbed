// SPDX-License-Identifier: BSL-1.0
// unit/signal_flags_test.cpp - what the kernel would do for the handler behind weft's: SA_RESETHAND
// and SA_NODEFER; and for a signal of weft's when the user has too many that wait.
#include <atomic>
#include <csetjmp>
#include <csignal>
#include <string>

#include <sys/resource.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "support/in_child.hpp"
#include "support/runtimes.hpp"
#include "support/storm.hpp"

using namespace weft::test;

namespace {

void install(int signal, void (*handler)(int), int flags) {
  struct sigaction mine{};
  mine.sa_handler = handler;
  mine.sa_flags = flags;
  sigemptyset(&mine.sa_mask);
  REQUIRE(::sigaction(signal, &mine, nullptr) == 0);
}
void says_handled(int) { static_cast<void>(!::write(STDERR_FILENO, "handled\n", 8)); }
void fault() { ::raise(SIGSEGV); }

int count(const std::string& text, const std::string& what) {
  int n = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += what.size()) ++n;
  return n;
}

std::jmp_buf before_the_fault;
void leaves(int) { std::longjmp(before_the_fault, 1); }

}  // namespace

// An instruction that faults again and again must not call such a handler for ever.
TEST_CASE("a handler with SA_RESETHAND is called once, then the signal's default acts") {
  for (const int signal : {SIGSEGV, SIGILL, SIGABRT, SIGURG}) {
    CAPTURE(signal);
    const child_end end = in_child([signal] {
      install(signal, &says_handled, static_cast<int>(SA_RESETHAND));
      return weft::run([signal] {
        for (int i = 0; i < 3; ++i) ::raise(signal);
        return 0;
      });
    });
    CHECK(count(end.errors, "handled") == 1);
    CHECK(end.signal == (signal == SIGURG ? 0 : signal));  // SIGURG's default is nothing
  }
}

TEST_CASE("a handler with SA_NODEFER may leave by longjmp, and gets the next signal") {
  const child_end end = in_child([] {
    install(SIGSEGV, &leaves, static_cast<int>(SA_NODEFER));
    weft::options o;
    o.dump_on_crash = false;
    const weft::runtime rt(o);
    static volatile int left = 0;
    if (setjmp(before_the_fault) != 0) left = left + 1;
    if (left < 3) fault();
    return left;
  });
  CHECK(end.signal == 0);
  CHECK(end.exit_code == 3);
}

// Then the kernel delivers weft's signal without what says whose it is.
TEST_CASE("no room for another signal of this user: loops are preempted, and nobody is killed") {
  if (no_preemption_here()) return;
  for (const int signal : {SIGURG, SIGUSR1}) {
    CAPTURE(signal);
    const child_end end = in_child([signal] {
      const rlimit none{0, 0};
      if (::setrlimit(RLIMIT_SIGPENDING, &none) != 0) return 1;
      weft::options o = workers(1);
      o.preempt_signal = signal;
      o.dump_on_crash = false;
      weft::runtime rt(o);
      std::atomic<bool> enough{false};
      auto loop = rt.spawn([&] { spin_until(enough); });
      rt.spawn([&] { enough.store(true, std::memory_order_release); }).join();
      loop.join();
      return 0;
    });
    CHECK(end.signal == 0);
    CHECK_MESSAGE(end.exit_code == 0, end.errors);
  }
}
