// SPDX-License-Identifier: BSL-1.0
// weft::lock_detector, which this test links: who parks with a pthread mutex held is named once;
// nobody else is.
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>

#include "support/descriptors.hpp"
#include "support/in_child.hpp"
#include "support/runtimes.hpp"
#include "support/storm.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

// What the runtime of a child process says while `body` runs as its fiber "the holder".
template <class F>
std::string told(F body) {
  const child_end end = in_child([&] {
    weft::runtime rt(workers(1));
    weft::attributes a;
    a.name = "the holder";
    rt.spawn(a, body).join();
    return 0;
  });
  CHECK(end.exit_code == 0);
  return end.errors;
}

std::size_t times(const std::string& text, const std::string& what) {
  std::size_t n = 0;
  for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++n;
  return n;
}

[[gnu::noinline]] void parks_with_it(std::mutex& m) {
  const std::lock_guard guard(m);
  weft::this_fiber::sleep_for(1ms);
}

bool not_here() {
#if WEFT_TSAN
  MESSAGE("the detector is empty under ThreadSanitizer");
  return true;
#else
  return false;
#endif
}

}  // namespace

TEST_CASE("a fiber that parks with a std::mutex is named, with its stack, once") {
  if (not_here()) return;
  const std::string text = told([] {
    std::mutex m;
    for (int i = 0; i < 5; ++i) parks_with_it(m);
  });
  CHECK(times(text, "weft: fiber") == 1);
  CHECK(times(text, "\"the holder\" parks (sleep) and holds a pthread mutex,") == 1);
  CHECK(text.find("parks_with_it") != text.npos);
}

TEST_CASE("each way to lock counts, recursive ones until the last unlock") {
  if (not_here()) return;
  CHECK(times(told([] {
                std::mutex m;
                REQUIRE(m.try_lock());
                weft::this_fiber::sleep_for(1ms);
                m.unlock();
              }),
              "weft: fiber") == 1);
  CHECK(times(told([] {
                std::timed_mutex m;
                REQUIRE(m.try_lock_for(1s));
                weft::this_fiber::sleep_for(1ms);
                m.unlock();
              }),
              "weft: fiber") == 1);
  CHECK(times(told([] {
                std::recursive_mutex m;
                m.lock();
                m.lock();
                m.unlock();
                weft::this_fiber::sleep_for(1ms);
                m.unlock();
              }),
              "weft: fiber") == 1);
  CHECK(times(told([] {
                std::mutex a, b;
                const std::scoped_lock both(a, b);
                weft::this_fiber::sleep_for(1ms);
              }),
              "holds 2 pthread mutexes,") == 1);
}

TEST_CASE("a channel's wait is a park, too") {
  if (not_here()) return;
  CHECK(times(told([] {
                weft::channel<int> c(0);
                auto receiver = weft::spawn([&] {
                  std::mutex m;
                  const std::lock_guard guard(m);
                  CHECK(c.receive() == 1);
                });
                until([&] { return is_parked(receiver); });
                CHECK(c.send(1));
                receiver.join();
              }),
              "parks (channel receive)") == 1);
}

TEST_CASE("no false report: unlocked in time, a failed try, weft's own locks") {
  CHECK(told([] {
          std::mutex m;
          std::recursive_mutex r;
          {
            const std::scoped_lock guard(m, r);
            const std::lock_guard again(r);
          }
          weft::this_fiber::sleep_for(1ms);
          weft::mutex w;
          const std::lock_guard parked(w);
          weft::this_fiber::sleep_for(1ms);
        }).empty());
  CHECK(told([] {
          std::mutex m;
          std::thread other;
          std::atomic<bool> has{false}, enough{false};
          other = std::thread([&] {  // a plain thread holds it
            const std::lock_guard guard(m);
            has.store(true, std::memory_order_release);
            while (!enough.load(std::memory_order_acquire)) std::this_thread::yield();
          });
          while (!has.load(std::memory_order_acquire)) weft::this_fiber::yield();
          CHECK_FALSE(m.try_lock());
          weft::this_fiber::sleep_for(1ms);
          enough.store(true, std::memory_order_release);
          other.join();
        }).empty());
}

TEST_CASE(
    "no false report: condition variables, waited for and timed out, then a park without the "
    "lock") {
  CHECK(told([] {
          std::mutex m;
          std::condition_variable cv;
          std::condition_variable_any any;
          bool ready = false;
          std::atomic<bool> enough{false};
          auto other = weft::spawn([&] {
            while (!enough.load(std::memory_order_relaxed)) {
              weft::this_fiber::sleep_for(2ms);
              const std::lock_guard guard(m);
              ready = true;
              cv.notify_all();
              any.notify_all();
            }
          });
          {
            std::unique_lock lock(m);
            cv.wait(lock, [&] { return ready; });
            ready = false;
            any.wait(lock, [&] { return ready; });
            static_cast<void>(cv.wait_for(lock, 1ms, [] { return false; }));
          }
          enough.store(true, std::memory_order_relaxed);
          other.join();
          weft::this_fiber::sleep_for(1ms);
        }).empty());
}

TEST_CASE("unlocked by another fiber: the first holds nothing any more") {
  if (not_here()) return;
  CHECK(told([] {
          std::mutex m;
          m.lock();
          weft::fiber<void> other;
          {
            auto f = weft::spawn([&] { m.unlock(); });
            weft::this_fiber::yield();  // no park: it waits for nothing
            other = std::move(f);
          }
          while (!m.try_lock()) weft::this_fiber::yield();
          m.unlock();
          other.join();
          weft::this_fiber::sleep_for(1ms);
        }).empty());
}
