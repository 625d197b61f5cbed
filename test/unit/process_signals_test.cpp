// SPDX-License-Identifier: BSL-1.0
// What weft does to the process's signals: masks are inherited, handlers stand in one chain that
// never leads back.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <sys/mman.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "support/emulator.hpp"
#include "support/in_child.hpp"
#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

sigset_t only(int signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  return set;
}

// The main thread and weft's, in whose mask `signal` is blocked, and all. ThreadSanitizer has a
// thread that blocks everything.
struct blocked_in {
  int blocked = 0, threads = 0;
};
blocked_in count_blocked(int signal) {
  blocked_in n;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream status(task.path() / "status");
    const bool is_main = task.path().filename() == std::to_string(getpid());
    for (std::string line; std::getline(status, line);)
      if (line.starts_with("Name:") && !is_main && line.find("weft") == std::string::npos) {
        break;
      } else if (line.starts_with("SigBlk:")) {
        ++n.threads;
        n.blocked += static_cast<int>(std::stoull(line.substr(7), nullptr, 16) >> (signal - 1) & 1);
      }
  }
  return n;
}

// Every kind of thread that weft makes is there: workers, spares, monitor, service thread, offload,
// profiler, recorder.
template <class Body>
void with_all_threads(const std::string& name, Body&& body) {
  weft::options o;
  o.workers = 2;
  o.max_threads = 8;
  weft::runtime rt(o);
  weft::profile::options p;
  p.path = name + ".folded";
  weft::profile::start(p);
  weft::trace::options t;
  t.path = name + ".trace";
  weft::trace::start(t);
  weft::event end;
  auto offloaded = rt.spawn([&] { weft::offload([&] { end.wait(); }); });
  auto blocked = rt.spawn([&] {
    // retaken from, when the monitor comes to it: a spare
    while (weft::metrics(rt).threads <= 2) std::this_thread::sleep_for(20ms);
    end.wait();
  });
  until([&] { return weft::metrics(rt).threads > 2 && rt.offloads().threads == 1; });
  body(rt);
  end.set();
  offloaded.join();
  blocked.join();
  weft::trace::stop();
  weft::profile::stop();
  unlink(p.path.c_str());
  unlink(t.path.c_str());
}

volatile std::sig_atomic_t calls = 0;
struct sigaction before;
void chains(int signal, siginfo_t* info, void* context) {
  calls = calls + 1;
  if (calls > 100) _exit(77);
  if ((before.sa_flags & SA_SIGINFO) != 0) {
    before.sa_sigaction(signal, info, context);
  } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
    before.sa_handler(signal);
  } else if (signal == SIGSEGV) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
}
// As crash reporters that put back what was there and let it strike again.
void puts_back(int signal, siginfo_t*, void*) {
  calls = calls + 1;
  if (calls > 100) _exit(77);
  sigaction(signal, &before, nullptr);
  std::raise(signal);
}
void counts(int) { calls = calls + 1; }

void install(int signal, void (*handler)(int, siginfo_t*, void*)) {
  struct sigaction mine{};
  mine.sa_sigaction = handler;
  mine.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigaction(signal, &mine, &before);
}

void run_a_runtime() {
  weft::run([] { weft::this_fiber::yield(); });
}

}  // namespace

TEST_CASE(
    "a signal blocked before the runtime is made is blocked in all its threads, and crashes in "
    "none") {
  const child_end end = in_child([] {
    alarm(60);
    const sigset_t term = only(SIGTERM);
    sigset_t old;
    pthread_sigmask(SIG_BLOCK, &term, &old);
    sigset_t crashes = only(SIGSEGV);
    pthread_sigmask(SIG_BLOCK, &crashes, nullptr);  // by mistake: here only
    int failed = 0;
    with_all_threads("process_signals_test_" + std::to_string(getpid()), [&](weft::runtime& rt) {
      until([] { return count_blocked(SIGTERM).threads >= 8; });  // they have got their names
      const blocked_in n = count_blocked(SIGTERM);
      if (n.blocked != n.threads) failed = 1;
      // a thread that comes up blocks all for a moment
      if (!qemu_lacks("SIGSEGV blocked in what /proc shows of a thread"))
        until([] { return count_blocked(SIGSEGV).blocked == 1; });
      kill(getpid(), SIGTERM);
      rt.spawn([] { static_cast<void>(weft::this_fiber::sleep_for(1ms)); }).join();
      int got = 0;
      sigwait(&term, &got);
      if (got != SIGTERM) failed = 3;
    });
    return failed;
  });
  CHECK(end.signal == 0);
  CHECK(end.exit_code == 0);
}

