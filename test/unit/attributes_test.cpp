// SPDX-License-Identifier: BSL-1.0
// attributes: names, stack sizes, and what is refused.
#include <cstddef>
#include <string>
#include <system_error>

#include <doctest/doctest.h>

#include "support/runtimes.hpp"

using namespace weft::test;

namespace {

// Touches about `bytes` of stack.
[[gnu::noinline]] std::size_t dig(std::size_t bytes) {
  volatile char page[4096];
  page[0] = 1;
  page[4095] = 1;
  const std::size_t below = bytes > sizeof page ? dig(bytes - sizeof page) : 0;
  return below + static_cast<std::size_t>(page[0]) + static_cast<std::size_t>(page[4095]);
}

void refused(std::size_t size) {
  CAPTURE(size);
  weft::attributes a;
  a.stack_size = size;
  try {
    weft::spawn(a, [] {}).join();
    FAIL("no exception");
  } catch (const std::system_error& e) {
    CHECK(e.code() == std::errc::invalid_argument);
    const std::string text = e.what();
    CHECK(text.find("attributes::stack_size is " + std::to_string(size) + " bytes") !=
          std::string::npos);
    CHECK(text.find("multiple of the page size") != std::string::npos);
  }
}

}  // namespace

TEST_CASE("a fiber has the name it was spawned with") {
  each_fiber([] {
    CHECK(weft::this_fiber::name().empty());
    weft::attributes a;
    a.name = "reader";
    CHECK(weft::spawn(a, [] { return std::string(weft::this_fiber::name()); }).join() == "reader");
    CHECK(weft::spawn(
              weft::attributes{std::string(500, 'n'), 0, false},
              [](int n) {
                return std::string(weft::this_fiber::name()).size() + static_cast<std::size_t>(n);
              },
              1)
              .join() == 501);
    CHECK(weft::spawn([] { return weft::this_fiber::name().empty(); }).join());
  });
}

TEST_CASE("stack sizes beside each other, all usable to the three quarters a join leaves") {
  each_fiber([] {
    for (int round = 0; round < 20; ++round) {
      for (const std::size_t size :
           {16u << 10, 64u << 10, 256u << 10, 1u << 20, 8u << 20, 48u << 10}) {
        weft::attributes a;
        a.stack_size = size;
        // ASan's frames are several times larger
        if (WEFT_ASAN != 0 && size < (64u << 10)) continue;
        const std::size_t depth = WEFT_ASAN != 0 ? size / 4 : size / 2;
        CHECK(weft::spawn(a, [depth] { return dig(depth); }).join() > 0);
      }
    }
  });
}

TEST_CASE("bad stack sizes are refused with the right ones named") {
  each_fiber([] {
    refused(1);
    refused((16u << 10) - 4096);
    refused((64u << 10) + 1);
    refused((std::size_t{1} << 30) + 4096);
    refused(static_cast<std::size_t>(-4096));
  });
}

TEST_CASE("a refused spawn leaves nothing behind") {
  each_runtime([](weft::runtime& rt) {
    weft::attributes a;
    a.stack_size = 5;
    for (int i = 0; i < 100; ++i) CHECK_THROWS_AS(rt.spawn(a, [] {}).join(), std::system_error);
    CHECK(rt.fibers() == 0);
  });
}
