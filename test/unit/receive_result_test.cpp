// SPDX-License-Identifier: BSL-1.0
// unit/receive_result_test.cpp - what a receive with a limit returns is used like std::optional,
// also where it is const.
#include <weft/channel.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

using namespace std::chrono_literals;

TEST_CASE("receive_result: a const one is read") {
  weft::channel<std::string> c(1);
  c.send("text");
  const auto got = c.receive_for(0s);
  REQUIRE(got);
  CHECK(*got == "text");
  CHECK(got->size() == 4);
  CHECK(got.value() == "text");
  CHECK(got.value_or("none") == "text");
}

TEST_CASE("receive_result: without a value") {
  weft::channel<std::string> c(1);
  const auto none = c.receive_for(0s);
  CHECK_FALSE(none);
  CHECK(none.value_or("none") == "none");
  CHECK_THROWS_AS(static_cast<void>(none.value()), std::bad_optional_access);
  CHECK(c.receive_for(0s).value_or("none") == "none");
}

TEST_CASE("receive_result: a value that can only be moved") {
  weft::channel<std::unique_ptr<int>> c(2);
  c.send(std::make_unique<int>(1));
  c.send(std::make_unique<int>(2));
  CHECK(*c.receive_for(0s).value_or(nullptr) == 1);
  auto got = c.receive_for(0s);
  CHECK(**std::move(got) == 2);
}
