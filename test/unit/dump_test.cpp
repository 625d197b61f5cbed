// SPDX-License-Identifier: BSL-1.0
// test/unit/dump_test.cpp - what dump_fibers says of fibers in every state, and that looking does
// no harm to fibers that go on.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <weft/weft.hpp>

#include "base/sanitizers.hpp"
#include "debug/running_snapshot.hpp"
#include "os/os.hpp"
#include "support/descriptors.hpp"
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
[[gnu::noinline]] void compute_in_here(const std::atomic<bool>& go_on) {
  while (go_on.load(std::memory_order_relaxed)) {
  }
  ++returned;
}

// How the cases of a select are read.
bool reads_own_memory() {
  long from = 1, to = 0;
  const iovec here{&to, sizeof to}, there{&from, sizeof from};
  return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == sizeof from;
}

}  // namespace

TEST_CASE("dump: who waits for what, where, and with how many others [example]") {
  weft::runtime rt(workers(2));
  weft::channel<int> c(0);
  std::vector<weft::fiber<void>> all;
  for (int i = 0; i < 5; ++i) all.push_back(rt.spawn([&] { wait_in_here(c); }));
  weft::attributes named;
  named.name = "reader";
  auto reader = rt.spawn(named, [&] { static_cast<void>(weft::this_fiber::sleep_for(1h)); });
  const std::string five =
      paragraph_of("5 fibers alike", "receives from channel 0x[0-9a-f]+, as 4 others do");
  CAPTURE(five);
  CHECK(matches(five, "parked, channel receive for [0-9]"));
  CHECK(five.find("wait_in_here") != std::string::npos);
  CHECK(five.find("finish_park") == std::string::npos);
  const std::string one = paragraph_of("\"reader\"", "parked, sleep for [0-9]");
  CAPTURE(one);
  reader.request_stop();
  c.close();
  reader.join();
  for (auto& f : all) f.join();
  CHECK(
      weft::debug::dump_fibers().starts_with("weft: 0 fibers in runtime \"weft\" of 2 workers\n"));
}

