// SPDX-License-Identifier: BSL-1.0
// unit/selector_test.cpp - a selector whose cases come and go.
#include <weft/select.hpp>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include <doctest/doctest.h>

#include <weft/channel.hpp>

TEST_CASE("select [selector]: a case is removed, from outside and by itself") {
  weft::channel<int> a(4), b(4);
  auto gone = std::make_unique<weft::channel<int>>(1);
  weft::selector in;
  std::string log;
  const auto from = [&](char name) {
    return [&log, name](std::optional<int> n) { log += name + std::to_string(*n) + ' '; };
  };
  const std::size_t first = in.add(weft::on_receive(*gone, from('g')));
  const auto alive = std::make_shared<int>();
  std::size_t once = 0;
  once = in.add(weft::on_receive(a, [&, alive](std::optional<int> n) {
    log += "once" + std::to_string(*n) + ' ';
    in.remove(once);
    CHECK(alive.use_count() == 2);  // not while it runs
  }));
  in.remove(first);
  gone.reset();
  a.send(1);
  CHECK(in.select() == once);
  CHECK(alive.use_count() == 1);
  CHECK_THROWS_AS(in.remove(once), std::invalid_argument);
  CHECK_THROWS_AS(in.remove(7), std::out_of_range);
  CHECK(in.add(weft::on_receive(b, from('b'))) == first);
  CHECK(in.add(weft::on_receive(a, from('a'))) == once);
  CHECK(in.size() == 2);
  a.send(2);
  b.send(3);
  in.select();
  in.select();
  CHECK((log == "once1 a2 b3 " || log == "once1 b3 a2 "));
}

TEST_CASE("select [selector]: a select within the function of a case, which is removed then") {
  weft::channel<int> a(4), b(4);
  weft::selector in;
  const auto alive = std::make_shared<int>();
  std::size_t self = 0, other = 0;
  int depth = 0;
  self = in.add(weft::on_receive(a, [&, alive](std::optional<int> n) {
    if (++depth == 1) {
      b.send(*n);
      CHECK(in.select() == other);
      CHECK(alive.use_count() == 2);
      a.send(2);
      in.enable(self);
      CHECK(in.select() == self);
    } else {
      in.remove(self);
    }
    CHECK(alive.use_count() == 2);
  }));
  other = in.add(weft::on_receive(b, [&](std::optional<int>) { in.disable(self); }));
  a.send(1);
  CHECK(in.select() == self);
  CHECK(alive.use_count() == 1);
  CHECK_THROWS_AS(in.remove(self), std::invalid_argument);
}

TEST_CASE("select [selector]: a case that was removed is not enabled, even by itself") {
  weft::channel<int> a(4), b(4);
  weft::selector in;
  std::size_t self = 0;
  self = in.add(weft::on_receive(a, [&](std::optional<int>) {
    in.remove(self);
    CHECK_THROWS_AS(in.remove(self), std::invalid_argument);
    CHECK_THROWS_AS(in.enable(self), std::invalid_argument);
  }));
  const std::size_t other = in.add(weft::on_receive(b, [](std::optional<int>) {}));
  a.send(1);
  CHECK(in.select() == self);
  CHECK_THROWS_AS(in.enable(self), std::invalid_argument);
  CHECK_THROWS_AS(in.enable(7), std::out_of_range);
  b.send(1);
  CHECK(in.select() == other);
  CHECK(in.add(weft::on_receive(a, [](std::optional<int>) {})) == self);
  in.disable(self);
  in.enable(self);
  a.send(2);
  CHECK(in.select() == self);
}
