// SPDX-License-Identifier: BSL-1.0
// A preempted fiber holds what others wait for, and no thread is left to make: it goes on all the
// same [PREEMPT-3]. Each of these hangs if it does not.
#include <csignal>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "support/in_child.hpp"
#include "support/storm.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

weft::options two_threads() {
  weft::options o = workers(1);
  o.max_threads = 2;
  return o;
}

// The first fiber has locked and computes on until another one has run, which is only possible if
// it is preempted: frozen with the lock. That other one, and those behind it, want the lock.
template <class Lock, class Unlock>
void contended(const weft::options& o, Lock lock, Unlock unlock) {
  weft::runtime rt(o);
  std::atomic<bool> locked{false}, enough{false};
  auto holder = rt.spawn([&] {
    lock();
    locked.store(true, std::memory_order_release);
    locked.notify_all();
    spin_until(enough);
    unlock();
  });
  locked.wait(false, std::memory_order_acquire);  // the contenders must not be first
  std::vector<weft::fiber<void>> others;
  for (int i = 0; i < 4; ++i)
    others.push_back(rt.spawn([&] {
      enough.store(true, std::memory_order_release);
      lock();
      unlock();
    }));
  holder.join();
  for (auto& f : others) f.join();
}

// As in allocators and other libraries.
class spin_lock {
 public:
  void lock() {
    while (held_.test_and_set(std::memory_order_acquire)) continue;
  }
  void unlock() { held_.clear(std::memory_order_release); }

 private:
  std::atomic_flag held_ = ATOMIC_FLAG_INIT;
};

}  // namespace

TEST_CASE(
    "at max_threads a contender blocks in a std::mutex: its processor goes to the frozen holder") {
  if (no_preemption_here()) return;
  std::mutex m;
  contended(two_threads(), [&] { m.lock(); }, [&] { m.unlock(); });
}

TEST_CASE("at max_threads a contender spins: it is frozen, and the holder takes its place") {
  if (no_preemption_here()) return;
  spin_lock m;
  contended(two_threads(), [&] { m.lock(); }, [&] { m.unlock(); });
}

TEST_CASE("the system gives no thread: the same") {
  if (no_preemption_here()) return;
  weft::runtime rt(workers(1));
  std::mutex m;
  std::atomic<bool> enough{false}, locked{false};
  latch_pipe pipe;
  auto first = rt.spawn([&] { CHECK(pipe.wait() == 1); });  // has the second thread made
  auto second = rt.spawn([&] { pipe.open(); });
  second.join();
  first.join();
  weft::os::test_hooks.thread_error.store(EAGAIN, std::memory_order_relaxed);
  auto holder = rt.spawn([&] {
    const std::lock_guard guard(m);
    locked.store(true, std::memory_order_release);
    locked.notify_all();
    spin_until(enough);
  });
  locked.wait(false, std::memory_order_acquire);
  std::vector<weft::fiber<void>> others;
  for (int i = 0; i < 4; ++i)
    others.push_back(rt.spawn([&] {
      enough.store(true, std::memory_order_release);
      const std::lock_guard guard(m);
    }));
  holder.join();
  for (auto& f : others) f.join();
  weft::os::test_hooks.thread_error.store(0, std::memory_order_relaxed);
}

TEST_CASE(
    "options::retake is off: whoever blocks keeps its processor, and the frozen holder goes on "
    "without one") {
  if (no_preemption_here()) return;
  weft::options o = workers(1);
  o.retake = false;
  std::mutex m;
  contended(o, [&] { m.lock(); }, [&] { m.unlock(); });
}

// libstdc++ guards a stop state by a lock that spins; its bit is taken here as if a fiber had been
// preempted in it.
TEST_CASE(
    "a wait that registers with a stop token meets the lock of the stop state, held by a frozen "
    "fiber") {
#if defined(_GLIBCXX_RELEASE) && !WEFT_TSAN
  struct state {
    std::atomic<unsigned> owners, value;
  };
  constexpr unsigned locked_bit = 2;
  const std::stop_source source;
  const std::stop_token token = source.get_token();
  auto& lock = (*reinterpret_cast<state* const*>(&token))->value;
  weft::channel<int> never;
  weft::runtime rt(workers(1));
  std::atomic<bool> locked{false}, enough{false};
  auto holder = rt.spawn([&] {
    lock.fetch_or(locked_bit, std::memory_order_acquire);
    locked.store(true, std::memory_order_release);
    locked.notify_all();
    spin_until(enough);
    lock.fetch_and(~locked_bit, std::memory_order_release);
  });
  locked.wait(false, std::memory_order_acquire);
  auto waiter = rt.spawn([&] {
    enough.store(true, std::memory_order_release);
    static_cast<void>(never.receive_for(token, 1ms));
  });
  holder.join();
  waiter.join();
#endif
}

// With two threads the one that is not blocked sleeps in the poller, in no list of spares.
TEST_CASE("at max_threads the sleeper in the poller is a thread, too") {
  weft::runtime rt(two_threads());
  for (int round = 0; round < 10; ++round) {
    latch_pipe pipe;
    auto blocked = rt.spawn([&] { CHECK(pipe.wait() == 1); });
    auto other = rt.spawn([&] { pipe.open(); });
    other.join();
    blocked.join();
  }
  CHECK(probe::threads(rt) <= 2);
}

TEST_CASE("many spin locks and blocks at max_threads") {
  if (no_preemption_here()) return;
  weft::options o = workers(2);
  o.max_threads = 4;
  weft::runtime rt(o);
  probe::storm(rt, probe::preempts | probe::retake_all);
  spin_lock spins;
  std::mutex blocks;
  long spun = 0, blocked = 0;
  std::vector<weft::fiber<void>> fibers;
  for (int i = 0; i < 16; ++i)
    fibers.push_back(rt.spawn([&] {
      for (int k = 0; k < 200; ++k) {
        {
          const std::lock_guard guard(spins);
          ++spun;
        }
        {
          const std::lock_guard guard(blocks);
          ++blocked;
        }
        if (k % 16 == 0) weft::this_fiber::yield();
      }
    }));
  for (auto& f : fibers) f.join();
  CHECK(spun == 16 * 200);
  CHECK(blocked == 16 * 200);
}

TEST_CASE("a straggler that is left behind frozen lets go of what it holds") {
  if (no_preemption_here()) return;
  const child_end end = in_child([] {
    alarm(60);
    static std::mutex m;
    static std::atomic<bool> go{false}, locked{false};
    weft::options o = workers(1);
    o.shutdown_timeout = 200ms;
    weft::run(o, [] {
      weft::spawn([] {
        const std::lock_guard guard(m);
        locked.store(true);
        spin_until(go);
      }).detach();
      while (!locked.load()) weft::this_fiber::yield();
      weft::attributes a;
      a.preemptible = false;  // has the processor in the end, so it is the other one that is frozen
      weft::spawn(a, [] {
        for (;;) asm volatile("");
      }).detach();
    });
    go.store(true);
    const std::lock_guard guard(m);
    return 0;
  });
  CHECK(end.signal == 0);
  CHECK(end.exit_code == 0);
}
