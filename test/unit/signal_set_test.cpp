// SPDX-License-Identifier: BSL-1.0
// unit/signal_set_test.cpp - signals that are waited for: several sets, masks, handlers of others,
// how a wait ends.
#include <weft/signal_set.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "net/poll_descriptor.hpp"
#include "support/agents.hpp"
#include "support/descriptors.hpp"
#include "support/runtimes.hpp"

using namespace std::chrono_literals;
using namespace weft::test;
using weft::signal_set;

namespace {

void send(int signal) { CHECK(::kill(::getpid(), signal) == 0); }

std::atomic<int> handled{0};
void count_it(int) { ++handled; }

sigset_t only(int signal) {
  sigset_t s;
  sigemptyset(&s);
  sigaddset(&s, signal);
  return s;
}

// As a program that blocks a signal in main, before anything else.
struct blocked {
  explicit blocked(int signal) : set(only(signal)) { ::pthread_sigmask(SIG_BLOCK, &set, &before); }
  ~blocked() { ::pthread_sigmask(SIG_SETMASK, &before, nullptr); }
  blocked(const blocked&) = delete;
  sigset_t set, before;
};

}  // namespace

TEST_CASE("signal_set: a signal is taken, by fibers and by plain threads") {
  on_all_agents([](agents& a) {
    signal_set s{SIGUSR1, SIGUSR2};
    CHECK(!s.try_wait());
    std::atomic<int> usr1{0}, usr2{0};
    for (int i = 0; i < 2; ++i) a.start([&] { (s.wait() == SIGUSR1 ? usr1 : usr2)++; });
    send(SIGUSR1);
    send(SIGUSR2);
    a.join();
    CHECK(usr1 == 1);
    CHECK(usr2 == 1);
  });
}

TEST_CASE("signal_set: each set gets it, whatever the threads block") {
  for (const bool is_blocked : {false, true}) {
    CAPTURE(is_blocked);
    std::optional<blocked> all;  // of this thread, and of the workers, which inherit it
    if (is_blocked) all.emplace(SIGUSR1);
    each_runtime([](weft::runtime& rt) {
      signal_set first{SIGUSR1}, second{SIGUSR1, SIGUSR2}, other{SIGUSR2};
      for (int i = 0; i < 3; ++i) {
        auto a = rt.spawn([&] { return first.wait(); });
        auto b = rt.spawn([&] { return second.wait(); });
        until([&] { return is_parked(a) && is_parked(b); });
        send(SIGUSR1);
        CHECK(a.join() == SIGUSR1);
        CHECK(b.join() == SIGUSR1);
      }
      CHECK(!other.try_wait());
      send(SIGUSR1);  // before anybody waits
      CHECK(first.wait() == SIGUSR1);
      CHECK(second.wait() == SIGUSR1);
    });
  }
}

TEST_CASE("signal_set: deadlines, tokens and stop requests end a wait") {
  each_fiber([] {
    signal_set s{SIGUSR1};
    CHECK(!s.wait_for(1ms));
    CHECK(!s.wait_until(std::chrono::steady_clock::now() + 1ms));
    std::stop_source stop;
    auto f = weft::spawn([&] { return s.wait(stop.get_token()).has_value(); });
    until([&] { return is_parked(f); });
    stop.request_stop();
    CHECK(!f.join());
    auto g = weft::spawn([&] {
      try {
        static_cast<void>(s.wait());
      } catch (const std::system_error& e) {
        return e.code() == std::errc::operation_canceled;
      }
      return false;
    });
    until([&] { return is_parked(g); });
    g.request_stop();
    CHECK(g.join());
    send(SIGUSR1);
    CHECK(s.wait_for(1h) == SIGUSR1);
  });
}

