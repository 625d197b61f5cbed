// SPDX-License-Identifier: BSL-1.0
// test/trace/record_test.cpp - what a program did is what its trace says: recorded, read back,
// counted.
#include <weft/weft.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <latch>
#include <map>
#include <span>
#include <string>
#include <system_error>
#include <thread>

#include <unistd.h>

#include "base/crc32c.hpp"
#include "base/sanitizers.hpp"
#include "reader/model.hpp"
#include "reader/reader.hpp"
#include "support/in_child.hpp"
#include "support/runtimes.hpp"
#include "trace/reason.hpp"

using namespace weft;

using kind = tools::event;

namespace {

struct temporary_file {
  temporary_file()
      : path((std::filesystem::temp_directory_path() / ("weft-trace-" + std::to_string(getpid())))
                 .string()) {}
  ~temporary_file() { std::filesystem::remove(path); }
  const std::string path;
};

std::size_t count(const tools::trace& t, kind what) {
  return static_cast<std::size_t>(std::count_if(t.events.begin(), t.events.end(),
                                                [&](const auto& e) { return e.what() == what; }));
}

tools::trace read_whole(const std::string& path) {
  tools::trace t = tools::read_trace_file(path);
  CHECK(t.error == "");
  CHECK(t.complete);
  for (const auto& p : t.problems) FAIL_CHECK(p);
  return t;
}

constexpr std::size_t sleepers = 50, yields = 20;

// Known numbers of spawns, sleeps, yields and waits for an event.
void do_known_things() {
  weft::event go;
  std::vector<weft::fiber<void>> all;
  for (std::size_t i = 0; i < sleepers; ++i)
    all.push_back(weft::spawn(
        [] { static_cast<void>(this_fiber::sleep_for(std::chrono::milliseconds(1))); }));
  attributes named;
  named.name = "waits for the flag";
  auto waiter = weft::spawn(named, [&] {
    const trace::region here("waiting region");
    go.wait();
    trace::log("the flag was set");
  });
  for (std::size_t i = 0; i < yields; ++i) this_fiber::yield();
  for (auto& f : all) f.join();
  go.set();
  waiter.join();
}

}  // namespace

TEST_CASE("trace: the counts of a program that knows what it did [example]") {
  const temporary_file file;
  for (const std::size_t workers : test::worker_counts) {
    CAPTURE(workers);
    trace::start(file.path);
    weft::run(weft::test::workers(workers), [] { do_known_things(); });
    trace::stop();
    CHECK(trace::look().dropped == 0);

    const tools::trace t = read_whole(file.path);
    CHECK(count(t, kind::fiber_create) == 1 + sleepers + 1);
    CHECK(count(t, kind::fiber_start) + count(t, kind::inline_join) == 1 + sleepers + 1);
    CHECK(count(t, kind::fiber_end) + count(t, kind::inline_end) == 1 + sleepers + 1);
    CHECK(count(t, kind::log) == 1);
    CHECK(count(t, kind::region_begin) == 1);
    CHECK(count(t, kind::region_end) == 1);

    const tools::model m = tools::make_model(t);
    CHECK(m.fibers.size() == 1 + sleepers + 1);
    std::map<std::string, std::size_t> waits;
    for (const tools::wait& w : m.waits) {
      ++waits[t.reason(w.reason)];
      CHECK(w.over);
      CHECK(w.begun);
      CHECK(w.end >= w.begin);
      CHECK(w.resumed >= w.end);
    }
    CHECK(waits["sleep"] == sleepers);
    CHECK(waits["event"] <= 1);  // none, if the flag was set before it looked
    for (const tools::fiber& f : m.fibers) {
      CHECK(f.created != INT64_MIN);
      CHECK(f.started >= f.created);
      CHECK(f.ended >= f.started);
      CHECK(f.spawned_at != 0);
    }
    const auto named =
        std::find_if(m.fibers.begin(), m.fibers.end(), [](const auto& f) { return f.name != ""; });
    REQUIRE(named != m.fibers.end());
    CHECK(named->name == "waits for the flag");
    REQUIRE(m.regions.size() == 1);
    CHECK(m.regions[0].name == "waiting region");
    CHECK(m.fibers[m.regions[0].fiber].name == "waits for the flag");
    CHECK(m.logs[0].text == "the flag was set");
    // A thread does one thing at a time, without gaps.
    std::size_t worker_rows = 0;
    for (const tools::thread_row& row : m.threads) {
      worker_rows += !row.stretches.empty();
      for (std::size_t i = 1; i < row.stretches.size(); ++i)
        CHECK(row.stretches[i].begin == row.stretches[i - 1].end);
    }
    CHECK(worker_rows >= 1);
  }
}

