// SPDX-License-Identifier: BSL-1.0
// Uses weft's bridge to Boost.Asio, headers only.
#include <boost/asio/steady_timer.hpp>
#include <weft/asio.hpp>
#include <weft/weft.hpp>

int main() {
  return weft::run([] {
    weft::asio::context context;
    boost::asio::steady_timer timer(context.get_executor(), std::chrono::milliseconds(1));
    timer.async_wait(weft::use_fiber);  // throws if it fails
    return 0;
  });
}
