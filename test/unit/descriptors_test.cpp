// SPDX-License-Identifier: BSL-1.0
// "Does that thread sleep?" is asked of /proc. Without a free descriptor weft uses those it keeps;
// without /proc, CPU clocks.
#include <cerrno>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/storm.hpp"
#include "support/ubsan.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

// Blocked in the kernel, undeclared, on the only worker: the other one has its turn, and the call
// sees no EINTR.
void block_and_let_go(weft::runtime& rt, latch_pipe& pipe) {
  ssize_t got = 0;
  std::atomic<bool> begun{false};
  // not preempted: the other one runs only if the processor is taken away
  auto blocked = rt.spawn({.preemptible = false}, [&] {
    begun.store(true, std::memory_order_release);
    begun.notify_all();
    got = pipe.wait();
  });
  begun.wait(false, std::memory_order_acquire);
  auto other = rt.spawn([&] { pipe.open(); });
  other.join();
  blocked.join();
  CHECK(got == 1);
}

class no_descriptor_left {
 public:
  no_descriptor_left() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const int next = ::dup(0);  // the lowest that is free
    REQUIRE(next >= 0);
    ::close(next);
    const rlimit few{static_cast<rlim_t>(next) + 16, before_.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
    for (int fd; (fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) all_.push_back(fd);
  }
  ~no_descriptor_left() {
    for (const int fd : all_) ::close(fd);
    setrlimit(RLIMIT_NOFILE, &before_);
  }
  no_descriptor_left(const no_descriptor_left&) = delete;
  no_descriptor_left& operator=(const no_descriptor_left&) = delete;

 private:
  rlimit before_{};
  std::vector<int> all_;
};

}  // namespace

TEST_CASE(
    "no descriptor is left: a blocked call's processor is taken, and the call notices nothing") {
  if (ubsan_needs_descriptors()) return;
  weft::runtime rt(workers(1));
  latch_pipe pipe;
  block_and_let_go(rt, pipe);
  const std::uint64_t before = probe::retakes(rt);
  {
    const no_descriptor_left none;
    block_and_let_go(rt, pipe);
  }
  CHECK(probe::retakes(rt) > before);
  CHECK(probe::blind_looks(rt) == 0);
}

TEST_CASE("no /proc: the same, by CPU clocks") {
  weft::os::test_hooks.no_proc.store(true, std::memory_order_relaxed);
  {
    weft::runtime rt(workers(1));
    latch_pipe pipe;
    for (int i = 0; i < 5; ++i) block_and_let_go(rt, pipe);
    CHECK(probe::retakes(rt) >= 5);
    CHECK(probe::blind_looks(rt) > 0);
  }
  weft::os::test_hooks.no_proc.store(false, std::memory_order_relaxed);
}

TEST_CASE("what a kept descriptor says is believed only if it is of that thread") {
  weft::os::thread_stat stat;
  std::atomic<pid_t> tid{0};
  latch_pipe pipe;
  std::thread sleeper([&] {
    tid.store(weft::os::thread_id(), std::memory_order_release);
    tid.notify_all();
    CHECK(pipe.wait() == 1);
  });
  tid.wait(0, std::memory_order_acquire);
  const int next = ::dup(0);
  ::close(next);
  stat.open(tid.load());  // gets that number
  while (stat.look(tid.load()) != weft::os::thread_activity::sleeps) std::this_thread::yield();
  // not what the other's file says
  CHECK(stat.look(weft::os::thread_id()) == weft::os::thread_activity::runs);
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  CHECK(::dup2(null, next) == next);  // the program closed it, and took the number
  until([&] { return stat.look(tid.load()) == weft::os::thread_activity::sleeps; });
  ::close(null);
  pipe.open();
  sleeper.join();
}

TEST_CASE("a kept descriptor is closed once, and by nobody while it is read from") {
  weft::os::thread_stat stat;
  std::atomic<bool> ends{false};
  const pid_t self = weft::os::thread_id();
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i)
    readers.emplace_back([&] {
      while (!ends.load(std::memory_order_relaxed))
        CHECK(stat.look(self) != weft::os::thread_activity::unknown);
    });
  for (std::size_t i = 0; i < scaled(20'000); ++i) {
    stat.open(self);
    // Takes the number if it is free, and loses it if `stat` closes twice.
    const int other = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    stat.close();
    REQUIRE(::close(other) == 0);
  }
  ends.store(true, std::memory_order_relaxed);
  for (auto& reader : readers) reader.join();
}