TEST_CASE("trace: what is not written is put in again: creations in a row, and starts") {
  const temporary_file file;
  constexpr std::size_t n = 1000;
  for (const std::size_t workers : {1U, 2U}) {
    CAPTURE(workers);
    trace::start(file.path);
    weft::run(weft::test::workers(workers), [] {
      std::vector<weft::fiber<void>> all;
      for (std::size_t i = 0; i < n; ++i) all.push_back(weft::spawn([] {}));
      for (auto& f : all) f.join();
    });
    trace::stop();
    const tools::trace t = read_whole(file.path);
    CHECK(count(t, kind::fiber_create) == 1 + n);
    CHECK(count(t, kind::fiber_start) + count(t, kind::inline_join) == 1 + n);
    CHECK(count(t, kind::fiber_end) + count(t, kind::inline_end) == 1 + n);
    const tools::model m = tools::make_model(t);
    CHECK(m.fibers.size() == 1 + n);
    std::size_t children = 0, alone = 0;
    for (const tools::fiber& f : m.fibers) {
      children += f.parent != tools::none;
      CHECK(f.started >= f.created);
      CHECK(f.ended >= f.started);
      CHECK(f.spawned_at != 0);
      alone += f.slices.size() == 1;
    }
    CHECK(children == n);
    CHECK(alone >= n);
  }
}

TEST_CASE(
    "trace: a fiber that runs when the recording ends, and has told nothing, is seen to run") {
  const temporary_file file;
  std::atomic<bool> runs{false}, ends{false};
  weft::runtime rt(weft::test::workers(1));
  trace::start(file.path);
  std::uint64_t quiet = 0;
  auto parent = rt.spawn([&] {
    auto child = weft::spawn([&] {
      quiet = this_fiber::get_id().value();
      runs = true;
      while (!ends) {
      }
    });
    CHECK(child.join_for(std::chrono::hours(1)));  // not run by its joiner
  });
  test::until([&] { return runs.load(); });
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
  while (std::chrono::steady_clock::now() < until) {
  }
  trace::stop();
  ends = true;
  parent.join();
  const tools::model m = tools::make_model(read_whole(file.path));
  const auto f = m.fiber_by_id.find(quiet);
  REQUIRE(f != m.fiber_by_id.end());
  CHECK(m.fibers[f->second].started != INT64_MIN);
  CHECK(m.fibers[f->second].ran >= 4'000'000);
}

TEST_CASE("trace: who woke whom") {
  const temporary_file file;
  trace::start(file.path);
  std::uint64_t waiter = 0, waker = 0;
  weft::run(weft::test::workers(1), [&] {
    weft::event go;
    auto a = weft::spawn([&] {
      waiter = this_fiber::get_id().value();
      go.wait();
    });
    this_fiber::yield();
    auto b = weft::spawn([&] {
      waker = this_fiber::get_id().value();
      go.set();
    });
    b.join();
    a.join();
  });
  trace::stop();
  const tools::model m = tools::make_model(read_whole(file.path));
  const auto w = std::find_if(m.waits.begin(), m.waits.end(), [&](const tools::wait& x) {
    return x.reason == static_cast<int>(detail::park_reason::event);
  });
  REQUIRE(w != m.waits.end());
  CHECK(m.fibers[w->fiber].id == waiter);
  REQUIRE(w->waker != tools::none);
  CHECK(m.fibers[w->waker].id == waker);
  CHECK(w->object != 0);
}

TEST_CASE("trace: started and stopped while fibers run; each generation stands alone") {
  const temporary_file file;
  weft::run(weft::test::workers(2), [&] {
    std::atomic<bool> ends{false};
    auto busy = weft::spawn([&] {
      while (!ends) static_cast<void>(this_fiber::sleep_for(std::chrono::microseconds(50)));
    });
    attributes a;
    a.name = "sleeps all the time";
    weft::event never;
    auto sleeper = weft::spawn(a, [&] { never.wait(); });
    this_fiber::yield();
    for (int i = 0; i < 3; ++i) {
      trace::start(file.path);
      CHECK(trace::is_recording());
      CHECK_THROWS_AS(trace::start(file.path), std::system_error);
      static_cast<void>(this_fiber::sleep_for(std::chrono::milliseconds(20)));
      trace::stop();
      CHECK_FALSE(trace::is_recording());
      trace::stop();  // once more does nothing
      const tools::model m = tools::make_model(read_whole(file.path));
      CHECK(m.counts[static_cast<int>(kind::fiber_park)] > 0);
      const auto s = std::find_if(m.fibers.begin(), m.fibers.end(),
                                  [](const auto& f) { return f.name == "sleeps all the time"; });
      CHECK(s != m.fibers.end());
    }
    ends = true;
    busy.join();
    never.set();
    sleeper.join();
  });
}

TEST_CASE("trace: threads that are no workers record, too") {
  const temporary_file file;
  trace::start(file.path);
  std::thread other([] {
    pthread_setname_np(pthread_self(), "somebody");
    trace::log("from outside");
  });
  other.join();
  std::thread again([] { trace::log("from another outside"); });
  again.join();
  trace::stop();
  const tools::trace t = read_whole(file.path);
  REQUIRE(t.events.size() == 2);
  CHECK(t.texts[t.events[0].text] == "from outside");
  CHECK(t.threads[t.events[0].thread].name == "somebody");
  CHECK(t.threads[t.events[0].thread].role == tools::thread_role::other);
  CHECK(t.events[0].fiber == 0);
  CHECK(t.threads[t.events[1].thread].incarnation > 0);
}