TEST_CASE("dump: blocked in the kernel, and in which call") {
  weft::runtime rt(workers(1));
  weft::attributes a;
  std::mutex lock;  // no weft lock: the thread blocks
  weft::fiber<void> locker;
  std::unique_lock held(lock);  // given back before the fiber is joined, also if the test fails
  a.name = "locker";
  locker = rt.spawn(a, [&] {
    const std::lock_guard guard(lock);
    ++returned;
  });
  a.name = "usleeper";
  auto sleeper = rt.spawn(a, [&] { usleep(50'000); });
  const bool by_name = weft::test::knows_system_calls();
  const std::string blocked =
      paragraph_of("locker", std::string("blocked in the kernel on worker [0-9]+, system call ") +
                                 (by_name ? "futex" : "[a-z]"));
  if (WEFT_TSAN == 0 && by_name) CHECK(blocked.find("lock") != std::string::npos);
  held.unlock();
  locker.join();
  sleeper.join();
}

TEST_CASE("dump: a fiber asleep in the kernel sleeps on") {
  weft::runtime rt(workers(2));
  const weft::test::number end = weft::test::new_eventfd();
  std::atomic<pid_t> thread{0};
  weft::attributes a;
  a.name = "poller";
  auto poller = rt.spawn(a, [&] {
    thread = weft::os::thread_id();
    pollfd one{end.n, POLLIN, 0};
    return poll(&one, 1, -1);  // every signal with a handler ends it
  });
  // One that is on its way into the call is not asleep, and would get a signal.
  weft::test::until([&] { return thread != 0 && weft::detail::where_in_kernel(thread).call >= 0; });
  int looks = 0;
  weft::test::until([&] {
    looks +=
        paragraph(weft::debug::dump_fibers(), "poller").find("system call") != std::string::npos;
    return looks == 20;
  });
  CHECK(eventfd_write(end.n, 1) == 0);
  CHECK(poller.join() == 1);  // not EINTR
}

TEST_CASE("dump: joins, scopes, a stack lent to a child, plain threads, several runtimes") {
  weft::options second = workers(1);
  second.name = "second";
  weft::runtime rt(workers(1)), other(second);
  weft::channel<int> c(0);
  weft::attributes a;
  a.name = "parent";
  std::atomic<bool> seen{false};
  auto parent = rt.spawn(a, [&] {
    do {
      auto child = weft::spawn([&] { wait_in_here(c); });  // joined at once: runs on this stack
      child.join();
    } while (!seen);
    weft::scope s;
    for (int i = 0; i < 3; ++i) s.spawn([&] { wait_in_here(c); });
    s.join();
  });
  a.name = "stranger";
  auto stranger = other.spawn(a, [&] { parent.join(); });
  std::string p;
  weft::test::until([&] {
    p = paragraph(weft::debug::dump_fibers(), "\"parent\": ");
    if (matches(p, "has lent its stack to fiber [0-9]+, which it joins")) return true;
    // If it lost its processor between the two calls, the child ran elsewhere: once more.
    if (matches(p, "parked, join")) static_cast<void>(c.try_send(1));
    return false;
  });
  seen = true;
  CHECK(p.find("\"parent\"") != std::string::npos);
  CHECK(matches(paragraph_of("stranger", "parked, join"),
                "waits for the end of fiber [0-9]+ \"parent\""));
  CHECK(weft::debug::dump_fibers().find(
            "runtime \"weft\" of 1 worker, runtime \"second\" of 1 worker\n") != std::string::npos);
  CHECK(c.send(1));
  p = paragraph_of("\"parent\": ", "lent its stack|end of its scope: 3 fibers, fiber");
  std::jthread plain([&] { static_cast<void>(c.receive()); });
  CHECK(!paragraph_of("thread ", "waits for the end of|receives from channel").empty());
  c.close();
  stranger.join();
}

TEST_CASE("dump: a mutex and who holds it") {
  weft::runtime rt(workers(2));
  weft::mutex lock;
  weft::channel<int> c(0);
  weft::attributes a;
  a.name = "holder";
  auto holder = rt.spawn(a, [&] {
    const std::lock_guard guard(lock);
    wait_in_here(c);
  });
  static_cast<void>(paragraph_of("holder", "parked, channel receive"));
  a.name = "waiter";
  auto waiter = rt.spawn(a, [&] { const std::lock_guard guard(lock); });
  const std::string p =
      paragraph_of("waiter", "waits for mutex 0x[0-9a-f]+, held by fiber [0-9]+ \"holder\"");
  CHECK(matches(p, "parked, mutex"));
  CHECK(c.send(1));
  waiter.join();
  holder.join();
}

TEST_CASE("dump: a shared_mutex, and who writes or how many read") {
  weft::runtime rt(workers(2));
  weft::shared_mutex lock;
  weft::channel<int> c(0);
  weft::attributes a;
  a.name = "writer";
  auto writer = rt.spawn(a, [&] {
    const std::lock_guard guard(lock);
    wait_in_here(c);
  });
  static_cast<void>(paragraph_of("\"writer\"", "parked, channel receive"));
  a.name = "reader";
  std::vector<weft::fiber<void>> readers;
  for (int i = 0; i < 2; ++i)
    readers.push_back(rt.spawn(a, [&] {
      const std::shared_lock guard(lock);
      wait_in_here(c);
    }));
  CHECK(matches(paragraph_of("\"reader\"", "2 fibers alike: .*parked, shared_mutex"),
                "waits for shared_mutex 0x[0-9a-f]+, written by fiber [0-9]+ \"writer\""));
  CHECK(c.send(1));
  writer.join();
  static_cast<void>(paragraph_of("\"reader\"", "2 fibers alike: .*parked, channel receive"));
  a.name = "second writer";
  auto second = rt.spawn(a, [&] { const std::lock_guard guard(lock); });
  CHECK_FALSE(paragraph_of("second writer", "waits for shared_mutex 0x[0-9a-f]+, held by 2 readers")
                  .empty());
  for (int i = 0; i < 2; ++i) CHECK(c.send(1));
  for (auto& f : readers) f.join();
  second.join();
}

TEST_CASE(
    "dump: what a select waits for, and that it is somebody for those who wait at its channels") {
  weft::runtime rt(workers(2));
  weft::channel<int> in(0), out(0);
  weft::attributes a;
  a.name = "chooser";
  auto chooser = rt.spawn(a, [&] {
    weft::select(weft::on_receive(in, [](std::optional<int>) {}),
                 weft::on_send(out, 1, [](bool) {}), weft::on_timeout(1h, [] {}));
  });
  const std::string p = paragraph_of("chooser", "parked, select for");
  const bool has_cases = reads_own_memory() || !weft::test::qemu_lacks("process_vm_readv");
  CHECK(matches(p, has_cases ? "selects: receives from channel 0x[0-9a-f]+, sends to channel "
                               "0x[0-9a-f]+, a deadline"
                             : "parked, select"));
  weft::selector many;
  std::vector<std::unique_ptr<weft::channel<int>>> channels;
  for (int i = 0; i < 20; ++i) {
    channels.push_back(std::make_unique<weft::channel<int>>(0));
    many.add(weft::on_receive(*channels.back(), [](std::optional<int>) {}));
  }
  many.disable(1);
  a.name = "one of many";
  auto one = rt.spawn(a, [&] { many.select(); });
  CHECK_FALSE(
      paragraph_of("one of many",
                   has_cases ? "receives from channel 0x[0-9a-f]+, a disabled case, .*, and 12 more"
                             : "parked, select")
          .empty());
  a.name = "sender";
  auto sender = rt.spawn(a, [&] { static_cast<void>(channels[3]->send(1)); });
  one.join();
  sender.join();
  static_cast<void>(in.send(1));
  chooser.join();
}

TEST_CASE("dump: 100,000 fibers are few paragraphs") {
  const std::size_t n = weft::test::scaled(100'000);
  weft::runtime rt(workers(2));
  weft::event go;
  std::vector<weft::fiber<void>> all;
  for (std::size_t i = 0; i < n; ++i) all.push_back(rt.spawn([&] { go.wait(); }));
  const std::string p =
      paragraph_of("fibers alike", "^" + std::to_string(n) + " fibers alike: .*parked, event for");
  CHECK(p.size() < 4000);
  CHECK(weft::debug::dump_fibers().size() < 10'000);
  go.set();
  for (auto& f : all) f.join();
}

TEST_CASE(
    "SNAPSHOT-1: fibers that park, run inline, yield, are preempted and end while they are looked "
    "at") {
  weft::options o = workers(2);
  o.time_slice = 1ms;
  weft::test::with_runtime(o, [](weft::runtime& rt) {
    std::atomic<bool> go_on{true};
    weft::channel<int> c(1);
    weft::mutex lock;
    std::vector<weft::fiber<void>> all;
    for (int i = 0; i < 4; ++i) {
      all.push_back(rt.spawn([&] {
        while (go_on) static_cast<void>(c.try_send(1)), weft::this_fiber::yield();
      }));
      all.push_back(rt.spawn([&] {
        while (go_on) static_cast<void>(c.receive_for(1ms));
      }));
      all.push_back(rt.spawn([&] {
        while (go_on) {
          auto child = weft::spawn([&] { const std::lock_guard guard(lock); });
          auto sleeper = weft::spawn([] { static_cast<void>(weft::this_fiber::sleep_for(100us)); });
          child.join();
          sleeper.join();
        }
      }));
    }
    all.push_back(rt.spawn([&] { compute_in_here(go_on); }));
    // an emulator takes half a second for one
    const int dumps = static_cast<int>(weft::test::scaled(reads_own_memory() ? 100 : 20));
    for (int i = 0; i < dumps; ++i) {
      REQUIRE(weft::debug::dump_fibers().starts_with("weft: "));
      REQUIRE(weft::debug::find_deadlocks().empty());
    }
    // From a fiber, too, which reports on itself.
    auto self = rt.spawn([] { return weft::debug::dump_fibers(); });
    CHECK(self.join().find("running on worker") != std::string::npos);
    go_on = false;
    for (auto& f : all) f.join();
  });
}
