// SPDX-License-Identifier: BSL-1.0
// Blocked in the kernel, undeclared: the others go on, and the call notices nothing.
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <resolv.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "support/storm.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

TEST_CASE("a fiber in read(2) on the only worker does not hold up the one that ends its wait") {
  weft::runtime rt(workers(1));
  latch_pipe pipe;
  ssize_t got = 0;
  std::atomic<bool> begun{false};
  auto blocked = rt.spawn([&] {
    begun.store(true, std::memory_order_release);
    begun.notify_all();
    got = pipe.wait();
  });
  begun.wait(false);
  auto other = rt.spawn([&] { pipe.open(); });
  other.join();
  blocked.join();
  CHECK(got == 1);  // not -1 with EINTR: no signal is involved
  CHECK(probe::retakes(rt) >= 1);
}

TEST_CASE("twenty blocked at once on one worker: each gets a thread, all go on") {
  weft::runtime rt(workers(1));
  latch_pipe pipe;
  std::atomic<int> inside{0}, done{0};
  std::vector<weft::fiber<void>> fibers;
  for (int i = 0; i < 20; ++i)
    fibers.push_back(rt.spawn([&] {
      inside.fetch_add(1, std::memory_order_relaxed);
      CHECK(pipe.wait() == 1);
      weft::this_fiber::yield();  // comes back without a processor, and gets one
      done.fetch_add(1, std::memory_order_relaxed);
    }));
  auto opener = rt.spawn([&] {
    while (inside.load(std::memory_order_relaxed) < 20) weft::this_fiber::sleep_for(1ms);
    pipe.open(20);
  });
  for (auto& f : fibers) f.join();
  opener.join();
  CHECK(done.load(std::memory_order_relaxed) == 20);
}

namespace {

// One worker. A fiber blocks in `block`, undeclared, until another one has run `let_go`: which has
// its turn only if the processor is taken from the first.
template <class Block, class LetGo>
void taken_from(const char* what, Block block, LetGo let_go) {
  CAPTURE(what);
  weft::runtime rt(workers(1));
  std::atomic<bool> begun{false};
  auto blocked = rt.spawn([&] {
    begun.store(true, std::memory_order_release);
    begun.notify_all();
    block();
  });
  // spawns from outside keep no order among themselves
  begun.wait(false, std::memory_order_acquire);
  auto other = rt.spawn(let_go);
  other.join();
  blocked.join();
  CHECK(probe::retakes(rt) > 0);
}

// A name server on this machine that answers "no such name", when told to.
class mute_name_server {
 public:
  mute_name_server() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(socket_, reinterpret_cast<sockaddr*>(&address_), sizeof address_) == 0);
    socklen_t size = sizeof address_;
    REQUIRE(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address_), &size) == 0);
  }
  ~mute_name_server() { ::close(socket_); }
  mute_name_server(const mute_name_server&) = delete;
  mute_name_server& operator=(const mute_name_server&) = delete;
  /// From now on the calling thread's look-ups ask it.
  void ask_here() const {
    REQUIRE(::res_init() == 0);
    _res.nscount = 1;
    _res.nsaddr_list[0] = address_;
    _res.retrans = 30;
    _res.retry = 1;
  }
  void answer(int questions) const {
    for (; questions > 0; --questions) {
      unsigned char text[512];
      sockaddr_in who{};
      socklen_t size = sizeof who;
      const ssize_t n =
          ::recvfrom(socket_, text, sizeof text, 0, reinterpret_cast<sockaddr*>(&who), &size);
      REQUIRE(n > 12);
      text[2] |= 0x80;                                             // an answer
      text[3] = static_cast<unsigned char>((text[3] & 0xf0) | 3);  // NXDOMAIN
      REQUIRE(::sendto(socket_, text, static_cast<std::size_t>(n), 0,
                       reinterpret_cast<sockaddr*>(&who), size) == n);
    }
  }

 private:
  int socket_;
  sockaddr_in address_{};
};

}  // namespace

