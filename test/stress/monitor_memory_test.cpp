// SPDX-License-Identifier: BSL-1.0
// [MON-3] The monitor never allocates: the lock it would wait for may be held by a thread that only
// it can thaw. Nor does anybody under the idle lock, which the monitor takes. Here operator new
// notes who asks. What would make it allocate goes on at once: preemptions, retakes, spare threads,
// late timers, readiness nobody looks for, stalls.
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <new>
#include <span>

#include "support/storm.hpp"

namespace {
std::atomic<int> monitors_allocations{0}, under_idle_lock{0};
std::atomic<std::uint64_t> allocations{0};
}  // namespace

// Not under the sanitizers, which bring their own: there the storms would hang.
#if !WEFT_ASAN && !WEFT_TSAN
void* operator new(std::size_t n) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (weft::detail::on_monitor()) monitors_allocations.fetch_add(1, std::memory_order_relaxed);
  if (weft::base::lock_rank_held(weft::base::lock_rank::idle))
    under_idle_lock.fetch_add(1, std::memory_order_relaxed);
  if (void* p = std::malloc(n != 0 ? n : 1)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
#endif

using namespace weft::test;
using namespace std::chrono_literals;

TEST_CASE("the monitor never allocates, whatever it has to see to") {
  if (no_preemption_here()) return;
  std::atomic<std::uint64_t> stalls{0}, ticks{0}, received{0}, wrong{0};
  auto o = workers(2);
  o.time_slice = 2ms;
  o.stall_after = 5ms;
  o.on_stall = [&](const weft::stall_report& r) { stalls += r.fiber_name.size() > 0; };
  {
    weft::runtime rt(o);
    rt.spawn([&] {
        const auto now = [] { return std::chrono::steady_clock::now(); };
        const auto begin = now();
        const auto least = soak_time() / 2;
        // As long as a busy machine needs for everything to have happened.
        const auto goes_on = [&] {
          const auto took = now() - begin;
          return took < least ||
                 (took < 60s && (ticks == 0 || received == 0 || stalls == 0 ||
                                 probe::retakes(rt) == 0 || probe::preemptions(rt) == 0));
        };
        auto server = weft::net::tcp_listener({"127.0.0.1", 0});
        const auto address = server.local_endpoint();
        weft::scope all;
        all.spawn([&] {
          while (goes_on()) {
            weft::this_fiber::sleep_for(500us);
            ++ticks;
          }
        });
        for (int i = 0; i < 4; ++i) {
          all.spawn(weft::attributes{.name = "computes"}, [&] {
            std::uint64_t x = 1;
            while (goes_on())
              for (int k = 0; k < 20'000'000; ++k) x = x * 3 + static_cast<std::uint64_t>(k);
            wrong += x == 0;
          });
          all.spawn(weft::attributes{.name = "blocks"}, [&] {
            while (goes_on()) ::usleep(7'000);
          });
        }
        all.spawn([&] {
          auto stream = server.accept();
          char buffer[64];
          while (const std::size_t n = stream.read_some(std::as_writable_bytes(std::span(buffer))))
            received += n;
        });
        all.spawn([&] {
          auto stream = weft::net::tcp_stream::connect(address);
          while (goes_on()) {
            static_cast<void>(stream.write_some(std::as_bytes(std::span("a line"))));
            weft::this_fiber::sleep_for(1ms);
          }
        });
        all.join();
      }).join();
    CHECK(probe::retakes(rt) > 0);
    CHECK(probe::preemptions(rt) > 0);
  }
  CHECK(wrong == 0);
  CHECK(ticks > 0);
  CHECK(received > 0);
  CHECK(stalls > 0);
#if !WEFT_ASAN
  CHECK(allocations > 0);
#endif
  CHECK(monitors_allocations == 0);
  CHECK(under_idle_lock == 0);
}
