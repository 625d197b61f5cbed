// SPDX-License-Identifier: BSL-1.0
// unit/netpoller_test.cpp - the poller by itself: waiting, interrupts, limits; threads stand in for
// workers.
#include "net/netpoller.hpp"

#include <atomic>
#include <cstdint>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <sys/resource.h>

#include "os/os.hpp"
#include "support/in_child.hpp"
#include "support/ubsan.hpp"

using namespace weft::detail;

namespace {

constexpr std::int64_t forever = INT64_MAX;
constexpr std::int64_t millisecond = 1'000'000;

}  // namespace

TEST_CASE("netpoller: looking does not wait, and nothing is in use") {
  netpoller p;
  poll_source::batch out;
  p.poll(0, out);
  CHECK(out.empty());
  CHECK_FALSE(p.in_use());
}

TEST_CASE("netpoller: a wait lasts until its deadline, in nanoseconds and in milliseconds") {
  for (const bool nanoseconds : {true, false}) {
    CAPTURE(nanoseconds);
    netpoller p;
    if (!nanoseconds) p.forbid_nanoseconds();
    poll_source::batch out;
    const std::int64_t until = weft::os::now_ns() + 3 * millisecond / 2;
    // A signal may end it before; a poll that ignored the deadline would never return.
    while (weft::os::now_ns() < until) p.poll(until, out);
    p.poll(1, out);  // long past
    CHECK(out.empty());
  }
}

TEST_CASE("netpoller: an event is not in vain while somebody waits for the other direction") {
  poll_descriptor& d = make_descriptor(0, descriptor_kind::borrowed);
  const auto writable = [&d] { return deliver(d, event_kind::regular, false, true, {}); };
  CHECK_FALSE(writable());
  constexpr poll_word::ticket_bits somebody = 1 << 20;
  REQUIRE(d.word.try_wait(direction::read, somebody, d.word.edges()) == wait_offer::accepted);
  CHECK(writable());
  d.word.withdraw(direction::read, somebody);
  CHECK_FALSE(writable());
  abandon(d);
}

TEST_CASE("netpoller: an interrupt ends the next wait, if nobody waits") {
  netpoller p;
  poll_source::batch out;
  p.interrupt();
  p.poll(0, out);  // those who only look leave it alone
  p.poll(forever, out);
  CHECK(p.interrupt_writes() == 1);
}

TEST_CASE("netpoller: interrupts cost one write until a wait has ended") {
  netpoller p;
  poll_source::batch out;
  for (int i = 0; i < 100; ++i) p.interrupt();
  CHECK(p.interrupt_writes() == 1);
  for (int i = 0; i < 100; ++i) p.poll(forever, out);  // none of them is lost
}

TEST_CASE("netpoller: every interrupt of many threads ends a wait") {
  constexpr int threads = 4, each = 2000;
  netpoller p;
  std::vector<std::thread> all;
  for (int t = 0; t < threads; ++t)
    all.emplace_back([&] {
      for (int i = 0; i < each; ++i) p.interrupt();
    });
  all.emplace_back([&] {
    poll_source::batch out;
    for (int i = 0; i < threads * each / 2; ++i) p.poll(0, out);
  });
  // Two waiters, as when one is on its way out: a lost interrupt is a hang.
  for (int t = 0; t < 2; ++t)
    all.emplace_back([&] {
      poll_source::batch out;
      for (int i = 0; i < threads * each / 2; ++i) p.poll(forever, out);
    });
  for (auto& t : all) t.join();
  CHECK(p.interrupt_writes() <= std::uint64_t{threads} * each);
}

TEST_CASE("netpoller: without descriptors it says which limit to raise") {
  if (weft::test::ubsan_needs_descriptors()) return;
  const auto end = weft::test::in_child([] {
    rlimit before{};
    getrlimit(RLIMIT_NOFILE, &before);
    const rlimit none{0, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    int result = 1;
    try {
      static_cast<void>(make_netpoller());
    } catch (const std::system_error& e) {
      setrlimit(RLIMIT_NOFILE, &before);  // UBSan looks at objects through a pipe
      const std::string what = e.what();
      result =
          e.code() == std::errc::too_many_files_open && what.find("ulimit -n") != what.npos ? 0 : 2;
    }
    return result;
  });
  CHECK_MESSAGE(end.exit_code == 0, end.errors);
}
