// SPDX-License-Identifier: BSL-1.0
// test/unit/deadlock_test.cpp - cycles are found, and named; what is none is not; a runtime that
// can never go on says so; and dumps by a signal and before a crash. Each case in a process of its
// own, which it leaves with its fibers stuck.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

#include <weft/weft.hpp>

#include "base/sanitizers.hpp"
#include "support/emulator.hpp"
#include "support/in_child.hpp"
#include "support/runtimes.hpp"

namespace {

using namespace std::chrono_literals;
using weft::test::child_end;
using weft::test::emulator_thread;
using weft::test::in_child;
using weft::test::not_under_qemu;

bool has(const std::string& text, const std::string& what) {
  return text.find(what) != std::string::npos;
}

weft::options quiet() {
  weft::options o;
  o.workers = 2;
  o.on_deadlock = weft::deadlock_policy::ignore;
  return o;
}

weft::attributes named(const char* name) {
  weft::attributes a;
  a.name = name;
  return a;
}

/// The first cycle, once there is one.
weft::debug::deadlock wait_for_deadlock() {
  for (;;) {
    const auto all = weft::debug::find_deadlocks();
    if (!all.empty()) return all.front();
    std::this_thread::sleep_for(1ms);
  }
}

int tell(const std::string& text) {
  return ::write(STDERR_FILENO, text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0
                                                                                               : 1;
}

/// Two fibers that hold one mutex each and want the other.
struct two_locks {
  weft::mutex a, b;
  weft::latch both{2};
  std::vector<weft::fiber<void>> fibers;
  void embrace(weft::runtime& rt) {
    const auto take = [this](weft::mutex& first, weft::mutex& second) {
      first.lock();
      both.arrive_and_wait();
      second.lock();
    };
    fibers.push_back(rt.spawn(named("ann"), [this, take] { take(a, b); }));
    fibers.push_back(rt.spawn(named("bob"), [this, take] { take(b, a); }));
  }
};

}  // namespace

TEST_CASE("GRAPH-1: two mutexes, while others run on [example]") {
  const child_end end = in_child([] {
    weft::runtime rt(quiet());
    two_locks locks;
    std::atomic<bool> go_on{true};
    auto busy = rt.spawn([&] {
      while (go_on) weft::this_fiber::yield();
    });
    locks.embrace(rt);
    const weft::debug::deadlock d = wait_for_deadlock();
    tell(d.text + "|" + d.cycle.at(0).name + "|" + d.cycle.at(1).waits);
    tell(weft::debug::dump_fibers());
    _exit(d.cycle.size() == 2 ? 0 : 1);
    return 1;
  });
  CAPTURE(end.errors);
  CHECK(end.exit_code == 0);
  CHECK(has(end.errors, "\"ann\" waits for mutex 0x") !=
        has(end.errors, "\"bob\" waits for mutex 0x"));
  CHECK(has(end.errors, ",\n    which waits for mutex 0x"));
  CHECK(has(end.errors, "\ndeadlock: fiber"));
}

TEST_CASE("GRAPH-1: joins in a ring, through a scope, and over a lent stack") {
  const child_end end = in_child([] {
    weft::runtime rt(quiet());
    std::array<weft::fiber<void>, 3> ring;
    weft::event go;
    for (std::size_t i = 0; i < 3; ++i)
      ring[i] = rt.spawn(named("ring"), [&, i] {
        go.wait();
        ring[(i + 1) % 3].join();
      });
    go.set();
    tell(wait_for_deadlock().text + "\n");
    weft::mutex lock;
    auto owner = rt.spawn(named("owner"), [&] {
      lock.lock();
      weft::scope s;
      for (int i = 0; i < 2; ++i) s.spawn([&] { lock.lock(); });
      s.join();
    });
    while (weft::debug::find_deadlocks().size() < 2) std::this_thread::sleep_for(1ms);
    for (const auto& d : weft::debug::find_deadlocks()) tell(d.text + "\n");
    _exit(0);
    return 1;
  });
  CAPTURE(end.errors);
  CHECK(end.exit_code == 0);
  CHECK(has(end.errors, "\"ring\" waits for the end of fiber"));
  CHECK((has(end.errors, "waits for mutex") || has(end.errors, "lent its stack")));
}

TEST_CASE("GRAPH-1: no deadlock: a deadline, a chain, a channel, a thread that holds the lock") {
  const child_end end = in_child([] {
    weft::runtime rt(quiet());
    weft::mutex a, b;
    weft::latch both(2);
    std::atomic<int> at_it{0};
    auto patient = rt.spawn([&] {
      a.lock();
      both.arrive_and_wait();
      ++at_it;
      b.lock();
      b.unlock();
      a.unlock();
    });
    auto timed = rt.spawn([&] {
      b.lock();
      both.arrive_and_wait();
      ++at_it;
      const bool got = a.try_lock_for(300ms);  // ends by itself, and the other one goes on
      b.unlock();
      return got;
    });
    weft::channel<int> c(0);
    auto receiver = rt.spawn([&] { static_cast<void>(c.receive()); });
    auto waiter = rt.spawn([&] { receiver.join(); });
    int found = 0;
    while (!timed.join_for(1ms)) found += static_cast<int>(weft::debug::find_deadlocks().size());
    patient.join();
    a.lock();  // by this thread
    auto behind = rt.spawn([&] { a.lock(); });
    weft::test::until([] { return has(weft::debug::dump_fibers(), "parked, mutex"); });
    found += static_cast<int>(weft::debug::find_deadlocks().size());
    tell(weft::debug::dump_fibers());
    _exit(found);
    return 1;
  });
  CAPTURE(end.errors);
  CHECK(end.exit_code == 0);
  CHECK((has(end.errors, "held by thread") || has(end.errors, "held by a plain thread")));
}

TEST_CASE(
    "GRAPH-2: a child that waits for a place in its own full scope; not while a sibling may "
    "leave") {
  const child_end end = in_child([] {
    weft::runtime rt(quiet());
    weft::event leave;
    auto owner = rt.spawn(named("owner"), [&] {
      weft::scope s(weft::scope_limit{2});
      s.spawn(named("sibling"), [&] {
        leave.wait();
        s.spawn(named("late"), [] {});  // it waits for a place, too: now nobody leaves
      });
      s.spawn(named("selfish"), [&] {
        s.spawn([] {});
        s.spawn([] {});
      });
      s.join();
    });
    weft::test::until([] { return has(weft::debug::dump_fibers(), "parked, scope limit"); });
    if (!weft::debug::find_deadlocks().empty()) return 2;
    leave.set();
    const weft::debug::deadlock d = wait_for_deadlock();
    tell(d.text);
    _exit(0);
    return 1;
  });
  CAPTURE(end.errors);
  CHECK(end.exit_code == 0);
  CHECK(has(end.errors, "waits for a place in a scope at its limit"));
}

TEST_CASE("options::on_deadlock: whoever waits for a place in a scope may be waiting for ever" *
          not_under_qemu(emulator_thread)) {
  if (WEFT_TSAN) return;  // as below
  const child_end end = in_child([] {
    weft::options o;
    o.workers = 2;
    o.deadlock_after = 20ms;
    o.on_deadlock = weft::deadlock_policy::abort;
    weft::run(o, [] {
      weft::event never;
      weft::scope s(weft::scope_limit{1});
      for (int i = 0; i < 2; ++i) s.spawn([&] { never.wait(); });
    });
    return 1;
  });
  CAPTURE(end.errors);
  CHECK(end.signal == SIGABRT);
  CHECK(has(end.errors, "no fiber of the process can ever run again"));
}

TEST_CASE(
    "options::on_deadlock: a lost close, and a circle, are told once; abort ends the process" *
    not_under_qemu(emulator_thread)) {
  // it has a thread of its own, of which nobody can tell whether it wakes somebody
  if (WEFT_TSAN) return;
  child_end end = in_child([] {
    weft::options o;
    o.workers = 2;
    o.deadlock_after = 20ms;
    o.on_deadlock = weft::deadlock_policy::abort;
    weft::run(o, [] {
      weft::channel<int> c(0);
      static_cast<void>(c.receive());
    });
    return 1;
  });
  CAPTURE(end.errors);
  CHECK(end.signal == SIGABRT);
  CHECK(has(end.errors, "no fiber of the process can ever run again"));
  CHECK(has(end.errors, "where nobody else waits"));
  CHECK(!has(end.errors, "the process crashes"));

  end = in_child([] {
    weft::options o;
    o.workers = 2;
    o.deadlock_after = 20ms;
    std::atomic<int> told{0};
    o.deadlock_hook = [&](const std::string& text) {
      if (has(text, ": fibers wait for each other.") && has(text, "\"ann\"")) ++told;
    };
    weft::runtime rt(o);
    two_locks locks;
    locks.embrace(rt);
    // this thread might help anybody but those two
    while (told == 0) std::this_thread::sleep_for(1ms);
    // A second stretch of idleness brings nothing new.
    rt.spawn([] {}).join();
    std::this_thread::sleep_for(200ms);
    _exit(told == 1 ? 0 : 1);
    return 1;
  });
  CHECK(end.exit_code == 0);
}

TEST_CASE("options::on_deadlock: whoever may still be woken is not told of") {
  const child_end end = in_child([] {
    weft::options o;
    o.workers = 2;
    o.deadlock_after = 20ms;
    std::atomic<int> told{0};
    o.deadlock_hook = [&](const std::string&) { ++told; };
    o.shutdown_timeout = 10s;
    weft::runtime rt(o);
    weft::channel<int> c(0);
    auto receiver = rt.spawn([&] { static_cast<void>(c.receive()); });
    std::this_thread::sleep_for(200ms);  // a plain thread, this one, could send
    auto sleeper = rt.spawn([] { static_cast<void>(weft::this_fiber::sleep_for(300ms)); });
    std::jthread joiner([&] { sleeper.join(); });
    std::this_thread::sleep_for(200ms);
    joiner.join();
    c.close();
    receiver.join();
    return told.load();
  });
  CAPTURE(end.errors);
  CHECK(end.exit_code == 0);
}

TEST_CASE("options::dump_signal: the dump is on stderr, and the process goes on") {
  const child_end end = in_child([] {
    weft::options o = quiet();
    o.dump_signal = SIGUSR2;
    weft::runtime rt(o);
    weft::event go;
    auto f = rt.spawn(named("the one"), [&] { go.wait(); });
    int ends[2];
    if (pipe(ends) != 0 || dup2(ends[1], STDERR_FILENO) < 0) return 1;
    raise(SIGUSR2);
    std::string text;
    char some[512];
    while (!has(text, "\"the one\""))
      text.append(some,
                  static_cast<std::size_t>(std::max<ssize_t>(read(ends[0], some, sizeof some), 0)));
    go.set();
    f.join();
    return has(text, "weft: 1 fiber in runtime") ? 0 : 2;
  });
  CHECK(end.exit_code == 0);
}

TEST_CASE("WEFT_DUMP_SIGNAL: the dump is on stderr; a wrong one is named, and the program runs") {
  const auto run_with = [](const char* text) {
    return in_child([text] {
      setenv("WEFT_DUMP_SIGNAL", text, 1);
      weft::runtime rt(quiet());
      return rt.spawn([] { return 7; }).join();
    });
  };
  CHECK(run_with("12").errors.empty());
  for (const auto& [number, why] : {std::pair{"9", "no program can handle"},
                                    {"19", "no program can handle"},
                                    {"32", "no program can handle"},
                                    {"11", "the signal of a crash"},
                                    {"0", "no signal's number"},
                                    {"-3", "no signal's number"},
                                    {"65", "no signal's number"},
                                    {"12 ", "no signal's number"},
                                    {"99999999999", "no signal's number"},
                                    {"SIGUSR2", "no signal's number"}}) {
    const char* const text = number;  // for the message, which is a lambda
    const child_end end = run_with(text);
    CAPTURE(text);
    CAPTURE(end.errors);
    CHECK(end.exit_code == 7);
    CHECK(has(end.errors, std::string("weft: WEFT_DUMP_SIGNAL is \"") + text + "\""));
    CHECK(has(end.errors, why));
  }
}

TEST_CASE(
    "options::dump_on_crash: the fibers of a process that aborts; none if that is not wanted") {
  if (WEFT_ASAN || WEFT_TSAN) return;
  for (const bool wanted : {true, false}) {
    const child_end end = in_child([&] {
      weft::options o = quiet();
      o.dump_on_crash = wanted;
      weft::runtime rt(o);
      weft::event go;
      auto f = rt.spawn(named("witness"), [&] { go.wait(); });
      auto g = rt.spawn(named("culprit"), [] { std::abort(); });
      g.join();
      return 1;
    });
    CAPTURE(end.errors);
    CHECK(end.signal == SIGABRT);
    CHECK(has(end.errors, "\"witness\"") == wanted);
    CHECK(has(end.errors, "\"culprit\": crashed on worker") == wanted);
  }
}
