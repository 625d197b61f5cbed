// SPDX-License-Identifier: BSL-1.0
// unit/io_descriptor_test.cpp - waiting for descriptors that weft did not open: what is ready, and
// how a wait ends.
#include <weft/io/descriptor.hpp>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "support/agents.hpp"
#include "support/descriptors.hpp"
#include "support/net.hpp"
#include "support/runtimes.hpp"

using namespace std::chrono_literals;
using namespace weft::test;

TEST_CASE("io::descriptor: a wait ends when something comes, and at once if it is there") {
  at_worker_counts([] {
    pair p;
    const auto d = descriptor::borrow(p.ends[0]);
    for (int i = 0; i < 20; ++i) {
      auto f = wait_in_fiber(d);
      p.send("abc");
      CHECK(f.join() == "ready");
      d.wait_readable();
      CHECK(p.take() == "abc");
      CHECK(!d.wait_readable_for(0ns));
    }
  });
}

TEST_CASE("io::descriptor: who reads only a part finds the rest") {
  at_worker_counts([] {
    pair p;
    const auto d = descriptor::borrow(p.ends[0]);
    auto f = wait_in_fiber(d);
    p.send("0123456789");
    f.join();
    std::string got;
    for (int i = 0; i < 10; ++i) {
      d.wait_readable();
      got += p.take(1);
    }
    CHECK(got == "0123456789");
    CHECK(!d.wait_readable_for(1ms));
  });
}

TEST_CASE("io::descriptor: both directions, and several in one") {
  at_worker_counts([] {
    pair p;
    p.fill();
    const auto d = descriptor::borrow(p.ends[0]);
    auto reader = wait_in_fiber(d), reader2 = wait_in_fiber(d);
    auto writer = wait_in_fiber(d, readiness::writable),
         writer2 = wait_in_fiber(d, readiness::writable);
    p.drain();
    CHECK(writer.join() == "ready");
    CHECK(writer2.join() == "ready");
    until([&] { return is_parked(reader) && is_parked(reader2); });
    p.send("x");
    CHECK(reader.join() == "ready");
    CHECK(reader2.join() == "ready");
  });
}

TEST_CASE("io::descriptor: the end of the stream is ready, in both directions") {
  at_worker_counts([] {
    pair p;
    p.fill();
    const auto d = descriptor::borrow(p.ends[0]);
    auto reader = wait_in_fiber(d), writer = wait_in_fiber(d, readiness::writable);
    p.close(1);
    CHECK(reader.join() == "ready");
    CHECK(writer.join() == "ready");
    CHECK(p.take() == "");
  });
}

TEST_CASE("io::descriptor: eventfd, timerfd, inotify, pipe, datagrams, terminal") {
  at_worker_counts([] {
    const number event = new_eventfd();
    const auto on_event = descriptor::borrow(event.n);
    auto f = wait_in_fiber(on_event);
    post(event.n);
    CHECK(f.join() == "ready");

    const auto timer = descriptor::adopt(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
    itimerspec soon{};
    soon.it_value.tv_nsec = 1'000'000;
    ::timerfd_settime(timer.native_handle(), 0, &soon, nullptr);
    CHECK(waits(timer) == "ready");

    char name[] = "/tmp/weft_descriptor_XXXXXX";
    const number file(::mkstemp(name));
    const auto notes = descriptor::adopt(::inotify_init1(IN_CLOEXEC));
    REQUIRE(::inotify_add_watch(notes.native_handle(), name, IN_MODIFY) >= 0);
    f = wait_in_fiber(notes);
    CHECK(::write(file.n, "x", 1) == 1);
    CHECK(f.join() == "ready");
    ::unlink(name);

    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const auto from = descriptor::adopt(ends[0]);
    auto to = descriptor::adopt(ends[1]);
    CHECK(waits(to, readiness::writable) == "ready");
    f = wait_in_fiber(from);
    to.close();  // closes the number, too: nobody is inside
    CHECK(f.join() == "ready");

    pair datagrams(SOCK_DGRAM);
    const auto d = descriptor::borrow(datagrams.ends[0]);
    f = wait_in_fiber(d);
    datagrams.send("one");
    datagrams.send("two");
    CHECK(f.join() == "ready");
    CHECK(datagrams.take() == "one");
    CHECK(waits(d) == "ready");
    CHECK(datagrams.take() == "two");

    if (const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC); master >= 0) {
      const auto keyboard = descriptor::adopt(master);
      REQUIRE(::grantpt(master) == 0);
      REQUIRE(::unlockpt(master) == 0);
      const number terminal(::open(::ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC));
      const auto line = descriptor::borrow(terminal.n);
      f = wait_in_fiber(line);
      CHECK(::write(master, "hello\n", 6) == 6);
      CHECK(f.join() == "ready");
    }
  });
}

TEST_CASE("io::descriptor: deadlines, tokens and stop requests end a wait") {
  at_worker_counts([] {
    pair p;
    const auto d = descriptor::borrow(p.ends[0]);
    CHECK(!d.wait_readable_for(1ms));
    CHECK(!d.wait_readable_until(clock::now() + 1ms));
    CHECK(d.wait(readiness::readable, clock::now() + 1ms) == std::errc::timed_out);

    std::stop_source stop;
    auto f = weft::spawn([&] { return d.wait_readable(stop.get_token()); });
    until([&] { return is_parked(f); });
    stop.request_stop();
    CHECK(!f.join());
    CHECK(d.wait(readiness::readable, descriptor::no_deadline, stop.get_token()) ==
          std::errc::operation_canceled);

    auto asked = wait_in_fiber(d);
    asked.request_stop();
    CHECK(asked.join() == canceled);

    // What is ready is so in any case.
    p.send("x");
    CHECK(d.wait_readable(stop.get_token()));
    CHECK(d.wait_readable_for(-1s));
    auto ready = weft::spawn([&] {
      while (!weft::this_fiber::stop_requested()) weft::this_fiber::yield();
      return d.wait_readable_for(1h);
    });
    ready.request_stop();
    CHECK(ready.join());
  });
}

