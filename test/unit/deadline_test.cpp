// SPDX-License-Identifier: BSL-1.0
// unit/deadline_test.cpp - time arithmetic at its ends: every timed wait with times that are past,
// never, or no numbers, of every kind of count and clock.
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <mutex>
#include <ratio>
#include <shared_mutex>

#include <doctest/doctest.h>

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <weft/weft.hpp>

using namespace std::chrono;
using namespace std::chrono_literals;
using namespace weft::detail;

// The machine's clock, and how far this thread sees it moved on.
static thread_local std::int64_t moved_on_s = 0;
extern "C" int clock_gettime(clockid_t id, timespec* t) noexcept {
  const auto result = static_cast<int>(::syscall(SYS_clock_gettime, id, t));
  if (result == 0 && id == CLOCK_MONOTONIC) t->tv_sec += moved_on_s;
  return result;
}

namespace {

constexpr auto most = std::numeric_limits<std::int64_t>::max();
constexpr auto least = std::numeric_limits<std::int64_t>::min();
template <class Rep, class Period = std::ratio<1>>
constexpr std::int64_t ns(Rep n) {
  return saturated_ns(duration<Rep, Period>(n));
}
constexpr double no_number = std::numeric_limits<double>::quiet_NaN(),
                 infinite = std::numeric_limits<double>::infinity();

static_assert(ns<int>(3) == 3'000'000'000 && ns<int>(-3) == -3'000'000'000);
static_assert(ns<std::int64_t>(9'223'372'036) == 9'223'372'036'000'000'000 &&
              ns<std::int64_t>(9'223'372'037) == most);
static_assert(saturated_ns(hours::max()) == most && saturated_ns(hours::min()) == least);
static_assert(saturated_ns(milliseconds::max()) == most &&
              saturated_ns(nanoseconds::min()) == least);
static_assert(ns<std::uint64_t, std::nano>(std::numeric_limits<std::uint64_t>::max()) == most);
static_assert(ns<std::uint64_t, std::exa>(std::numeric_limits<std::uint64_t>::max()) == most);
static_assert(ns<std::int64_t, std::exa>(least) == least);
static_assert(ns<wide>(wide{1} << 126) == most && ns<wide>(-(wide{1} << 126)) == least);
// up
static_assert(ns<int, std::pico>(1) == 1 && ns<int, std::pico>(-1) == 0 &&
              ns<int, std::pico>(1001) == 2);
static_assert(ns<int, std::ratio<1, 3>>(1) == 333'333'334 &&
              ns<int, std::ratio<1, 3>>(-1) == -333'333'333);
static_assert(ns<double>(1e-10) == 1 && ns<double>(-1e-10) == 0 && ns<double>(1e300) == most &&
              ns<double>(-1e300) == least);
static_assert(ns<double>(infinite) == most && ns<double>(-infinite) == least);
static_assert(ns<float, std::nano>(16777216.0F) == 16777216 &&
              ns<long double>(1.5L) == 1'500'000'000);
static_assert(span_ns(milliseconds::max()) > 0 && span_ns(milliseconds::max()) < most / 2);
static_assert(saturated_sum(most, 1) == most && saturated_sum(least, -1) == least &&
              saturated_sum(least, most) == -1);

// Clocks of others: in minutes; of an epoch that nanoseconds do not reach back to; in unsigned
// counts.
template <class Rep, class Period, std::int64_t epoch_s>
struct other_clock {
  using rep = Rep;
  using period = Period;
  using duration = std::chrono::duration<Rep, Period>;
  using time_point = std::chrono::time_point<other_clock>;
  static constexpr bool is_steady = false;
  static time_point now() noexcept {
    const auto s =
        duration_cast<seconds>(system_clock::now().time_since_epoch()) + seconds(epoch_s);
    return time_point(duration_cast<duration>(s));
  }
};
using minute_clock = other_clock<int, std::ratio<60>, 0>;
// 12.7 billion years ago
using ancient_clock = other_clock<std::int64_t, std::ratio<1>, 400'000'000'000'000'000>;
using unsigned_clock = other_clock<std::uint64_t, std::milli, 0>;
using floating_clock = other_clock<double, std::ratio<1>, 0>;

// All the ways to wait until `t` for what does not come. They must end.
template <class Time>
void wait_in_every_way(const Time& t) {
  weft::mutex m;
  weft::recursive_mutex rm;
  weft::shared_mutex sm;
  weft::counting_semaphore<> s(0);
  weft::latch l(1);
  weft::barrier<> b(2);
  weft::event e;
  weft::wait_group wg(1);
  weft::channel<int> c;
  weft::condition_variable cv;
  std::atomic<bool> held{false};
  auto owner = weft::spawn([&] {
    const std::scoped_lock all(m, rm, sm);
    held = true;
    while (held) weft::this_fiber::sleep_for(100us);
  });
  while (!held) weft::this_fiber::yield();
  CHECK(weft::this_fiber::sleep_until(t) == weft::wait_result::timeout);
  CHECK(!m.try_lock_until(t));
  CHECK(!rm.try_lock_until(t));
  CHECK(!sm.try_lock_until(t));
  CHECK(!sm.try_lock_shared_until(t));
  CHECK(!s.try_acquire_until(t));
  CHECK(!l.wait_until(t));
  CHECK(!e.wait_until(t));
  CHECK(!wg.wait_until(t));
  CHECK(!b.wait_until(b.arrive(), t));
  CHECK(c.receive_until(t).status() == weft::channel_status::timeout);
  CHECK(c.send_until(1, t).status() == weft::channel_status::timeout);
  weft::mutex own;
  std::unique_lock guard(own);
  CHECK(cv.wait_until(guard, t) == std::cv_status::timeout);
  CHECK(!cv.wait_until(guard, t, [] { return false; }));
  CHECK(!owner.join_until(t));
  bool passed = false;
  weft::select(weft::on_deadline(t, [&] { passed = true; }), weft::on_receive(c, [](auto) {}));
  CHECK(passed);
  weft::timer timer(t);
  CHECK(timer.wait());
  CHECK(weft::offload_until(Time::max(), [] { return 1; }) == 1);
  held = false;
  owner.join();
}

template <class Time>
void ends(const char* what, const Time& t) {
  CAPTURE(what);
  weft::runtime rt;
  auto waiter = rt.spawn([&] { wait_in_every_way(t); });
  REQUIRE(waiter.join_for(60s));  // it does not wait at all; this tells a fault from a slow machine
  waiter.join();
}

template <class Duration>
using steady_in_units = time_point<steady_clock, Duration>;
template <class Duration>
using system_in_units = time_point<system_clock, Duration>;

}  // namespace

TEST_CASE("deadline: what has passed ends every kind of wait") {
  ends("unsigned, system clock", system_clock::now() - 1ul * seconds(1));
  ends("unsigned, steady clock", steady_clock::now() - 1ul * seconds(1));
  ends("the first of the steady clock", steady_clock::time_point::min());
  ends("the first of the system clock", system_clock::time_point::min());
  ends("hours", steady_in_units<hours>::min());
  ends("years before everything", system_in_units<duration<std::int64_t, std::exa>>::min());
  ends("no number", system_in_units<duration<double>>(duration<double>(no_number)));
  ends("no number, steady", steady_in_units<duration<double>>(duration<double>(no_number)));
  ends("minus infinity", system_in_units<duration<double>>(duration<double>(-infinite)));
  ends("minutes", minute_clock::now() - minutes(1));
  ends("an ancient epoch", ancient_clock::now() - seconds(1));
  ends("an unsigned clock", unsigned_clock::now() - milliseconds(1));
  ends("the first of an unsigned clock", unsigned_clock::time_point::min());
  ends("a floating clock", floating_clock::now() - duration<double>(0.5));
}

TEST_CASE("deadline: conversions of moments of other clocks") {
  CHECK(ns<double>(no_number) == least);  // clang: not in a constant expression
  const auto about = [](steady_time t, nanoseconds in) {
    const nanoseconds left = t - steady_clock::now();
    return left <= in && left > in - 600s;
  };
  CHECK(about(to_steady(ancient_clock::now() + hours(1)), 1h));
  CHECK(about(to_steady(unsigned_clock::now() + hours(1)), 1h));
  CHECK(about(to_steady(floating_clock::now() + hours(1)), 1h));
  CHECK(about(to_steady(system_clock::now() + hours(1)), 1h));
  CHECK(about(to_steady(minute_clock::now() + hours(1)), 1h + 1ns));
  CHECK(to_steady(ancient_clock::time_point::max()) == steady_time::max());
  CHECK(to_steady(unsigned_clock::time_point::max()) == steady_time::max());
  CHECK(to_steady(system_in_units<duration<double>>(duration<double>(infinite))) ==
        steady_time::max());
  CHECK(to_steady(system_clock::time_point::max()) == steady_time::max());
  CHECK(to_steady(steady_in_units<hours>::max()) == steady_time::max());
  CHECK(deadline_after(hours::max()) == steady_time::max());
  CHECK(deadline_after(nanoseconds::max()) == steady_time::max());
  const steady_time no_time = deadline_after(duration<double>(no_number)),
                    long_ago = deadline_after(hours::min());
  const steady_time now = steady_clock::now();
  CHECK((no_time <= now && long_ago <= now));
  CHECK(about(deadline_after(duration<unsigned>(3600)), 1h));
}

TEST_CASE("deadline: what never comes ends no wait but by a stop") {
  weft::runtime rt;
  std::vector<weft::fiber<bool>> waits;
  std::atomic<int> begun{0};
  // wait(token): was it ended by the stop?
  const auto add = [&](auto wait) {
    waits.push_back(rt.spawn([&begun, wait] {
      const std::stop_token stop = weft::this_fiber::stop_token();
      ++begun;
      return wait(stop) && stop.stop_requested();
    }));
  };
  const auto add_for = [&](auto never) {
    add([=](const std::stop_token&) {
      return weft::this_fiber::sleep_for(never) == weft::wait_result::stopped;
    });
    add([=](const std::stop_token& s) { return !weft::timer(never).wait(s); });
    add([=](const std::stop_token& s) {
      bool stopped = false;
      weft::select(weft::on_timeout(never, [] {}), weft::on_stop(s, [&] { stopped = true; }));
      return stopped;
    });
    add([=](const std::stop_token& s) {
      weft::channel<int> c;
      return c.receive_for(s, never).status() == weft::channel_status::stopped;
    });
  };
  add_for(hours::max());
  add_for(nanoseconds::max());
  add_for(duration<std::uint64_t>(std::numeric_limits<std::uint64_t>::max()));
  add_for(duration<double>(infinite));
  add([](const std::stop_token& s) {
    return !weft::timer(system_clock::time_point::max()).wait(s);
  });
  while (begun < static_cast<int>(waits.size())) std::this_thread::yield();
  std::this_thread::sleep_for(5ms);
  for (auto& w : waits) CHECK(!w.join_for(0s));
  for (auto& w : waits) w.request_stop();
  for (auto& w : waits) CHECK(w.join());
}

TEST_CASE(
    "deadline: a timer that never fires is set all the same; a ticker that never ticks is "
    "refused") {
  weft::timer t(hours::max());
  CHECK(!t.try_wait());
  CHECK(t.stop());
  CHECK(!t.stop());
  CHECK_THROWS_WITH_AS(weft::ticker{hours::max()}, doctest::Contains("never tick"),
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS(weft::ticker{nanoseconds::max()}, doctest::Contains("never tick"),
                       std::invalid_argument);
  CHECK_THROWS_AS(weft::ticker(duration<double>(infinite)), std::invalid_argument);
  weft::ticker every(hours(24 * 365 * 100));
  CHECK(!every.try_wait());
  CHECK_THROWS_AS(every.reset(hours::max()), std::invalid_argument);
  CHECK_THROWS_AS(every.reset(hours::min()), std::invalid_argument);
  CHECK_THROWS_AS(every.reset(duration<double>(no_number)), std::invalid_argument);
}

TEST_CASE("deadline: a select's timeout that has passed is ready") {
  weft::channel<int> c;
  for (const auto d : {hours(-3'000'000), hours::min(), hours(0)}) {
    bool passed = false;
    weft::select(weft::on_timeout(d, [&] { passed = true; }), weft::on_receive(c, [](auto) {}));
    CHECK(passed);
  }
}

TEST_CASE("deadline: options in milliseconds may be as long as they like") {
  weft::options o;
  o.workers = 1;
  o.time_slice = o.stall_after = o.deadlock_after = o.shutdown_timeout = milliseconds::max();
  std::atomic<int> stalls{0};
  o.on_stall = [&](const weft::stall_report&) { ++stalls; };
  CHECK(weft::run(o, [] {
          auto waiting = weft::spawn([] { weft::this_fiber::sleep_for(20ms); });
          const auto until = steady_clock::now() + 20ms;
          while (steady_clock::now() < until) {  // computes, and is nobody's stall
          }
          waiting.join();
          return 7;
        }) == 7);
  CHECK(stalls == 0);
}

TEST_CASE(
    "deadline: a rate_limiter limits a century after the start, and with a bucket of a century") {
  for (const std::int64_t days : {0, 105, 300, 36'500}) {
    CAPTURE(days);
    weft::rate_limiter limit(1.0, 3);
    weft::rate_limiter huge(0.001, 1'000'000);  // 31 years of tokens
    moved_on_s = days * 86'400;
    for (int i = 0; i < 3; ++i) CHECK(limit.try_acquire());
    CHECK(!limit.try_acquire(3));
    CHECK(huge.try_acquire(1'000'000));
    CHECK(!huge.try_acquire());
    moved_on_s += 1001;
    CHECK(huge.try_acquire());
    CHECK(!huge.try_acquire());
    CHECK(limit.try_acquire(3));
    CHECK(!limit.try_acquire(3));
    moved_on_s = 0;
  }
}
