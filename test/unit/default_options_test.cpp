// SPDX-License-Identifier: BSL-1.0
// unit/default_options_test.cpp - what the hooks in the default runtime's options do while they are
// copied and when they end.
#include <weft/runtime.hpp>

#include <system_error>

#include <unistd.h>

#include <doctest/doctest.h>

#include <weft/fiber.hpp>

#include "support/in_child.hpp"

using namespace weft::test;

namespace {

// Calls weft from its copies and from its end, once it is told to.
struct curious {
  curious() = default;
  curious(const curious&) { look(); }
  curious& operator=(const curious&) = delete;
  ~curious() { look(); }
  static void look() {
    if (!looks) return;
    looks = false;
    ++calls;
    try {
      weft::set_default_options({});
    } catch (const std::system_error& e) {
      refused += e.code() == std::errc::device_or_resource_busy;
    }
  }
  static inline bool looks = false;
  static inline int calls = 0, refused = 0;
};

weft::options with_hook() {
  weft::options o;
  o.on_stall = [c = curious()](const weft::stall_report&) {};
  return o;
}

// A lock that is taken twice is waited for.
template <class F>
child_end soon(F&& body) {
  return in_child([&] {
    ::alarm(20);
    return body();
  });
}

}  // namespace

TEST_CASE("default options: a hook that is replaced may set them again when it ends") {
  const child_end end = soon([] {
    weft::set_default_options(with_hook());
    curious::looks = true;
    weft::set_default_options({});
    return curious::calls == 1 && curious::refused == 0 ? 0 : 1;
  });
  CHECK(end.signal == 0);
  CHECK(end.exit_code == 0);
}

TEST_CASE("default options: a hook that is copied for the runtime finds that it has begun") {
  const child_end end = soon([] {
    weft::set_default_options(with_hook());
    curious::looks = true;
    if (weft::spawn([] { return 7; }).join() != 7) return 1;
    return curious::calls == 1 && curious::refused == 1 ? 0 : 2;
  });
  CHECK(end.signal == 0);
  CHECK(end.exit_code == 0);
}
