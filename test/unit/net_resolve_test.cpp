// SPDX-License-Identifier: BSL-1.0
// unit/net_resolve_test.cpp - names: what needs no thread, what the system says, what is shared and
// what is bounded, what ends a wait.
#include <atomic>
#include <chrono>
#include <cstddef>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <weft/net/resolve.hpp>

#include "net/resolver.hpp"
#include "support/net.hpp"

using namespace weft::test;
using namespace std::chrono_literals;
using weft::detail::lookup_answer;
using weft::detail::lookup_request;
using weft::detail::resolver;
using weft::detail::wait_limit;
using weft::net::address_family;
using weft::net::endpoint;
using weft::net::net_errc;

namespace {

// A name server that answers what begins with "fast" at once, and anything else when it is let go.
std::atomic<int> asked{0};
std::atomic<bool> let_go{false};

lookup_answer slow_name_server(const lookup_request& r) {
  asked.fetch_add(1);
  while (!r.host.starts_with("fast") && !let_go.load()) std::this_thread::sleep_for(200us);
  if (r.host.ends_with("none")) return {net_errc::host_not_found, {}};
  return {{}, {endpoint("192.0.2.7", 80)}};
}

struct injected {
  explicit injected(const weft::detail::resolver_limits& limits = {})
      : slow(slow_name_server, limits) {
    asked = 0;
    let_go = false;
    resolver::set_of_process(&slow);
  }
  ~injected() {
    let_go = true;
    resolver::set_of_process(nullptr);
  }
  injected(const injected&) = delete;
  injected& operator=(const injected&) = delete;
  resolver slow;
};

}  // namespace

TEST_CASE("resolve: numeric addresses need no resolver") {
  const injected here;
  CHECK(weft::net::resolve("127.0.0.1", 80) == std::vector{endpoint("127.0.0.1", 80)});
  CHECK(weft::net::resolve("::1", "443") == std::vector{endpoint("::1", 443)});
  CHECK(weft::net::resolve("fe80::1%lo", 1) == std::vector{endpoint("fe80::1%lo", 1)});
  std::error_code ec;
  CHECK(weft::net::resolve("::1", 80, ec, address_family::v4).empty());
  CHECK(ec == net_errc::host_not_found);
  for (const std::string& bad : {std::string(), std::string("a\0b", 3)}) {
    CHECK(weft::net::resolve(bad, 80, ec).empty());
    CHECK(ec == net_errc::host_not_found);
  }
  // The system's resolver would take these for ports, modulo 65536.
  for (const char* bad : {"", "65536", "70000", "4294967376", "+80", "-1", " 80", "\t80"})
    for (const char* host : {"127.0.0.1", "a.example"}) {
      CHECK(weft::net::resolve(host, bad, ec).empty());
      CHECK(ec == net_errc::service_not_found);
    }
  CHECK(asked.load() == 0);
}

TEST_CASE("resolve: the system's resolver knows localhost, and services by name") {
  at_worker_counts([] {
    bool loopback = false;
    for (const endpoint& e : weft::net::resolve("localhost", 80))
      loopback |= e == endpoint("127.0.0.1", 80) || e == endpoint("::1", 80);
    CHECK(loopback);
    std::string what;
    CHECK(thrown_by([] { static_cast<void>(weft::net::resolve("localhost", "no-such-service")); },
                    &what) == net_errc::service_not_found);
    CHECK(what.find("no-such-service") != std::string::npos);
    // RFC 6761: never a name; a machine without a name server says "not now".
    const auto ec =
        thrown_by([] { static_cast<void>(weft::net::resolve_for("weft.invalid", 80, 1h)); });
    CHECK((ec == net_errc::host_not_found || ec == net_errc::host_not_found_yet ||
           ec == net_errc::name_server_failure));
  });
}

