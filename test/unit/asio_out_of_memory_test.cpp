// SPDX-License-Identifier: BSL-1.0
// unit/asio_out_of_memory_test.cpp - an operation of Asio's whose deadline finds no memory: it is
// waited for all the same, for Asio has a pointer into the frame that waits.
#include "support/failing_memory.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include <boost/asio.hpp>
#include <weft/asio.hpp>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using namespace weft::test;
namespace net = boost::asio;

namespace {

/// An operation that others end. From its initiation on there is no memory.
class starving {
 public:
  template <class Token>
  auto async_wait(Token&& token) {
    return net::async_initiate<Token, void(boost::system::error_code, int)>(
        [this](auto handler) {
          auto h = std::make_shared<decltype(handler)>(std::move(handler));
          end_ = [h](boost::system::error_code ec) { std::move (*h)(ec, 17); };
          memory::fail_one_in(1);
        },
        token);
  }
  // Runs at once, without memory.
  [[nodiscard]] net::system_executor get_executor() const { return {}; }
  void cancel() {
    if (++cancels_ == 3) end(net::error::operation_aborted);
  }
  void end(boost::system::error_code ec) {
    memory::fail_one_in(0);
    std::exchange(end_, nullptr)(ec);
  }
  [[nodiscard]] bool has_begun() const { return end_ != nullptr; }
  [[nodiscard]] int cancels() const { return cancels_; }

 private:
  std::function<void(boost::system::error_code)> end_;
  int cancels_ = 0;
};

// One worker: the other fiber runs while this one waits.
void on_one_worker(void (*f)()) {
  weft::options o;
  o.workers = 1;
  weft::run(o, f);
}

}  // namespace

TEST_CASE("use_fiber: no memory for the deadline, and the operation ends in time") {
  on_one_worker([] {
    starving op;
    auto other = weft::spawn([&] {
      while (!op.has_begun()) weft::this_fiber::yield();
      static_cast<void>(weft::this_fiber::sleep_for(1ms));  // it waits by now, or looks soon
      op.end({});
    });
    CHECK(op.async_wait(weft::use_fiber.cancelling(op).expires_after(1h)) == 17);
    other.join();
  });
}

TEST_CASE("use_fiber: no memory for the deadline, which passes; cancels are repeated") {
  on_one_worker([] {
    starving op;
    boost::system::error_code ec;
    static_cast<void>(op.async_wait(weft::use_fiber.cancelling(op).expires_after(2ms)[ec]));
    CHECK(ec == net::error::timed_out);
    CHECK(op.cancels() == 3);
  });
}
