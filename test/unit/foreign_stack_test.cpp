// SPDX-License-Identifier: BSL-1.0
// A fiber may stand on a stack that is not its own: the application's ucontext, a coroutine of
// Boost's, of Lua's. All of weft works there, and nothing of weft takes that stack for one whose
// ends it knows.
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "base/sanitizers.hpp"
#include "fiber/record.hpp"
#include "sched/worker.hpp"
#include "support/in_child.hpp"
#include "support/runtimes.hpp"

#if WEFT_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#if WEFT_TSAN
#include <sanitizer/tsan_interface.h>
#endif

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

// A coroutine on a small stack in the middle of memory that belongs to somebody else. It tells the
// sanitizers of its stack, as Boost.Context's do.
class coroutine {
 public:
  static constexpr std::size_t below = 512 << 10,
                               size = WEFT_ASAN || WEFT_TSAN ? 128 << 10 : 32 << 10;

  explicit coroutine(std::function<void(coroutine&)> body) : body_(std::move(body)) {
    memory_ = static_cast<unsigned char*>(
        mmap(low_, below + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE(memory_ != MAP_FAILED);
    std::memset(memory_, 0x55, below);
    getcontext(&inside_);
    inside_.uc_stack.ss_sp = memory_ + below;
    inside_.uc_stack.ss_size = size;
    inside_.uc_link = nullptr;
    const auto self = reinterpret_cast<std::uintptr_t>(this);
    makecontext(&inside_, reinterpret_cast<void (*)()>(&start), 2,
                static_cast<unsigned>(self >> 32), static_cast<unsigned>(self));
#if WEFT_TSAN
    tsan_inside_ = __tsan_create_fiber(0);
#endif
  }
  coroutine(const coroutine&) = delete;
  coroutine& operator=(const coroutine&) = delete;
  ~coroutine() {
#if WEFT_TSAN
    __tsan_destroy_fiber(tsan_inside_);
#endif
    munmap(memory_, below + size);
  }

  // Until it pauses or ends. False: it has ended.
  bool resume() {
    go(outside_, inside_, memory_ + below, size, tsan_inside_);
    return !ended_;
  }
  void pause() { go(inside_, outside_, outer_bottom_, outer_size_, tsan_outside_); }

  [[nodiscard]] bool stands_on(const void* place) const {
    return static_cast<const unsigned char*>(place) >= memory_ &&
           static_cast<const unsigned char*>(place) < memory_ + below + size;
  }
  [[nodiscard]] std::size_t spoiled() const {
    std::size_t n = 0;
    for (std::size_t i = 0; i < below; ++i) n += memory_[i] != 0x55;
    return n;
  }

 private:
#if defined(__clang__)
  __attribute__((noinline, no_sanitize("thread")))
#else
  __attribute__((noinline, no_sanitize_thread))
#endif
  void
  go(ucontext_t& from, ucontext_t& to, [[maybe_unused]] const void* bottom,
     [[maybe_unused]] std::size_t bytes, [[maybe_unused]] void* tsan) {
#if WEFT_ASAN
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, bottom, bytes);
#endif
#if WEFT_TSAN
    if (&from == &outside_) tsan_outside_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(tsan, 0);
#endif
    swapcontext(&from, &to);
#if WEFT_ASAN
    arrive(fake, &from == &inside_);
#endif
  }
  void arrive([[maybe_unused]] void* fake, [[maybe_unused]] bool inside) {
#if WEFT_ASAN
    const void* bottom = nullptr;
    std::size_t bytes = 0;
    __sanitizer_finish_switch_fiber(fake, &bottom, &bytes);
    if (inside) {
      outer_bottom_ = bottom;
      outer_size_ = bytes;
    } else {  // ASan's picture of the coroutine's stack is right, wherever the coroutine has waited
      CHECK(bottom == memory_ + below);
      CHECK(bytes == size);
    }
#endif
  }
  static void start(unsigned high, unsigned low) {
    auto* const self = reinterpret_cast<coroutine*>(static_cast<std::uintptr_t>(high) << 32 | low);
    self->arrive(nullptr, true);
    self->body_(*self);
    self->ended_ = true;
    self->pause();
  }

  // Below weft's stacks where it is free: then this stack's pointer is lower than theirs, too.
  static inline void* const low_ = reinterpret_cast<void*>(std::uintptr_t{1} << 41);
  std::function<void(coroutine&)> body_;
  unsigned char* memory_;
  ucontext_t inside_{}, outside_{};
  const void* outer_bottom_ = nullptr;
  std::size_t outer_size_ = 0;
  void *tsan_inside_ = nullptr, *tsan_outside_ = nullptr;
  bool ended_ = false;
};

void on_a_foreign_stack(const std::function<void(coroutine&)>& body) {
  coroutine c(body);
  while (c.resume()) weft::this_fiber::yield();
  CHECK(c.spoiled() == 0);
}

// An ordinary child: 64 KiB of a 256 KiB stack.
[[gnu::noinline]] const void* use_64_kib() {
  volatile unsigned char frame[64 << 10];
  for (std::size_t i = 0; i < sizeof frame; i += 64) frame[i] = 0xab;
  // volatile: or a compiler says it has gone by then
  const void* volatile there = const_cast<const unsigned char*>(frame);
  return there;
}

std::atomic<std::uint64_t> sink{0};
[[gnu::noinline]] void burn() {
  for (int i = 0; i < 1000; ++i) sink.fetch_add(1, std::memory_order_relaxed);
}

std::chrono::nanoseconds cpu_of_process() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

}  // namespace