TEST_CASE("resolve: a lookup under way is shared; a deadline, a token and a stop end the wait") {
  at_worker_counts([] {
    const injected here;
    std::error_code ec;
    CHECK(weft::net::resolve_for("slow.one", 80, 1ms, ec).empty());
    CHECK(ec == std::errc::timed_out);
    std::stop_source stop;
    auto by_token = weft::spawn([&] {
      std::error_code why;
      static_cast<void>(weft::net::resolve(stop.get_token(), "slow.one", 80, why));
      return why;
    });
    auto by_token_thrown = weft::spawn([&] {
      return thrown_by(
          [&] { static_cast<void>(weft::net::resolve(stop.get_token(), "slow.one", 80)); });
    });
    auto by_request = weft::spawn([] {
      std::error_code why;
      static_cast<void>(weft::net::resolve("slow.one", 80, why));
      return why;
    });
    std::vector<weft::fiber<std::size_t>> patient;
    for (int i = 0; i < 20; ++i)
      patient.push_back(weft::spawn([] { return weft::net::resolve("slow.one", 80).size(); }));
    std::thread thread([] { CHECK(weft::net::resolve("slow.one", 80).size() == 1); });
    yield_until([&] { return here.slow.callers() == 24; });
    stop.request_stop();
    by_request.request_stop();
    CHECK(by_token.join() == std::errc::operation_canceled);
    CHECK(by_token_thrown.join() == std::errc::operation_canceled);
    CHECK(by_request.join() == std::errc::operation_canceled);
    let_go = true;
    for (auto& p : patient) CHECK(p.join() == 1);
    thread.join();
    CHECK(asked.load() == 1);
    static_cast<void>(weft::net::resolve("slow.one", 80));
    CHECK(asked.load() == 2);  // nothing is kept
    CHECK(weft::net::resolve("fast.none", 80, ec).empty());
    CHECK(ec == net_errc::host_not_found);
  });
}

TEST_CASE("resolve: a domain whose name server is silent takes its part of the threads only") {
  at_worker_counts([] {
    const injected here({.threads = 4, .threads_per_domain = 2, .line = 20, .line_per_domain = 5});
    weft::scope waiting;
    std::atomic<int> busy{0}, answered{0};
    const auto ask = [&](std::string host) {
      waiting.spawn([&busy, &answered, host] {
        std::error_code ec;
        const auto all = weft::net::resolve(host, 80, ec);
        busy += ec == net_errc::resolver_busy ? 1 : 0;
        answered += all.size() == 1 ? 1 : 0;
      });
    };
    for (int i = 0; i < 2; ++i) ask("host" + std::to_string(i) + ".silent.example");
    yield_until([] { return asked.load() == 2; });
    for (int i = 2; i < 10; ++i) ask("host" + std::to_string(i) + ".silent.example.");
    yield_until([&] { return busy.load() == 3; });  // two are asked for, five in line
    for (int i = 0; i < 30; ++i) {
      std::string host = "fast" + std::to_string(i);
      host += ".quick.example";
      CHECK(weft::net::resolve(host, 80).size() == 1);
    }
    CHECK(here.slow.threads() <= 4);
    let_go = true;
    waiting.join();
    CHECK(answered.load() == 7);
  });
}

TEST_CASE("resolve: a lookup in line that nobody waits for any more is not made") {
  at_worker_counts([] {
    const injected here({.threads = 1, .threads_per_domain = 1});
    std::error_code ec;
    auto first = weft::spawn([] { return weft::net::resolve("slow.a", 80).size(); });
    yield_until([] { return asked.load() == 1; });
    static_cast<void>(weft::net::resolve_for("slow.b", 80, 1ms, ec));
    CHECK(ec == std::errc::timed_out);
    let_go = true;
    CHECK(first.join() == 1);
    CHECK(weft::net::resolve("slow.c", 80).size() == 1);
    CHECK(asked.load() == 2);
  });
}

TEST_CASE("resolve: threads that have nothing to do end") {
  const injected here({.idle_ns = 1'000'000});
  CHECK(weft::net::resolve("fast", 80).size() == 1);
  yield_until([&] { return here.slow.threads() == 0; });
  CHECK(weft::net::resolve("fast", 80).size() == 1);
}