TEST_CASE("signal_set: a case of a select") {
  each_fiber([] {
    signal_set end{SIGUSR1};
    weft::channel<int> jobs(1);
    int signal = 0, job = 0;
    auto f = weft::spawn([&] {
      while (signal == 0)
        weft::select(weft::on_signal(end, [&](int n) { signal = n; }),
                     weft::on_receive(jobs, [&](std::optional<int> n) { job = *n; }));
    });
    jobs.send(7);
    until([&] { return is_parked(f); });
    send(SIGUSR1);
    f.join();
    CHECK(signal == SIGUSR1);
    CHECK(job == 7);
  });
}

// As a handler leaves it that is slow: it notes the signal, the taker takes it, and then the
// handler writes.
void make_readable_for_nothing(const signal_set& s) {
  std::ifstream info("/proc/self/fdinfo/" + std::to_string(s.native_descriptor()->number));
  int eventfds = 0;
  for (std::string word; info >> word;) {
    if (word != "tfd:") continue;
    int number = -1;
    info >> number;
    const std::uint64_t one = 1;  // of its two descriptors the signalfd refuses
    eventfds += ::write(number, &one, sizeof one) == sizeof one ? 1 : 0;
  }
  REQUIRE(eventfds == 1);
}

TEST_CASE("signal_set: a select is not kept by a signal that was taken a moment ago") {
  each_fiber([] {
    signal_set end{SIGUSR1, SIGUSR2};
    int signal = 0;
    const auto note = [&](int n) { signal = n; };
    bool other = false;
    make_readable_for_nothing(end);
    weft::select(weft::on_signal(end, note), weft::on_default([&] { other = true; }));
    CHECK(std::exchange(other, false));
    make_readable_for_nothing(end);
    weft::select(weft::on_signal(end, note), weft::on_timeout(1ms, [&] { other = true; }));
    CHECK(std::exchange(other, false));
    weft::selector both;
    both.add(weft::on_signal(end, note));
    both.add(weft::on_timeout(1ms, [&] { other = true; }));
    make_readable_for_nothing(end);
    CHECK(both.select() == 1);
    CHECK(signal == 0);
    both.disable(1);
    make_readable_for_nothing(end);
    auto f = weft::spawn([&] { return both.select(); });
    until([&] { return is_parked(f); });
    send(SIGUSR2);
    CHECK(f.join() == 0);
    CHECK(signal == SIGUSR2);
  });
}

TEST_CASE("signal_set: handlers of others, before, meanwhile and after") {
  each_fiber([] {
    if (handled == 0) std::signal(SIGHUP, count_it);  // before the first set that has it
    {
      signal_set s{SIGHUP};
      const int before = handled;
      send(SIGHUP);
      CHECK(s.wait() == SIGHUP);
      CHECK(handled == before);  // the set's alone
    }
    const int before = handled;
    send(SIGHUP);
    until([&] { return handled == before + 1; });  // as if weft were not there

    for (const auto nobody : {SIG_DFL, SIG_IGN}) {
      signal_set s{SIGUSR2};
      std::signal(SIGUSR2, nobody);
      auto f = weft::spawn([&] { return s.wait(); });
      until([&] { return is_parked(f); });
      send(SIGUSR2);
      CHECK(f.join() == SIGUSR2);
    }
    signal_set s{SIGHUP};
    std::signal(SIGHUP, count_it);  // later, and calls nobody: it takes the signal
    const int taken = handled;
    send(SIGHUP);
    until([&] { return handled == taken + 1; });
    CHECK(!s.try_wait());
  });
}

TEST_CASE("signal_set: a signal to a forked child is not this process's") {
  signal_set s{SIGUSR1};
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) ::pause();
  }
  ::kill(child, SIGUSR1);
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(!s.try_wait());
}

TEST_CASE("signal_set: what cannot be waited for is refused") {
  for (const int s : {SIGKILL, SIGSTOP, SIGSEGV, 0, 65, -1})
    CHECK_THROWS_AS(signal_set{s}, std::system_error);
  for (int i = 0; i < 200; ++i) signal_set{SIGUSR1, SIGTERM};  // no descriptor is left
}
