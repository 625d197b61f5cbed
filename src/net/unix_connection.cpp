// SPDX-License-Identifier: BSL-1.0
// net/unix_connection.cpp - see the header.
#include "net/unix_connection.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include <weft/net/unix_seqpacket.hpp>

#include "sched/park.hpp"

namespace weft::detail {

poll_descriptor* connect_unix(int type, const net::unix_endpoint& peer, const wait_limit& l,
                              std::error_code& ec) noexcept {
  ec.clear();
  poll_descriptor* const made = make_descriptor_or_close(call_unix_socket(type), ec);
  if (made == nullptr) return nullptr;
  {
    const descriptor_use use(made);
    std::int64_t pause_ns = 1'000'000;
    for (;;) {
      const poll_word::edge_count seen = use->word.edges();
      const int result = call_unix_connect(use.number(), peer);
      if (result == 0) return made;
      ec.assign(-result, std::generic_category());
      if (!would_block(result)) break;
      // The backlog is full, and no event will say that it is not any more.
      ec = pause_for_event(*use, direction::write, seen, park_reason::io_connect, l, pause_ns);
      pause_ns = std::min<std::int64_t>(2 * pause_ns, 50'000'000);
      if (ec) break;
    }
  }
  abandon(*made);
  return nullptr;
}

poll_descriptor& adopt_unix(int native_handle, int type, const char* expected) {
  if (const int e = call_prepare_unix(native_handle, type); e < 0)
    throw std::system_error(-e, std::generic_category(),
                            "weft: adopting descriptor " + std::to_string(native_handle) +
                                " (expected " + expected + ")");
  return make_adopted(native_handle);
}

net::unix_endpoint unix_name(const descriptor_use& use, which_end which, int& result) noexcept {
  native_address a;
  result = use ? call_name(use.number(), which, a) : -EBADF;
  if (result < 0) return {};
  return net::unix_endpoint::from_native(reinterpret_cast<const sockaddr&>(a.storage), a.size);
}

std::size_t send_descriptors(const descriptor_use& use, payload what,
                             const net::const_buffers& data, std::span<const int> descriptors,
                             const wait_limit& l, std::error_code& ec) noexcept {
  for (;;) {
    const poll_word::edge_count seen = use->word.edges();
    const ssize_t n = call_send_descriptors(use.number(), what, data, descriptors);
    if (n >= 0) {
      count_transfer(static_cast<std::size_t>(n));
      return static_cast<std::size_t>(n);
    }
    ec = would_block(n) ? wait_for_event(*use, direction::write, seen, park_reason::io_write, l)
                        : failure(use, n);
    if (ec) return 0;
  }
}

received_with_descriptors receive_descriptors(const descriptor_use& use, payload what,
                                              const net::mutable_buffers& to,
                                              std::span<net::received_descriptor> places,
                                              const wait_limit& l, std::error_code& ec) noexcept {
  received_with_descriptors got;
  descriptors_in with;
  while (!ec) {
    const poll_word::edge_count seen = use->word.edges();
    std::size_t room = 0;
    const ssize_t n = call_recv_descriptors(use.number(), what, to, with, room);
    if (n > 0 || (n == 0 && !use.closing())) {
      got.bytes = static_cast<std::size_t>(n);
      got.stored = std::min(got.bytes, room);
      count_transfer(got.stored);
      got.descriptors = std::min(with.count, places.size());
      got.descriptors_lost = with.lost || with.count > places.size();
      for (std::size_t i = 0; i < with.count; ++i) {
        net::received_descriptor d(with.numbers[i]);  // closed, if there is no place for it
        if (i < places.size()) places[i] = std::move(d);
      }
      return got;
    }
    while (with.count > 0) call_close(with.numbers[--with.count]);  // an empty message, too late
    ec = would_block(n) ? wait_for_event(*use, direction::read, seen, park_reason::io_read, l)
                        : failure(use, n);
  }
  return got;
}

}  // namespace weft::detail

namespace weft::net {

using detail::descriptor_use;
using detail::which_end;

template <class Socket, class Self, class Received, class Sent>
credentials unix_connection<Socket, Self, Received, Sent>::peer_credentials() const {
  const descriptor_use use(this->descriptor());
  credentials c{};
  this->check("asking for the credentials of the peer of",
              use ? detail::call_credentials(use.number(), c) : -EBADF);
  return c;
}
template <class Socket, class Self, class Received, class Sent>
unix_endpoint unix_connection<Socket, Self, Received, Sent>::local_endpoint() const {
  int result = 0;
  const auto e = detail::unix_name(descriptor_use(this->descriptor()), which_end::local, result);
  this->check("asking a socket for its local endpoint", result);
  return e;
}
template <class Socket, class Self, class Received, class Sent>
unix_endpoint unix_connection<Socket, Self, Received, Sent>::remote_endpoint() const {
  int result = 0;
  const auto e = detail::unix_name(descriptor_use(this->descriptor()), which_end::remote, result);
  this->check("asking for the remote endpoint", result);
  return e;
}

template class unix_connection<stream_socket, unix_stream, read_with_descriptors, std::size_t>;
template class unix_connection<socket, unix_seqpacket, packet_with_descriptors, void>;

}  // namespace weft::net
