// SPDX-License-Identifier: BSL-1.0
// The memory of many connections goes back when they have ended: stacks, and what belongs to a
// socket and to a wait.
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <span>
#include <system_error>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "fiber/stack_trim.hpp"
#include "support/net.hpp"
#include "support/runtimes.hpp"
#include "support/storm.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

// As many as the limit of open files lets there be.
std::size_t connections_here(std::size_t wanted) {
  rlimit files{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &files) == 0);
  files.rlim_cur = files.rlim_max;
  static_cast<void>(setrlimit(RLIMIT_NOFILE, &files));
  return std::min<std::size_t>(wanted, static_cast<std::size_t>(files.rlim_max) / 2 - 100);
}

// Each has echoed a byte, and waits for the next one. What is resident then, in KiB.
std::size_t burst(weft::runtime& rt, std::size_t n) {
  std::vector<int> peers;
  std::vector<weft::fiber<void>> servers;
  for (std::size_t i = 0; i < n; ++i) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    peers.push_back(ends[1]);
    servers.push_back(rt.spawn([number = ends[0]] {
      auto stream = weft::net::tcp_stream::adopt(number);
      echo(stream);
    }));
  }
  char c = 'x';
  for (const int peer : peers) REQUIRE(::write(peer, &c, 1) == 1);
  for (const int peer : peers) REQUIRE(::read(peer, &c, 1) == 1);
  const std::size_t resident = resident_kib();
  for (const int peer : peers) ::close(peer);
  for (auto& s : servers) s.join();
  return resident;
}

}  // namespace

TEST_CASE("nine tenths of what connections took goes back, again and again") {
  const trim_period short_one(20'000'000);
  const std::size_t n = connections_here(scaled(4000));
  const bool ours = resident_is_ours();
  with_runtime(workers(2), [&](weft::runtime& rt) {
    const std::size_t before = resident_kib();
    for (int round = 0; round < 2; ++round) {
      const std::size_t peak = burst(rt, n);
      if (WEFT_ASAN != 0 || WEFT_TSAN != 0 || !ours) continue;  // they keep what is freed
      CHECK(peak > before + n * 4);
      until([&] { return resident_kib() < before + (peak - before) / 10 + 1024; });
    }
  });
}
