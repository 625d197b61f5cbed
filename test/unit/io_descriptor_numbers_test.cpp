// SPDX-License-Identifier: BSL-1.0
// unit/io_descriptor_numbers_test.cpp - descriptors by number: several objects of one, numbers that
// are closed and used again, what cannot be waited for, runtimes that end, limits.
#include <weft/io/descriptor.hpp>

#include <array>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "support/descriptors.hpp"
#include "support/net.hpp"
#include "support/runtimes.hpp"
#include "support/ubsan.hpp"

using namespace std::chrono_literals;
using namespace weft::test;

namespace {

std::string refusal(int n) {
  try {
    const auto d = descriptor::borrow(n);
  } catch (const std::system_error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("io::descriptor: several objects and a socket watch one number") {
  at_worker_counts([] {
    auto [client, peer] = connected_pair();
    const int n = client.native_handle();
    std::optional<descriptor> first = descriptor::borrow(n), second = descriptor::borrow(n);
    const auto copy = descriptor::adopt(::dup(n));
    const auto read_one = [&client = client] {
      std::array<std::byte, 1> one;
      return client.read_some(one);
    };
    for (int i = 0; i < 3; ++i) {
      auto a = wait_in_fiber(*first), b = wait_in_fiber(*second), c = wait_in_fiber(copy);
      peer.write_all(bytes("x"));
      CHECK(a.join() == "ready");
      CHECK(b.join() == "ready");
      CHECK(c.join() == "ready");
      CHECK(read_one() == 1);
    }
    // The socket itself has to wait now, and takes the number.
    auto a = wait_in_fiber(*first), b = wait_in_fiber(*second);
    auto s = weft::spawn(read_one);
    until([&] { return is_parked(s); });
    peer.write_all(bytes("x"));
    CHECK(s.join() == 1);
    peer.write_all(bytes("y"));
    CHECK(a.join() == "ready");
    CHECK(b.join() == "ready");
    CHECK(read_one() == 1);
    // Those that end take nothing with them.
    a = wait_in_fiber(*second);
    first.reset();
    s = weft::spawn(read_one);
    until([&] { return is_parked(s); });
    peer.write_all(bytes("z"));
    CHECK(s.join() == 1);
    CHECK(a.join() == "ready");
    second.reset();
    s = weft::spawn(read_one);
    until([&] { return is_parked(s); });
    peer.write_all(bytes("!"));
    CHECK(s.join() == 1);
  });
}

TEST_CASE("io::descriptor: a number that is closed and used again between two waits") {
  at_worker_counts([] {
    pair p;
    const int n = p.ends[0];
    const auto d = descriptor::borrow(n);
    auto f = wait_in_fiber(d);
    p.send("x");
    CHECK(f.join() == "ready");
    for (const bool file_lives_on : {false, true}) {
      const std::optional<number> copy =
          file_lives_on ? std::optional<number>(std::in_place, ::dup(n)) : std::nullopt;
      // As PQreset does, but over the old one: a number that is free for a moment may go to a
      // thread of weft's, which opens files now and then.
      pair next;
      REQUIRE(::dup2(next.ends[0], n) == n);
      ::close(std::exchange(next.ends[0], n));
      p.ends[0] = -1;
      std::swap(p.ends, next.ends);
      f = wait_in_fiber(d);
      p.send("y");
      CHECK(f.join() == "ready");
      CHECK(p.take() == "y");
    }
  });
}

TEST_CASE("io::descriptor: an object left behind does not disturb who has its number now") {
  at_worker_counts([] {
    pair p;
    const int n = p.ends[0];
    std::optional<descriptor> old = descriptor::borrow(n);
    CHECK(!old->wait_readable_for(1ms));
    auto [client, peer] = connected_pair();
    const int was = client.native_handle();
    REQUIRE(::dup2(was, n) == n);  // closes the pair's, without closing `old` first
    p.ends[0] = -1;
    p.close(1);
    auto adopted = weft::net::tcp_stream::adopt(n);
    auto s = weft::spawn([&] {
      std::array<std::byte, 1> one;
      return adopted.read_some(one);
    });
    until([&] { return is_parked(s); });
    CHECK(!old->wait_readable_for(1ms));  // waits for what it names now
    old.reset();
    peer.write_all(bytes("x"));
    CHECK(s.join() == 1);
  });
}

TEST_CASE("io::descriptor: the number closed elsewhere is an error, or the old file's end") {
  at_worker_counts([] {
    pair p;
    const auto d = descriptor::borrow(p.ends[0]);
    CHECK(!d.wait_readable_for(1ms));
    p.close(0);
    CHECK(d.wait(readiness::readable) == std::errc::bad_file_descriptor);
  });
}

TEST_CASE("io::descriptor: what cannot be waited for is refused with its reason") {
  char name[] = "/tmp/weft_descriptor_XXXXXX";
  const number file(::mkstemp(name)), folder(::open("/tmp", O_RDONLY | O_DIRECTORY));
  ::unlink(name);
  CHECK(refusal(file.n).find("regular file, which is always ready: use weft::io::file") !=
        std::string::npos);
  CHECK(refusal(folder.n).find("a directory") != std::string::npos);
  CHECK(refusal(-1).find("no descriptor -1") != std::string::npos);
  CHECK(::fcntl(file.n, F_GETFD) >= 0);
  at_worker_counts([] {
    const auto null = descriptor::adopt(::open("/dev/null", O_RDWR | O_CLOEXEC));
    CHECK(waits(null) == "ready");
    CHECK(waits(null, readiness::writable) == "ready");
    weft::select(weft::on_readable(null, [] {}));
  });
}

TEST_CASE("io::descriptor: when a runtime ends, waits go on with another") {
  const number event = new_eventfd();
  const auto d = descriptor::borrow(event.n);
  weft::runtime second(workers(1));
  std::optional<weft::runtime> first(std::in_place, workers(1));
  first->spawn([&] { CHECK(!d.wait_readable_for(1ms)); }).join();
  auto f = second.spawn([&] { return waits(d); });
  until([&] { return is_parked(f); });
  first.reset();
  post(event.n);
  CHECK(f.join() == "ready");
}

TEST_CASE("io::descriptor: no descriptor left for the second of one number is told") {
  if (ubsan_needs_descriptors()) return;
  weft::run([] {
    const number event = new_eventfd();
    const auto first = descriptor::borrow(event.n), second = descriptor::borrow(event.n);
    auto f = wait_in_fiber(first);
    rlimit limit{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    const rlimit before = limit;
    limit.rlim_cur = static_cast<rlim_t>(event.n) + 1;
    std::vector<int> filled;  // numbers below the limit that are free by now
    for (int n = 0; n < event.n; filled.push_back(n)) n = ::dup(event.n);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK_THROWS_WITH_AS(second.wait_readable(), doctest::Contains("ulimit -n"), std::system_error);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    for (const int n : filled) ::close(n);
    post(event.n);
    CHECK(f.join() == "ready");
    CHECK(waits(second) == "ready");
  });
}
