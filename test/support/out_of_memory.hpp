// SPDX-License-Identifier: BSL-1.0
#pragma once
// support/out_of_memory.hpp - a call at every allocation of it. One file of a test includes this:
// see failing_memory.hpp.

#include "support/failing_memory.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <new>
#include <system_error>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

namespace weft::test {

inline constexpr std::uint64_t most_allocations = 5000;
// doctest asks for memory itself: what is expected meanwhile is counted
inline std::atomic<int> wrong{0};
#define EXPECT(condition)           \
  (static_cast<void>((condition) || \
                     (std::fprintf(stderr, "line %d: %s\n", __LINE__, #condition), ++wrong)))

inline std::atomic<long> spawned{0}, ran{0}, failed{0};

inline weft::options one_worker() {
  weft::options o;
  o.workers = 1;
  o.time_slice = {};  // and no thread takes over from another: "the calling thread" is one
  o.retake = false;
  o.on_deadlock = weft::deadlock_policy::ignore;
  o.on_unhandled_exception = [](const weft::unhandled_exception&) { ++failed; };
  return o;
}

// call() at every allocation. Its end, if it did not succeed, is an exception of the promised
// kinds.
template <class Call>
void at_every_allocation(const char* what, Call&& call) {
  for (const failing how : {failing::once, failing::from_then_on}) {
    bool reached = true;
    for (std::uint64_t n = 1; reached; ++n) {
      REQUIRE(n < most_allocations);
      memory::fail_at(n, how);
      bool threw = false, other = false;
      try {
        call();
      } catch (const std::bad_alloc&) {
        threw = true;
      } catch (const std::system_error&) {
        threw = true;
      } catch (...) {
        other = true;
      }
      reached = memory::recover();
      CAPTURE(what);
      CAPTURE(n);
      CHECK(!other);
      CHECK((reached || !threw));
      CHECK(wrong == 0);
      wrong = 0;
    }
  }
}

// The same in a runtime's only worker.
template <class Call>
void in_a_fiber(const char* what, Call&& call) {
  spawned = ran = failed = 0;
  {
    weft::runtime rt(one_worker());
    rt.spawn([&] { at_every_allocation(what, call); }).join();
    CAPTURE(what);
    CHECK(rt.shutdown() == 0);
  }
  CHECK(spawned == ran + failed);
}

}  // namespace weft::test