TEST_CASE("a join on a foreign stack gives the child a stack of its own") {
  each_fiber([] {
    on_a_foreign_stack([](coroutine& c) {
      CHECK_FALSE(c.stands_on(weft::spawn(use_64_kib).join()));
      auto text = weft::spawn(
          [] { return use_64_kib() != nullptr ? std::string(100, 'x') : std::string(); });
      CHECK(text.join().size() == 100);
    });
  });
}

TEST_CASE("a scope's join on a foreign stack runs no child there") {
  each_fiber([] {
    on_a_foreign_stack([](coroutine& c) {
      weft::scope s;
      std::atomic<int> here{0};
      for (int i = 0; i < 8; ++i) s.spawn([&] { here += c.stands_on(use_64_kib()) ? 1 : 0; });
      s.join();
      CHECK(here == 0);
    });
  });
}

TEST_CASE("a child that runs inline may join its own from a foreign stack") {
  each_fiber([] {
    weft::spawn([] {
      on_a_foreign_stack(
          [](coroutine& c) { CHECK_FALSE(c.stands_on(weft::spawn(use_64_kib).join())); });
    }).join();
  });
}

TEST_CASE("a small stack's inline joins still know the room a large child needs") {
  each_fiber([] {
    weft::attributes small;
    small.stack_size = 64 << 10;
    auto outer = weft::spawn(small, [] {
      weft::attributes smaller;
      smaller.stack_size = 16 << 10;
      // Inline here, on 64 KiB; what it joins wants 256 KiB, and so gets its own stack.
      auto inner = weft::spawn(smaller, [] { return weft::spawn(use_64_kib).join() != nullptr; });
      return inner.join();
    });
    while (!outer.join_for(1h)) {
    }
    CHECK(outer.join());
  });
}

TEST_CASE("every kind of wait works on a foreign stack, and goes on there on whatever thread") {
  each_fiber([] {
    weft::channel<int> numbers(0);
    weft::mutex lock;
    int shared = 0;
    std::vector<weft::fiber<>> all;
    constexpr int fibers = 8, rounds = 20;
    for (int i = 0; i < fibers; ++i)
      all.push_back(weft::spawn([&, i] {
        on_a_foreign_stack([&, i](coroutine& c) {
          for (int r = 0; r < rounds; ++r) {
            const std::string mine = "fiber " + std::to_string(i) + " round " + std::to_string(r);
            try {
              throw std::runtime_error(mine);
            } catch (const std::exception& e) {  // in flight over the waits
              weft::this_fiber::yield();
              weft::this_fiber::sleep_for(10us);
              CHECK(numbers.send(1));
              CHECK(e.what() == mine);
              CHECK(std::current_exception() != nullptr);
            }
            {
              const std::lock_guard guard(lock);
              ++shared;
              weft::this_fiber::yield();
            }
            CHECK_THROWS_AS(weft::spawn([] { throw std::logic_error("child"); }).join(),
                            std::logic_error);
            if (r % 4 == 0) c.pause();
          }
        });
      }));
    int sum = 0;
    for (int i = 0; i < fibers * rounds; ++i) sum += numbers.receive().value_or(0);
    for (auto& f : all) f.join();
    CHECK(sum == fibers * rounds);
    CHECK(shared == fibers * rounds);
  });
}

TEST_CASE("a dump says where a fiber waits that stands on a foreign stack") {
  each_fiber([] {
    weft::channel<int> never(0);
    weft::attributes named;
    named.name = "on a stack of its own making";
    auto f = weft::spawn(named, [&] {
      on_a_foreign_stack([&](coroutine&) { static_cast<void>(never.receive()); });
    });
    std::string dump;
    until([&] {
      dump = weft::debug::dump_fibers();
      const std::size_t at = dump.find(named.name);
      return at != std::string::npos && dump.find("channel receive", at) != std::string::npos;
    });
    never.close();
    f.join();
  });
}

TEST_CASE("a wild write into a guard page from a foreign stack is no stack overflow") {
  if (WEFT_ASAN) return;  // reports it itself
  const child_end end = in_child([] {
    weft::run(weft::options{.workers = 1}, [] {
      weft::spawn([] {
        on_a_foreign_stack([](coroutine&) {
          auto* const guard = weft::detail::this_worker()->current->stack_limit;
          const_cast<volatile std::byte&>(guard[-8]) = std::byte{1};
        });
      }).join();
    });
    return 0;
  });
  CAPTURE(end.errors);
  CHECK(end.signal == SIGSEGV);
  CHECK(end.errors.find("stack overflow") == std::string::npos);
}

TEST_CASE("the profiler counts what a fiber computes on a foreign stack as the fiber's") {
  const std::string path = "foreign_stack_test." + std::to_string(getpid()) + ".folded";
  with_runtime(weft::options{.workers = 1}, [&](weft::runtime& rt) {
    weft::profile::options o;
    o.path = path;
    o.hertz = 1000;
    weft::profile::start(o);
    weft::attributes named;
    named.name = "elsewhere";
    auto f = rt.spawn(named, [&] {
      on_a_foreign_stack([&](coroutine&) {
        // By CPU time, which is what is sampled, however busy the machine.
        for (const auto enough = cpu_of_process() + 400ms; cpu_of_process() < enough;) burn();
      });
    });
    f.join();
    static_cast<void>(weft::profile::stop());
  });
  std::uint64_t its = 0, all = 0;
  std::FILE* const file = std::fopen(path.c_str(), "re");
  REQUIRE(file != nullptr);
  char line[4096];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    const std::string text(line);
    if (text.starts_with("(other threads)")) continue;
    const std::uint64_t n = std::stoull(text.substr(text.rfind(' ') + 1));
    all += n;
    if (text.starts_with("elsewhere;")) its += n;
  }
  std::fclose(file);
  std::remove(path.c_str());
  CAPTURE(all);
  CHECK(its * 2 >= all);  // none at all: the collector did not get to run once
}