TEST_CASE("trace: what cannot be stored is counted") {
  const temporary_file file;
  trace::options o;
  o.path = file.path;
  o.memory = 1;  // the least there is: 16 blocks
  trace::start(o);
  const std::string text(1000, 'x');
  std::size_t logged = 0;
  // The collector wakes up now and then and makes room; without it nothing would ever be written.
  while (trace::look().dropped == 0 && logged < 50'000'000) trace::log(text), ++logged;
  for (int i = 0; i < 1000; ++i) trace::log(text), ++logged;
  trace::stop();
  const std::uint64_t dropped = trace::look().dropped;
  const tools::trace t = tools::read_trace_file(file.path);
  CHECK(t.complete);
  CHECK(t.dropped == dropped);
  CHECK(t.events.size() + dropped == logged);
}

TEST_CASE("trace: texts are cut, not refused") {
  const temporary_file file;
  trace::start(file.path);
  trace::log(std::string(5000, 'y'));
  trace::log("");
  trace::stop();
  const tools::trace t = read_whole(file.path);
  REQUIRE(t.events.size() == 2);
  CHECK(t.texts[t.events[0].text] == std::string(1024, 'y'));
  CHECK(t.texts[t.events[1].text] == "");
}

TEST_CASE("trace: a file that cannot be made") {
  CHECK_THROWS_WITH_AS(trace::start("/nowhere/at/all"),
                       doctest::Contains("cannot write /nowhere/at/all"), std::system_error);
  CHECK_FALSE(trace::is_recording());
  CHECK_THROWS_AS(trace::snapshot("/tmp/x"), std::system_error);
}

TEST_CASE("flight recorder: the last moments, again and again") {
  const temporary_file file;
  trace::flight_options o;
  o.memory = 1 << 20;
  trace::start_flight_recorder(o);
  weft::run(weft::test::workers(2), [&] {
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < 400'000 / (WEFT_TSAN ? 20 : 1); ++i) weft::spawn([] {}).join();
      trace::log("round " + std::to_string(round));
      trace::snapshot(file.path);
      const tools::trace t = read_whole(file.path);
      CHECK((t.flags & detail::trace::flag_flight) != 0);
      CHECK(!t.events.empty());
      const auto last = std::find_if(t.events.rbegin(), t.events.rend(),
                                     [](const auto& e) { return e.what() == kind::log; });
      REQUIRE(last != t.events.rend());
      CHECK(t.texts[last->text] == "round " + std::to_string(round));
      const tools::model m = tools::make_model(t);
      CHECK(m.begin >= t.complete_since);
    }
  });
  if (!WEFT_TSAN) CHECK(trace::look().overwritten > 0);
  CHECK(trace::look().dropped == 0);
  trace::stop();
}

TEST_CASE("flight recorder: a snapshot under way ends before another recording begins") {
  const temporary_file file;
  const std::string snapshot = file.path + ".snapshot";
  std::atomic<bool> ends{false};
  std::thread taker([&] {
    while (!ends) try {
        trace::snapshot(snapshot);
      } catch (const std::system_error&) {  // no flight recorder just now
        std::this_thread::yield();
      }
  });
  for (int round = 0; round < 10; ++round) {
    trace::flight_options o;
    o.memory = 1 << 20;
    trace::start_flight_recorder(o);
    weft::run(weft::test::workers(2), [] { do_known_things(); });
    trace::stop();
    trace::start(file.path);
    weft::run(weft::test::workers(2), [] { do_known_things(); });
    trace::stop();
    const tools::trace t = read_whole(file.path);
    CHECK(count(t, kind::fiber_create) == 1 + sleepers + 1);
    CHECK(count(t, kind::log) == 1);
  }
  ends = true;
  taker.join();
  std::filesystem::remove(snapshot);
}

TEST_CASE("the checksum: CRC-32C, by the instruction and by the tables") {
  const auto bytes_of = [](const std::string& s) {
    return std::as_bytes(std::span(s.data(), s.size()));
  };
  // the check value of the algorithm's catalogue entry
  CHECK(base::crc32c(bytes_of("123456789")) == 0xe3069283U);
  std::string text;
  for (unsigned n = 0; n < 100; ++n) {
    const auto whole = bytes_of(text);
    CHECK(base::crc32c(whole) == base::crc32c_detail::by_tables(whole, 0));
    const std::size_t cut = n / 3;  // in two steps as in one
    CHECK(base::crc32c(whole.subspan(cut), base::crc32c(whole.first(cut))) == base::crc32c(whole));
    text += static_cast<char>(n * 37);
  }
}