TEST_CASE(
    "a fiber blocked in: read, poll, open, flock, sleep, a std::mutex, a condition variable, "
    "getaddrinfo") {
  {
    latch_pipe pipe;
    taken_from("read", [&] { CHECK(pipe.wait() == 1); }, [&] { pipe.open(); });
  }
  {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);  // what libpq waits in
    taken_from(
        "poll",
        [&] {
          pollfd p{ends[0], POLLIN, 0};
          CHECK(::poll(&p, 1, -1) == 1);
        },
        [&] { CHECK(::write(ends[1], "x", 1) == 1); });
    ::close(ends[0]);
    ::close(ends[1]);
  }
  {
    char path[] = "/tmp/weft-retake-XXXXXX";
    REQUIRE(::mkdtemp(path) != nullptr);
    const std::string fifo = std::string(path) + "/fifo", file = std::string(path) + "/file";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    int reader = -1, writer = -1;
    taken_from(
        "open", [&] { reader = ::open(fifo.c_str(), O_RDONLY); },
        [&] { writer = ::open(fifo.c_str(), O_WRONLY); });
    CHECK(reader >= 0);
    ::close(reader);
    ::close(writer);
    const int first = ::open(file.c_str(), O_CREAT | O_RDWR, 0600),
              second = ::open(file.c_str(), O_RDWR);
    REQUIRE(::flock(first, LOCK_EX) == 0);
    taken_from(
        "flock", [&] { CHECK(::flock(second, LOCK_EX) == 0); },
        [&] { CHECK(::flock(first, LOCK_UN) == 0); });
    ::close(first);
    ::close(second);
    ::unlink(file.c_str());
    ::unlink(fifo.c_str());
    ::rmdir(path);
  }
  {
    std::atomic<bool> other_ran{false};
    bool ran_meanwhile = false;
    taken_from(
        "sleep",
        [&] {
          ::usleep(100'000);
          ran_meanwhile = other_ran.load(std::memory_order_relaxed);
        },
        [&] { other_ran.store(true, std::memory_order_relaxed); });
    CHECK(ran_meanwhile);
  }
  {
    std::mutex m;
    std::atomic<bool> held{false}, enough{false};
    std::thread holder([&] {
      const std::lock_guard guard(m);
      held.store(true, std::memory_order_release);
      held.notify_all();
      enough.wait(false, std::memory_order_acquire);
    });
    held.wait(false, std::memory_order_acquire);
    taken_from(
        "std::mutex", [&] { const std::lock_guard guard(m); },
        [&] {
          enough.store(true, std::memory_order_release);
          enough.notify_all();
        });
    holder.join();
  }
  {
    std::mutex m;
    std::condition_variable changed;
    bool go = false;
    taken_from(
        "std::condition_variable",
        [&] {
          std::unique_lock guard(m);
          changed.wait(guard, [&] { return go; });
        },
        [&] {
          const std::lock_guard guard(m);
          go = true;
          changed.notify_all();
        });
  }
  {
    const mute_name_server server;
    int result = 0;
    taken_from(
        "getaddrinfo",
        [&] {
          server.ask_here();
          addrinfo hints{};
          hints.ai_family = AF_INET;
          addrinfo* found = nullptr;
          result = ::getaddrinfo("nobody.weft-test.", "80", &hints, &found);
        },
        [&] { server.answer(1); });
    CHECK(result != 0);
  }
}

TEST_CASE("a storm of page faults holds up nobody") {
  if (no_preemption_here()) return;
  weft::runtime rt(workers(1));
  constexpr std::size_t size = std::size_t{64} << 20;
  void* const mapped =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(mapped != MAP_FAILED);
  auto* const memory = static_cast<volatile char*>(mapped);
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> faults{0};
  auto storm = rt.spawn([&] {
    while (!stop.load(std::memory_order_relaxed)) {
      for (std::size_t at = 0; at < size && !stop.load(std::memory_order_relaxed);
           at += 4096, faults.fetch_add(1, std::memory_order_relaxed))
        memory[at] = 1;
      ::madvise(mapped, size, MADV_DONTNEED);
    }
  });
  rt.spawn([&] {
      for (int i = 0; i < 20; ++i) weft::this_fiber::sleep_for(1ms);
      stop.store(true, std::memory_order_relaxed);
    }).join();
  storm.join();
  CHECK(faults.load(std::memory_order_relaxed) > 0);
  CHECK(probe::preemptions(rt) + probe::retakes(rt) > 0);
  ::munmap(mapped, size);
}

TEST_CASE("a fiber that sleeps for moments, again and again, holds up the others for a slice") {
  // One slice of time, and so little CPU time: it must not be counted as a wait for a CPU. Naps of
  // a millisecond use a hundredth of a CPU, on a slow machine a tenth; counted as waits, they go on
  // until the CPU time alone makes up a slice.
  constexpr int times = 8;
  weft::options o = workers(1);
  o.time_slice = 20ms;
  weft::runtime rt(o);
  auto least = std::chrono::nanoseconds::max();  // late threads make it more
  for (int i = 0; i < times; ++i) {
    std::atomic<bool> other_ran{false};
    auto sleeper = rt.spawn([&] {
      ::prctl(PR_SET_TIMERSLACK, 1UL);
      // many steps first: the monitor's rounds are slow then
      const auto until = std::chrono::steady_clock::now() + 20ms;
      while (std::chrono::steady_clock::now() < until) weft::this_fiber::yield();
      auto other = weft::spawn([&] { other_ran.store(true, std::memory_order_release); });
      const auto begin = thread_cpu_time();  // its thread stays its own
      while (!other_ran.load(std::memory_order_acquire)) {
        const timespec moment{0, 1'000'000};
        ::nanosleep(&moment, nullptr);
      }
      least = std::min<std::chrono::nanoseconds>(least, thread_cpu_time() - begin);
      other.join();
    });
    sleeper.join();
  }
  CHECK(least < o.time_slice / 10);
}