TEST_CASE("io::descriptor: closing ends the waits; a borrowed number stays open") {
  at_worker_counts([] {
    pair p;
    auto borrowed = descriptor::borrow(p.ends[0]);
    pair q;
    auto adopted = descriptor::adopt(std::exchange(q.ends[0], -1));
    std::vector<weft::fiber<std::string>> waiting;
    for (descriptor* d : {&borrowed, &adopted}) {
      waiting.push_back(wait_in_fiber(*d));
      waiting.push_back(wait_in_fiber(*d));
      waiting.push_back(weft::spawn([d] { return waits(*d); }));
    }
    std::atomic<bool> begun{false};
    std::string thread_saw;
    std::thread thread([&] {
      begun = true;
      thread_saw = waits(borrowed);
    });
    until([&] { return begun.load(); });
    borrowed.close();
    adopted.close();
    for (auto& f : waiting) {
      const std::string saw = f.join();
      CHECK((saw == canceled ||
             saw == std::make_error_code(std::errc::bad_file_descriptor).message()));
    }
    thread.join();
    CHECK(thread_saw != "ready");
    char one;
    CHECK(::read(q.ends[1], &one, 1) == 0);  // closed
    CHECK(::fcntl(p.ends[0], F_GETFD) >= 0);
    for (const descriptor* d : {&borrowed, &adopted}) {
      CHECK(!d->is_open());
      CHECK(d->native_handle() == -1);
      CHECK_THROWS_WITH_AS(d->wait_readable(), doctest::Contains("descriptor -1"),
                           std::system_error);
    }
    CHECK(descriptor().wait(readiness::readable) == std::errc::bad_file_descriptor);
  });
}

TEST_CASE("io::descriptor: a wait that another fiber ends by closing throws") {
  at_worker_counts([] {
    pair p;
    auto d = descriptor::borrow(p.ends[0]);
    auto f = weft::spawn([&] {
      std::stop_source never;
      try {
        static_cast<void>(d.wait_readable(never.get_token()));
      } catch (const std::system_error& e) {
        return e.code() == std::errc::operation_canceled;
      }
      return false;
    });
    until([&] { return is_parked(f); });
    d.close();
    CHECK(f.join());
  });
}

TEST_CASE("io::descriptor: release gives the number away, moving takes it along") {
  at_worker_counts([] {
    const number event = new_eventfd();
    auto d = descriptor::adopt(event.n);
    CHECK(!d.wait_readable_for(1ms));
    descriptor other = std::move(d);
    CHECK(!d.is_open());
    CHECK(other.release() == event.n);
    CHECK(other.release() == -1);
    CHECK(::fcntl(event.n, F_GETFD) >= 0);
    const auto again = descriptor::borrow(event.n);
    auto f = wait_in_fiber(again);
    post(event.n);
    CHECK(f.join() == "ready");
  });
}

TEST_CASE("io::descriptor: a case of a select") {
  at_worker_counts([] {
    pair p;
    auto d = descriptor::borrow(p.ends[0]);
    weft::channel<int> orders(1);
    const auto nothing = [] {};
    std::string got;
    auto f = weft::spawn([&] {
      for (int i = 0; i < 6; ++i)
        weft::select(
            weft::on_readable(d, [&] { got += p.take(1); }),
            weft::on_receive(orders, [&](std::optional<int> n) { got += std::to_string(*n); }));
    });
    p.send("abc");
    for (int i = 1; i <= 3; ++i) orders.send(i);
    f.join();
    CHECK(got.size() == 6);
    CHECK(weft::select(weft::on_writable(d, nothing), weft::on_timeout(1h, nothing)) == 0);
    CHECK(weft::select(weft::on_readable(d, nothing), weft::on_timeout(1ms, nothing)) == 1);

    // Both directions at once, and a wait beside it.
    p.fill();
    auto both = weft::spawn(
        [&] { return weft::select(weft::on_readable(d, nothing), weft::on_writable(d, nothing)); });
    auto beside = wait_in_fiber(d);
    until([&] { return is_parked(both); });
    p.send("x");
    CHECK(both.join() == 0);
    CHECK(beside.join() == "ready");
    p.take();

    auto closed = weft::spawn([&] {
      return weft::select(weft::on_readable(d, nothing), weft::on_receive(orders, [](auto) {}));
    });
    until([&] { return is_parked(closed); });
    d.close();
    CHECK(closed.join() == 0);
  });
}

TEST_CASE("io::descriptor: fibers, runtimes and threads take turns") {
  on_all_agents([](agents& a) {
    pair there, back;
    const auto left = descriptor::borrow(there.ends[0]), right = descriptor::borrow(back.ends[0]);
    constexpr int rounds = 50;
    a.start([&] {
      for (int i = 0; i < rounds; ++i) {
        left.wait_readable();
        REQUIRE(there.take() == "ping");
        back.send("pong");
      }
    });
    a.start([&] {
      for (int i = 0; i < rounds; ++i) {
        there.send("ping");
        right.wait_readable();
        REQUIRE(back.take() == "pong");
      }
    });
    a.join();
  });
}
