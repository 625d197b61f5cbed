// SPDX-License-Identifier: BSL-1.0
// unit/net_shutdown_test.cpp - a runtime that ends, kept or not, with a straggler or not, leaves
// the waits of others for its sockets to their own pollers.
#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <vector>

#include <weft/net.hpp>
#include <weft/runtime.hpp>
#include <weft/select.hpp>

#include "support/in_child.hpp"
#include "support/net.hpp"
#include "support/runtimes.hpp"

using namespace std::chrono_literals;
using namespace weft::test;
namespace net = weft::net;

namespace {

// The listener is known to `first`'s poller from now on.
void register_with(weft::runtime& first, net::tcp_listener& listener) {
  first
      .spawn([&] {
        std::error_code ec;
        listener.set_deadline(clock::now() + 1ms);
        static_cast<void>(listener.accept(ec));
        CHECK(ec == std::errc::timed_out);
        listener.set_deadline(net::tcp_listener::no_deadline);
      })
      .join();
}

}  // namespace

TEST_CASE(
    "shutdown: fibers of another runtime go on waiting for a socket of the ended one's poller") {
  for (const std::size_t n : worker_counts) {
    CAPTURE(n);
    net::tcp_listener listener(any_port);
    weft::runtime first(workers(n)), other(workers(n));
    register_with(first, listener);
    // one in the slot, the others in the extra waiters; two of them selects
    constexpr int waiting = 4;
    std::atomic<int> begun{0}, accepted{0};
    std::vector<weft::fiber<void>> all;
    for (int i = 0; i < waiting; ++i)
      all.push_back(other.spawn([&, i] {
        ++begun;
        if (i % 2 == 0) weft::select(weft::on_readable(listener, [] {}));
        accepted += listener.accept().is_open();
      }));
    until([&] { return begun == waiting; });
    for (int i = 0; i < 20; ++i) weft::this_fiber::yield();
    CHECK(first.shutdown() == 0);  // and the object stays
    std::vector<net::tcp_stream> clients;
    for (int i = 0; i < waiting; ++i)
      clients.push_back(net::tcp_stream::connect(listener.local_endpoint()));
    for (auto& f : all) f.join();
    CHECK(accepted == waiting);
  }
}

TEST_CASE("shutdown: also if a straggler is left behind, and the runtime's memory with it") {
  const auto end = in_child([] {
    auto straggling = workers(1);
    straggling.shutdown_timeout = 10ms;
    net::tcp_listener listener(any_port);
    auto first = std::make_unique<weft::runtime>(straggling);
    weft::runtime other(workers(1));
    register_with(*first, listener);
    auto& never = *new weft::channel<int>(0);  // outlives the straggler in it
    first->spawn([&] { static_cast<void>(never.receive()); }).detach();
    std::atomic<bool> begun{false};
    auto waits = other.spawn([&] {
      begun = true;
      return listener.accept().is_open();
    });
    until([&] { return begun.load(); });
    for (int i = 0; i < 20; ++i) weft::this_fiber::yield();
    first.reset();
    auto client = net::tcp_stream::connect(listener.local_endpoint());
    return waits.join() ? 0 : 1;
  });
  CHECK_MESSAGE(end.exit_code == 0, end.errors);
}
