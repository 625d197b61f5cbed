// SPDX-License-Identifier: BSL-1.0
// Unwinders started inside a fiber reach its entry and end there.
#include <cstring>
#include <string>

#include <doctest/doctest.h>

#include <dlfcn.h>
#include <execinfo.h>
#include <unwind.h>

#include "support/runtimes.hpp"

using namespace weft::test;

namespace {

struct walk {
  int frames = 0;
  bool saw_caller = false;
};

_Unwind_Reason_Code step(_Unwind_Context* context, void* data) {
  auto& w = *static_cast<walk*>(data);
  if (_Unwind_GetIP(context) == 0) return _URC_END_OF_STACK;
  return ++w.frames > 200 ? _URC_NORMAL_STOP : _URC_NO_REASON;
}

[[gnu::noinline]] int depth_now() {
  void* frames[256];
  return backtrace(frames, 256);
}

[[gnu::noinline]] int deeper(int n) {
  const int below = n == 0 ? depth_now() : deeper(n - 1);
  asm volatile("" ::: "memory");
  return below;
}

}  // namespace

TEST_CASE("backtrace() ends at the fiber's entry and counts its frames") {
  static_cast<void>(depth_now());  // loads the unwinder
  each_fiber([] {
    const int here = depth_now();
    CHECK(here > 2);
    CHECK(here < 60);
    CHECK(deeper(20) == here + 21);
  });
}

TEST_CASE("the same after parking, and for a child run inline") {
  each_fiber([] {
    weft::this_fiber::yield();
    static_cast<void>(weft::this_fiber::sleep_for(std::chrono::microseconds(100)));
    const int here = depth_now();
    CHECK(here < 60);
    CHECK(weft::spawn([] { return depth_now(); }).join() < 80);
  });
}

TEST_CASE("_Unwind_Backtrace comes to an end") {
  each_fiber([] {
    walk w;
    _Unwind_Backtrace(&step, &w);
    CHECK(w.frames > 2);
    CHECK(w.frames < 60);
  });
}
