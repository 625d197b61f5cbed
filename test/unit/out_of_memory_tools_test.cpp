// SPDX-License-Identifier: BSL-1.0
// unit/out_of_memory_tools_test.cpp - as out_of_memory_test: metrics, traces, profiles, calls that
// block, and the locks that the other two leave out.
#include "support/out_of_memory.hpp"

#include <chrono>
#include <filesystem>
#include <mutex>
#include <string>
#include <system_error>

#include <unistd.h>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

using namespace std::chrono_literals;
using namespace weft::test;

namespace {

// Of this process; removed when the test ends.
struct some_file {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("weft-oom-" + std::to_string(::getpid())))
          .string();
  ~some_file() { std::filesystem::remove(path); }
};

// A recording that began ends, whatever its beginning or its end had no memory for.
template <class Start, class Stop>
void record(Start&& start, Stop&& stop) {
  start();
  weft::this_fiber::yield();
  try {
    stop();
  } catch (...) {
    memory::recover();
    stop();
    throw;
  }
}

}  // namespace

TEST_CASE("out of memory: metrics") {
  in_a_fiber("of the process, as text", [] {
    EXPECT(weft::to_prometheus(weft::metrics()).find("weft_") != std::string::npos);
  });
}

TEST_CASE("out of memory: a call that blocks in place") {
  in_a_fiber("block_in_place", [] {
    EXPECT(weft::block_in_place([] { return 3; }) == 3);
    weft::this_fiber::yield();
  });
}

TEST_CASE("out of memory: call_once, recursive_mutex, barrier") {
  in_a_fiber("call_once, of two", [] {
    weft::once_flag flag;
    int calls = 0;
    auto other = weft::spawn([&] {
      ++ran;
      weft::call_once(flag, [&] {
        weft::this_fiber::yield();
        ++calls;
      });
    });
    ++spawned;
    weft::this_fiber::yield();
    weft::call_once(flag, [&] { ++calls; });
    other.join();
    EXPECT(calls == 1);
  });
  in_a_fiber("recursive_mutex, of two", [] {
    weft::recursive_mutex m;
    m.lock();
    auto other = weft::spawn([&] {
      ++ran;
      const std::lock_guard once(m);
      const std::lock_guard twice(m);
    });
    ++spawned;
    weft::this_fiber::yield();
    m.lock();
    m.unlock();
    m.unlock();
    other.join();
  });
  in_a_fiber("barrier, of two", [] {
    weft::barrier<> b(2);
    auto other = weft::spawn([&] {
      ++ran;
      b.arrive_and_wait();
    });
    ++spawned;
    b.arrive_and_wait();
    other.join();
  });
}

TEST_CASE("out of memory: a trace is recorded, or is not, and the next one is") {
  const some_file file;
  weft::runtime rt(one_worker());
  for (const failing how : {failing::once, failing::from_then_on}) {
    bool reached = true;
    for (std::uint64_t n = 1; reached && n < most_allocations; n += 1 + n / 16) {
      memory::fail_at(n, how);
      bool other = false;
      try {
        record([&] { weft::trace::start(file.path); }, [] { weft::trace::stop(); });
      } catch (const std::bad_alloc&) {
      } catch (const std::system_error&) {
      } catch (...) {
        other = true;
      }
      reached = memory::recover();
      CAPTURE(n);
      CHECK(!other);
      REQUIRE(!weft::trace::is_recording());
    }
  }
  weft::trace::start(file.path);
  CHECK(rt.spawn([] { return 1; }).join() == 1);
  weft::trace::stop();
  CHECK(std::filesystem::file_size(file.path) > 0);
}

TEST_CASE("out of memory: a profile is taken, or is not, and the next one is") {
  const some_file file;
  weft::runtime rt(one_worker());
  weft::profile::options o;
  o.path = file.path;
  for (const failing how : {failing::once, failing::from_then_on}) {
    bool reached = true;
    for (std::uint64_t n = 1; reached && n < most_allocations; n += 1 + n / 16) {
      memory::fail_at(n, how);
      bool other = false;
      try {
        record([&] { weft::profile::start(o); }, [] { weft::profile::stop(); });
      } catch (const std::bad_alloc&) {
      } catch (const std::system_error&) {
      } catch (...) {
        other = true;
      }
      reached = memory::recover();
      CAPTURE(n);
      CHECK(!other);
    }
  }
  weft::profile::start(o);  // throws if one were still running
  CHECK(rt.spawn([] { return 1; }).join() == 1);
  weft::profile::stop();
}