TEST_CASE("retake off: the others wait, and get their turn when the call returns") {
  weft::options o = workers(1);
  o.retake = false;
  o.time_slice = 0ms;  // on a busy machine the fiber may be preempted before it blocks
  weft::runtime rt(o);
  latch_pipe pipe;
  std::atomic<bool> other_ran{false};
  bool ran_meanwhile = true;
  std::atomic<bool> begun{false};
  auto blocked = rt.spawn([&] {
    begun.store(true, std::memory_order_release);
    begun.notify_all();
    pipe.wait();
    ran_meanwhile = other_ran.load(std::memory_order_relaxed);
  });
  // spawns from outside keep no order among themselves
  begun.wait(false, std::memory_order_acquire);
  auto other = rt.spawn([&] { other_ran.store(true, std::memory_order_relaxed); });
  std::this_thread::sleep_for(20ms);
  pipe.open();
  blocked.join();
  other.join();
  CHECK_FALSE(ran_meanwhile);
  CHECK(probe::retakes(rt) == 0);
}

TEST_CASE(
    "no threads to be had: things wait, nothing breaks, and it is said once where the limit is") {
  weft::options o = workers(1);
  o.max_threads = 2;
  weft::runtime rt(o);
  latch_pipe pipe;
  std::atomic<int> inside{0};
  std::vector<weft::fiber<void>> fibers;
  for (int i = 0; i < 4; ++i)
    fibers.push_back(rt.spawn([&] {
      inside.fetch_add(1, std::memory_order_relaxed);
      CHECK(pipe.wait() == 1);
    }));
  while (inside.load(std::memory_order_relaxed) < 2) std::this_thread::yield();
  std::this_thread::sleep_for(20ms);
  CHECK(inside.load(std::memory_order_relaxed) == 2);  // both threads are taken
  pipe.open(4);
  for (auto& f : fibers) f.join();
  CHECK(probe::threads(rt) == 2);
}

TEST_CASE("kill point: the system gives no thread; then it does") {
  weft::runtime rt(workers(1));
  weft::os::test_hooks.thread_error.store(EAGAIN, std::memory_order_relaxed);
  latch_pipe pipe;
  std::atomic<bool> blocking{false}, ran{false};
  auto blocked = rt.spawn([&] {
    blocking.store(true, std::memory_order_relaxed);
    CHECK(pipe.wait() == 1);
  });
  while (!blocking.load(std::memory_order_relaxed)) std::this_thread::yield();
  auto other = rt.spawn([&] { ran.store(true, std::memory_order_relaxed); });
  std::this_thread::sleep_for(20ms);
  CHECK_FALSE(ran.load(std::memory_order_relaxed));
  weft::os::test_hooks.thread_error.store(0, std::memory_order_relaxed);
  other.join();
  pipe.open();
  blocked.join();
}

TEST_CASE("a timer set by a fiber that lost its processor before it parked still fires") {
  weft::runtime rt(workers(2));
  std::vector<weft::fiber<void>> fibers;
  probe::storm(rt, probe::retake_all);
  for (int i = 0; i < 16; ++i)
    fibers.push_back(rt.spawn([&] {
      for (int k = 0; k < 100; ++k) weft::this_fiber::sleep_for(100us);
    }));
  for (auto& f : fibers) f.join();
  probe::storm(rt, 0);
}

TEST_CASE(
    "calls that block for a millisecond each are retaken from, though the monitor has been calm") {
  weft::runtime rt(workers(1));
  const auto nap = [](std::chrono::nanoseconds t) {
    const timespec pause{0, static_cast<long>(t.count())};
    ::clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
    weft::this_fiber::yield();
  };
  std::atomic<bool> longer{false}, stop{false};
  std::vector<weft::fiber<void>> fibers;
  for (int i = 0; i < 20; ++i)
    fibers.push_back(rt.spawn([&] {
      while (!stop.load(std::memory_order_relaxed))
        nap(longer.load(std::memory_order_relaxed) ? 1ms : 60us);
    }));
  // too short for the monitor, whose rounds are far apart by now
  std::this_thread::sleep_for(400ms);
  const std::uint64_t before = probe::retakes(rt);
  longer.store(true, std::memory_order_relaxed);
  const auto limit = std::chrono::steady_clock::now() + 20s;
  while (probe::retakes(rt) < before + 50 && std::chrono::steady_clock::now() < limit)
    std::this_thread::sleep_for(1ms);
  CHECK(probe::retakes(rt) >= before + 50);
  stop.store(true, std::memory_order_relaxed);
  for (auto& f : fibers) f.join();
}
