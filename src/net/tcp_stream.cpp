// SPDX-License-Identifier: BSL-1.0
// net/tcp_stream.cpp - connecting, adopting, and what can be set.
#include <weft/net/tcp.hpp>

#include <algorithm>
#include <cerrno>
#include <string>

#include <sys/socket.h>

#include "net/calls.hpp"
#include "net/operation.hpp"

namespace weft::net {

using detail::descriptor_use;
using detail::direction;
using detail::park_reason;
using detail::poll_word;

tcp_stream::tcp_stream(const endpoint& peer, time_point deadline)
    : tcp_stream(connect(peer, deadline)) {}

tcp_stream tcp_stream::begin_connect(const endpoint& peer, std::error_code& ec) noexcept {
  auto* const made = detail::make_descriptor_or_close(detail::call_socket(peer), ec);
  if (made == nullptr) return {};
  tcp_stream s(*made);
  s.descriptor()->remote = peer;
  s.descriptor()->short_read_proves = true;
  s.continue_connect(ec);
  return s;
}

namespace {

// The kernel takes a free port for this end. If it is the one that is connected to, at which nobody
// listens, the socket is its own peer - and keeps the port from whoever is about to listen there.
// The peer's address is the kernel's: a connect to 0.0.0.0 or [::] goes to loopback.
bool is_own_peer(const descriptor_use& use) noexcept {
  endpoint local, peer;
  return detail::call_local(use.number(), local) == 0 && local.port() == use->remote.port() &&
         detail::call_remote(use.number(), peer) == 0 && local == peer;
}

}  // namespace

// Asked again, the kernel says how far it is: done, already done, not yet, or why not.
void tcp_stream::continue_connect(std::error_code& ec) noexcept {
  const descriptor_use use(descriptor());
  const int result = use ? detail::call_connect(use.number(), use->remote) : -EBADF;
  if ((result == 0 || result == -EISCONN) && is_own_peer(use)) [[unlikely]] {
    static_cast<void>(detail::call_linger(use.number(), detail::unacknowledged::drop));
    ec = std::make_error_code(std::errc::connection_refused);
  } else if (result == 0 || result == -EISCONN) {
    static_cast<void>(detail::call_no_delay(use.number(), true));  // never worth failing for
    ec.clear();
  } else {
    ec.assign(result == -EALREADY ? EINPROGRESS : -result, std::generic_category());
  }
}

tcp_stream tcp_stream::connect_within(const endpoint& peer, const detail::wait_limit& l,
                                      std::error_code& ec) noexcept {
  tcp_stream s = begin_connect(peer, ec);
  if (!ec) return s;
  const descriptor_use use(s.descriptor());
  // Read after the call, for once: no poller knows the socket yet, so no event was counted.
  poll_word::edge_count seen = use ? use->word.edges() : 0;
  while (ec == std::errc::operation_in_progress) {
    ec = detail::wait_for_event(*use, direction::write, seen, park_reason::io_connect, l);
    if (ec) break;
    seen = use->word.edges();
    s.continue_connect(ec);
    if (!ec) return s;
  }
  return {};
}

tcp_stream tcp_stream::adopt(int native_handle) {
  if (const int error = detail::call_prepare(native_handle); error < 0)
    throw std::system_error(-error, std::generic_category(),
                            "weft: adopting descriptor " + std::to_string(native_handle) +
                                " (expected a connected stream socket)");
  tcp_stream s(detail::make_adopted(native_handle));
  static_cast<void>(detail::call_remote(native_handle, s.descriptor()->remote));
  s.descriptor()->short_read_proves = detail::call_is_plain_tcp(native_handle);
  return s;
}

void tcp_stream::set_no_delay(no_delay value) {
  const descriptor_use use(descriptor());
  check("setting no_delay towards",
        use ? detail::call_no_delay(use.number(), value == no_delay::on) : -EBADF);
}
void tcp_stream::set_keep_alive(const std::optional<keep_alive>& value) {
  const descriptor_use use(descriptor());
  check("setting keep_alive towards",
        !use    ? -EBADF
        : value ? detail::call_keep_alive(use.number(), *value)
                : detail::call_set(use.number(), SOL_SOCKET, SO_KEEPALIVE, 0));
}
void tcp_stream::set_linger(const std::optional<std::chrono::seconds>& time) {
  const descriptor_use use(descriptor());
  const auto seconds = static_cast<std::uint16_t>(std::clamp<std::chrono::seconds::rep>(
      time.value_or(std::chrono::seconds(0)).count(), 0, 32767));
  const auto at_once = time.has_value() && seconds == 0 ? detail::unacknowledged::drop
                                                        : detail::unacknowledged::send;
  check("setting linger towards", use ? detail::call_linger(use.number(), at_once) : -EBADF);
  use->linger_seconds.store(seconds, std::memory_order_relaxed);  // the close looks: close_number
}

endpoint tcp_stream::remote_endpoint(std::error_code& ec) const noexcept {
  const descriptor_use use(descriptor());
  if (!use) return ec = detail::bad_descriptor(), endpoint{};
  ec.clear();
  if (use->remote != endpoint{}) return use->remote;
  // Adopted without a peer, or with one that has no IP address.
  endpoint e;
  const int result = detail::call_remote(use.number(), e);
  if (result < 0)
    ec = detail::failure(use, result);
  else if (e == endpoint{})
    ec = std::make_error_code(std::errc::address_family_not_supported);
  return e;
}
endpoint tcp_stream::remote_endpoint() const {
  std::error_code ec;
  const endpoint e = remote_endpoint(ec);
  if (ec) fail("asking for the remote endpoint", ec);
  return e;
}

}  // namespace weft::net