TEST_CASE("a signal not blocked where the runtime was made reaches its workers") {
  const child_end end = in_child([] {
    alarm(60);
    std::signal(SIGUSR1, counts);
    weft::options o;
    o.workers = 2;
    weft::runtime rt(o);
    until([&] {  // a thread that comes up blocks all for a moment
      const blocked_in n = count_blocked(SIGUSR1);
      // this thread and the two, and perhaps a spare; monitor and service thread block all
      const std::size_t workers = weft::metrics(rt).threads;
      return workers >= 2 && static_cast<std::size_t>(n.threads - n.blocked) == 1 + workers;
    });
    return 0;
  });
  CHECK(end.exit_code == 0);
}

namespace {
// Not a null pointer: UndefinedBehaviorSanitizer would end the process before the access does.
void touch_forbidden_page() {
  void* const page = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  *static_cast<volatile int*>(page) = 1;
}
}  // namespace

TEST_CASE("an application's handler that chains, installed between two runtimes, is called once") {
  const child_end urgent = in_child([] {
    run_a_runtime();
    install(SIGURG, &chains);
    for (int i = 0; i < 3; ++i) run_a_runtime();
    calls = 0;
    std::raise(SIGURG);
    return calls == 1 ? 0 : 1;
  });
  CHECK(urgent.exit_code == 0);
  for (const auto handler : {&chains, &puts_back}) {
    const child_end crash = in_child([&] {
      run_a_runtime();
      install(SIGSEGV, handler);
      run_a_runtime();
      touch_forbidden_page();
      return 1;
    });
    CHECK(crash.signal == SIGSEGV);
  }
}

TEST_CASE(
    "a handler from before the first runtime that is installed again in front, and chains, is "
    "called once") {
  const child_end end = in_child([] {
    std::memset(&before, 0, sizeof before);
    install(SIGURG, &chains);
    run_a_runtime();
    install(SIGURG, &chains);  // `before` is weft's now, whose `before` is this
    run_a_runtime();
    calls = 0;
    std::raise(SIGURG);
    return calls <= 2 ? 0 : 1;
  });
  CHECK(end.exit_code == 0);
}

TEST_CASE("after the default action was put back, the next runtime has its signal again") {
  const child_end end = in_child([] {
    run_a_runtime();
    std::signal(SIGURG, SIG_DFL);
    weft::options o;
    o.workers = 1;
    weft::runtime rt(o);
    std::atomic<bool> stop{false};
    auto hog = rt.spawn([&] {
      while (!stop.load(std::memory_order_relaxed)) {
      }
    });
    rt.spawn([&] { stop = true; }).join();  // by preemption only
    hog.join();
    return 0;
  });
  CHECK(end.exit_code == 0);
}

TEST_CASE("a handler that was installed without SA_RESTART still interrupts calls") {
  const child_end end = in_child([] {
    struct sigaction plain{};
    plain.sa_handler = counts;
    sigaction(SIGUSR2, &plain, nullptr);
    weft::options o;
    o.workers = 1;
    o.dump_signal = SIGUSR2;
    weft::runtime rt(o);
    struct sigaction now{};
    sigaction(SIGUSR2, nullptr, &now);
    if ((now.sa_flags & SA_RESTART) != 0) return 1;
    sigaction(SIGURG, nullptr, &now);  // the default action: nobody asked for EINTR
    return (now.sa_flags & SA_RESTART) != 0 ? 0 : 2;
  });
  CHECK(end.exit_code == 0);
}
