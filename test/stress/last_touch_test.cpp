// SPDX-License-Identifier: BSL-1.0
// stress/last_touch_test.cpp - whoever returns from a wait may destroy what it waited for, even
// while the one who ended the wait is on its way out. Each object lies in pages of its own, which
// nobody may touch once it was destroyed: whoever comes too late dies by SIGSEGV.
#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <new>
#include <optional>

#include <sys/mman.h>

#include <weft/weft.hpp>

#include "base/sanitizers.hpp"

namespace {

constexpr std::size_t page = 4096;

void* pages_of_its_own(std::size_t size) {
  const std::size_t n = (size + page - 1) / page * page;
  void* const p =
      mmap(nullptr, n + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) throw std::bad_alloc();
  *static_cast<std::size_t*>(p) = n + page;
  return static_cast<std::byte*>(p) + page;
}
// The address is not used again before the pages are taken back, a round later.
void forbid(void* at) noexcept {
  static std::atomic<void*> last{nullptr};
  void* const start = static_cast<std::byte*>(at) - page;
  const std::size_t n = *static_cast<std::size_t*>(start);
  mprotect(at, n - page, PROT_NONE);
  if (void* const before = last.exchange(start)) munmap(before, *static_cast<std::size_t*>(before));
}

std::atomic<bool> channels_lie_apart{false};

constexpr int rounds = WEFT_TSAN != 0 || WEFT_ASAN != 0 ? 200 : 600;

/// `wait` returns when `end` has ended it, and the object is gone at once. Both begin together, so
/// that the wait is about to park, parked, or not begun.
template <class T, class Wait, class End>
void waits_and_destroys(const std::function<T*()>& make, const std::function<void(T*)>& destroy,
                        Wait wait, End end) {
  for (const std::size_t workers : {std::size_t{1}, std::size_t{4}}) {
    weft::options o;
    o.workers = workers;
    weft::run(o, [&] {
      for (int i = 0; i < rounds; ++i) {
        T* const object = make();
        auto waiter = weft::spawn([&, object] {
          wait(*object);
          destroy(object);
        });
        for (int k = i % 5; k > 0; --k) weft::this_fiber::yield();
        end(*object);
        waiter.join();
      }
    });
  }
}

template <class T, class Wait, class End, class... A>
void check(Wait wait, End end, A... a) {
  waits_and_destroys<T>([a...] { return ::new (pages_of_its_own(sizeof(T))) T(a...); },
                        [](T* object) {
                          std::destroy_at(object);
                          forbid(object);
                        },
                        wait, end);
}

}  // namespace

// A channel's core is what has an alignment of its own here. The linker wraps the operators
// (test/CMakeLists.txt): clang's sanitizers have theirs in the program, and allow no second ones.
extern "C" {
void* __real__ZnwmSt11align_val_t(std::size_t size, std::align_val_t align);
void __real__ZdlPvSt11align_val_t(void* p, std::align_val_t align) noexcept;

void* __wrap__ZnwmSt11align_val_t(std::size_t size, std::align_val_t align) {
  return channels_lie_apart ? pages_of_its_own(size) : __real__ZnwmSt11align_val_t(size, align);
}
void __wrap__ZdlPvSt11align_val_t(void* p, std::align_val_t align) noexcept {
  if (channels_lie_apart)
    forbid(p);
  else
    __real__ZdlPvSt11align_val_t(p, align);
}
void __wrap__ZdlPvmSt11align_val_t(void* p, std::size_t, std::align_val_t align) noexcept {
  __wrap__ZdlPvSt11align_val_t(p, align);
}
}

TEST_CASE("last touch: event, latch, wait_group, semaphore, barrier, scope") {
  check<weft::event>([](weft::event& e) { e.wait(); }, [](weft::event& e) { e.set(); });
  check<weft::latch>([](weft::latch& l) { l.wait(); }, [](weft::latch& l) { l.count_down(); }, 1);
  check<weft::wait_group>([](weft::wait_group& g) { g.wait(); },
                          [](weft::wait_group& g) { g.done(); }, 1);
  using semaphore = weft::counting_semaphore<>;
  check<semaphore>([](semaphore& s) { s.acquire(); }, [](semaphore& s) { s.release(); }, 0);
  using barrier = weft::barrier<>;
  check<barrier>([](barrier& b) { b.wait(b.arrive()); },
                 [](barrier& b) { static_cast<void>(b.arrive()); }, 2);
  // The last child is who ends the wait there.
  struct with_child : weft::scope {
    with_child() {
      spawn([] { weft::this_fiber::yield(); });
    }
  };
  check<with_child>([](with_child& s) { s.join(); }, [](with_child&) {});
}

TEST_CASE(
    "last touch: mutex and shared_mutex, by who locks last; condition_variable, by who was "
    "notified") {
  struct pair {
    weft::mutex m;
    weft::shared_mutex rw;
    weft::condition_variable cv;
    std::atomic<int> state{0};
  };
  check<pair>(
      [](pair& p) {
        while (p.state == 0) weft::this_fiber::yield();
        {
          const std::lock_guard last(p.m);
        }
        {
          const std::lock_guard last(p.rw);
        }
      },
      [](pair& p) {
        p.m.lock();
        p.rw.lock();
        p.state = 1;
        weft::this_fiber::yield();
        weft::this_fiber::yield();
        p.rw.unlock();
        p.m.unlock();  // the last touch: the other one waits for it
      });
  check<pair>(
      [](pair& p) {
        std::unique_lock lock(p.m);
        p.cv.wait(lock, [&] { return p.state == 1; });
      },
      [](pair& p) {
        const std::lock_guard lock(p.m);
        p.state = 1;
        p.cv.notify_all();
      });
}

TEST_CASE(
    "last touch [CHAN-5]: a channel, by a receiver, a sender, a select, and who is woken by "
    "close") {
  channels_lie_apart = true;
  using channel = weft::channel<std::uint32_t>;
  const std::function<channel*()> make = [] { return new channel(0); };
  const std::function<void(channel*)> destroy = [](channel* c) { delete c; };
  waits_and_destroys<channel>(
      make, destroy, [](channel& c) { c.receive(); }, [](channel& c) { c.send(1); });
  waits_and_destroys<channel>(
      make, destroy, [](channel& c) { c.send(1); }, [](channel& c) { c.receive(); });
  waits_and_destroys<channel>(
      make, destroy, [](channel& c) { CHECK_FALSE(c.receive()); }, [](channel& c) { c.close(); });
  waits_and_destroys<channel>(
      make, destroy, [](channel& c) { CHECK_FALSE(c.send(1)); }, [](channel& c) { c.close(); });
  waits_and_destroys<channel>(
      make, destroy,
      [](channel& c) { weft::select(weft::on_receive(c, [](std::optional<std::uint32_t>) {})); },
      [](channel& c) { c.close(); });
  channels_lie_apart = false;
}
