// SPDX-License-Identifier: BSL-1.0
// net/tcp_listener.cpp - listening and accepting.
#include <string>

#include <weft/net/tcp.hpp>

#include "net/accept.hpp"
#include "net/calls.hpp"
#include "net/operation.hpp"
#include "sched/park.hpp"

namespace weft::net {
tcp_listener tcp_listener::listen(const endpoint& at, const listen_options& options,
                                  std::error_code& ec) noexcept {
  ec.clear();
  const int number = detail::call_socket(at);
  const int result = number < 0 ? number : detail::call_listen(number, at, options);
  if (number >= 0 && result < 0) detail::call_close(number);
  auto* const made = detail::make_descriptor_or_close(result < 0 ? result : number, ec);
  return made != nullptr ? tcp_listener(*made) : tcp_listener();
}

tcp_listener::tcp_listener(const endpoint& at, int backlog)
    : tcp_listener(at, listen_options{.backlog = backlog}) {}
tcp_listener::tcp_listener(const endpoint& at, const listen_options& options) {
  std::error_code ec;
  *this = listen(at, options, ec);
  if (ec) throw std::system_error(ec, "weft: listen at " + at.to_string() + detail::remedy_for(ec));
}

tcp_listener tcp_listener::adopt(int native_handle) {
  int error = detail::call_listens(native_handle);
  if (error == 0) error = detail::call_prepare(native_handle);
  if (error < 0)
    throw std::system_error(-error, std::generic_category(),
                            "weft: adopting descriptor " + std::to_string(native_handle) +
                                " (expected a TCP socket that listens)");
  return tcp_listener(detail::make_adopted(native_handle));
}

tcp_stream tcp_listener::accept_within(const detail::wait_limit& l, std::error_code& ec,
                                       endpoint* peer) noexcept {
  ec.clear();
  detail::yield_before_transfer();
  const detail::descriptor_use use(descriptor());
  if (!use) {
    ec = detail::bad_descriptor();
    return {};
  }
  endpoint from;
  auto* const made = detail::accept_connection(use, l, from, ec);
  if (made == nullptr) return {};
  made->remote = from;
  made->short_read_proves = true;
  if (peer != nullptr) *peer = from;
  return tcp_stream(*made);
}

}  // namespace weft::net
