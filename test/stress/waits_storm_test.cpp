// SPDX-License-Identifier: BSL-1.0
// Waits for sockets, timers, condition variables, futures, weighted semaphores and groups, and
// fibers on threads of their own, while everything happens at once (support/lives.hpp).
#include "support/lives.hpp"

#include <array>
#include <condition_variable>
#include <mutex>
#include <span>
#include <utility>

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

class world {
 public:
  explicit world(choices&) {}
  void step(choices& pick, int depth);
  void before_shutdown() {}
  void settle() {
    CHECK(wrong_ == 0);
    CHECK(notified_ >= 0);
    CHECK(weighed_ == 0);
  }

 private:
  void talk(choices& pick);
  void wait_for_time(choices& pick);
  void wait_for_change(choices& pick);
  void wait_for_group(choices& pick);
  void weigh(choices& pick);
  void call_back(choices& pick);
  void expect(bool right) noexcept { add(wrong_, right ? 0 : 1); }

  weft::mutex lock_;
  weft::condition_variable changed_;
  std::int64_t notified_ = 0;  // lock_
  weft::weighted_semaphore weights_{5};
  std::atomic<int> weighed_{0};
  count wrong_{0};
};

/// Over a pair of sockets: what one writes in pieces, the other reads, unless time is up or the
/// writer gives up; then it reads the beginning, and the end of the stream.
void world::talk(choices& pick) {
  auto [here, there] = weft::net::unix_stream::pair();
  const std::size_t pieces = 1 + pick.below(8), size = 1 + pick.below(3000);
  const bool gives_up = pick.below(4) == 0;
  auto writer = weft::spawn([s = std::move(there), pieces, size, gives_up]() mutable {
    std::array<std::byte, 3000> bytes;
    bytes.fill(std::byte{7});
    std::size_t written = 0;
    for (std::size_t i = 0; i < pieces; ++i) {
      if (gives_up && i == pieces / 2) break;
      std::error_code ec;
      written += s.write_all(std::span(bytes).first(size), ec);
      if (ec) break;
      if (i % 3 == 0) weft::this_fiber::yield();
    }
    return written;  // and the end of the stream
  });
  const bool hurries = pick.below(3) == 0;
  if (hurries)
    here.set_read_deadline(std::chrono::steady_clock::now() +
                           std::chrono::microseconds(pick.below(400)));
  std::array<std::byte, 700> buffer;
  std::size_t read = 0;
  bool right = true;
  std::error_code ec;
  for (;;) {
    const std::size_t n = here.read_some(buffer, ec);
    if (n == 0 || ec) break;
    for (const std::byte b : std::span(buffer).first(n)) right &= b == std::byte{7};
    read += n;
  }
  here.close();
  const std::size_t written = writer.join();
  expect(right);
  expect(ec ? read <= written : read == written);
  expect(!ec || hurries || ec == std::errc::operation_canceled);
}

void world::wait_for_time(choices& pick) {
  const auto d = std::chrono::microseconds(pick.below(300));
  const auto began = std::chrono::steady_clock::now();
  weft::timer t(d);
  switch (pick.below(4)) {
    case 0:
      expect(t.wait());
      expect(std::chrono::steady_clock::now() - began >= d);
      return;
    case 1:
      expect(t.reset(1h) || t.try_wait() || std::chrono::steady_clock::now() - began >= d);
      expect(t.stop());
      return;
    case 2: {
      weft::ticker ticks(50us);
      for (int i = 0; i < 3; ++i) expect(ticks.wait());
      return;
    }
    default:
      expect(weft::select(weft::on_timer(t, [] {}), weft::on_timeout(1h, [] {})) == 0);
  }
}

void world::wait_for_change(choices& pick) {
  std::unique_lock hold(lock_);
  if (pick.below(2) == 0) {
    ++notified_;
    pick.below(2) == 0 ? changed_.notify_one() : changed_.notify_all();
    return;
  }
  if (changed_.wait_for(hold, std::chrono::microseconds(pick.below(400)),
                        [&] { return notified_ > 0; }))
    --notified_;
  expect(hold.owns_lock() && notified_ >= 0);
}

void world::wait_for_group(choices& pick) {
  // Its end counts it out, also if it never started for want of a stack.
  struct member {
    explicit member(weft::wait_group& g) : group(&g) { g.add(); }
    member(member&& other) noexcept : group(std::exchange(other.group, nullptr)) {}
    ~member() {
      if (group != nullptr) group->done();
    }
    weft::wait_group* group;
  };
  weft::wait_group group;
  weft::event go;
  weft::promise<std::uint64_t> answer;
  auto asked = answer.get_future();
  std::atomic<std::uint64_t> done{0};
  std::array<weft::fiber<>, 4> all;
  const std::uint64_t n = 1 + pick.below(all.size());
  std::uint64_t ran = 0;
  try {
    for (std::uint64_t i = 0; i < n; ++i)
      all[i] = weft::spawn([&, here = member(group)] {
        go.wait();
        done.fetch_add(1);
      });
  } catch (const std::bad_alloc&) {  // fewer, then
  }
  go.set();
  answer.set_value(n);
  group.wait();
  for (auto& f : all) {
    if (!f.joinable()) continue;
    try {
      f.join();
      ++ran;
    } catch (const std::exception&) {  // there was no stack, or no memory to say so
    }
  }
  expect(asked.get() == n);
  expect(done == ran);
}

void world::weigh(choices& pick) {
  const auto n = 1 + static_cast<std::ptrdiff_t>(pick.below(4));
  if (!weights_.try_acquire_for(n, std::chrono::microseconds(pick.below(300)))) return;
  expect(weighed_.fetch_add(static_cast<int>(n)) + n <= 5);
  if (pick.below(2) == 0) weft::this_fiber::yield();
  weighed_.fetch_sub(static_cast<int>(n));
  weights_.release(n);
}

void world::call_back(choices& pick) {
  std::stop_source source;
  std::atomic<int> called{0};
  {
    weft::stop_callback hear(source.get_token(), [&] {
      weft::this_fiber::yield();
      called.fetch_add(1);
    });
    if (pick.below(2) == 0) source.request_stop();
  }
  expect(called == (source.stop_requested() ? 1 : 0));
}

void world::step(choices& pick, int) {
  switch (pick.below(9)) {
    case 0:
    case 1:
      return talk(pick);
    case 2:
      return wait_for_time(pick);
    case 3:
      return wait_for_change(pick);
    case 4:
      return wait_for_group(pick);
    case 5:
      return weigh(pick);
    case 6:
      return call_back(pick);
    case 7:
      return expect(weft::block_in_place([] { return 3; }) == 3);
    default:
      if (pick.below(8) == 0)  // a thread of its own
        expect(weft::spawn({.own_thread = true}, [] {
                 weft::this_fiber::yield();
                 return 5;
               }).join() == 5);
      else
        expect(weft::async([] { return 4; }).get() == 4);
  }
}

}  // namespace

TEST_CASE("every other wait at once, and a shutdown in the middle") { lives<world>(); }
