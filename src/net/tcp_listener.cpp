// SPDX-License-Identifier: BSL-1.0
// net/tcp_listener.cpp - listening and accepting.
//
// A burst of connections may arrive as one edge: accept is always tried before waiting, so none is
// left behind.
#include <cerrno>
#include <string>

#include <weft/net/tcp.hpp>

#include "net/calls.hpp"
#include "net/poll_descriptor.hpp"
#include "sched/park.hpp"

namespace weft::net {
namespace {

// The connection failed before it was taken; accept(2) reports it in place of the next one.
bool of_a_dead_connection(int error) noexcept {
  switch (error) {
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

}  // namespace

tcp_listener tcp_listener::listen(const endpoint& at, std::error_code& ec, int backlog) noexcept {
  ec.clear();
  const int number = detail::call_socket(at);
  const int result = number < 0 ? number : detail::call_listen(number, at, backlog);
  if (result < 0) {
    ec.assign(-result, std::generic_category());
  } else {
    try {
      return tcp_listener(detail::make_descriptor(number));
    } catch (const std::system_error& e) {
      ec = e.code();
    }
  }
  if (number >= 0) detail::call_close(number);
  return {};
}

tcp_listener::tcp_listener(const endpoint& at, int backlog) {
  std::error_code ec;
  *this = listen(at, ec, backlog);
  if (!ec) return;
  std::string text = "weft: listen at " + at.to_string();
  if (ec == std::errc::too_many_files_open)
    text += ": this process may have " + std::to_string(detail::descriptor_limit()) +
            " descriptors, raise its limit (`ulimit -n`)";
  throw std::system_error(ec, text);
}

tcp_stream tcp_listener::accept(std::error_code& ec, endpoint* peer) noexcept {
  using detail::direction;
  ec.clear();
  detail::yield_if_requested_slow();
  const detail::descriptor_use use(descriptor());
  if (!use) {
    ec = std::make_error_code(std::errc::bad_file_descriptor);
    return {};
  }
  endpoint from;
  int number;
  for (;;) {
    const detail::poll_word::edge_count seen = use->word.edges();
    number = detail::call_accept(use.number(), from);
    if (number >= 0) break;
    if (use.closing()) {
      ec = std::make_error_code(std::errc::operation_canceled);
    } else if (number == -EAGAIN) {
      ec = detail::wait_for_event(*use, direction::read, seen, detail::park_reason::io_accept,
                                  use->deadline(direction::read));
    } else if (!of_a_dead_connection(-number)) {
      ec.assign(-number, std::generic_category());
    }
    if (ec) return {};
  }
  try {
    tcp_stream s(detail::make_descriptor(number));
    s.descriptor()->remote = from;
    s.descriptor()->short_read_proves = true;
    if (peer != nullptr) *peer = from;
    return s;
  } catch (const std::system_error& e) {
    detail::call_close(number);
    ec = e.code();
    return {};
  }
}

tcp_stream tcp_listener::accept(endpoint* peer) {
  std::error_code ec;
  tcp_stream s = accept(ec, peer);
  if (ec) fail("accept", ec);
  return s;
}

}  // namespace weft::net
