// SPDX-License-Identifier: BSL-1.0
// net/unix_socket.cpp - connecting, descriptors on their way, and who is at the other end.
#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include <sys/socket.h>

#include <weft/net/unix.hpp>

#include "net/calls.hpp"
#include "net/datagram_calls.hpp"
#include "net/operation.hpp"
#include "net/unix_calls.hpp"
#include "sched/park.hpp"

namespace weft::net {

using detail::bad_descriptor;
using detail::descriptor_use;
using detail::direction;
using detail::failure;
using detail::park_reason;
using detail::poll_word;
using detail::would_block;

namespace {

unix_endpoint name_of(int number, detail::which_end which, int& result) noexcept {
  detail::native_address a;
  result = number < 0 ? -EBADF : detail::call_name(number, which, a);
  if (result < 0) return {};
  return unix_endpoint::from_native(reinterpret_cast<const sockaddr&>(a.storage), a.size);
}

[[noreturn]] void refuse(int native_handle, int error, const char* expected) {
  throw std::system_error(error, std::generic_category(),
                          "weft: adopting descriptor " + std::to_string(native_handle) +
                              " (expected " + expected + ")");
}

// The two ends of a pair, or an exception and neither.
template <class Socket, class Make>
std::pair<Socket, Socket> pair_of(int type, const Make& make) {
  int ends[2];
  if (const int e = detail::call_unix_pair(type, ends); e < 0) {
    const std::error_code ec(-e, std::generic_category());
    throw std::system_error(ec, "weft: make a pair of Unix sockets" + detail::remedy_for(ec));
  }
  std::pair<Socket, Socket> both;
  try {
    both.first = make(ends[0]);
  } catch (...) {
    detail::call_close(ends[0]);
    detail::call_close(ends[1]);
    throw;
  }
  try {
    both.second = make(ends[1]);
  } catch (...) {
    detail::call_close(ends[1]);
    throw;
  }
  return both;
}

}  // namespace

void received_descriptor::reset(int number) noexcept {
  if (number_ >= 0) detail::call_close(number_);
  number_ = number;
}

unix_stream unix_stream::connect_within(const unix_endpoint& peer, const detail::wait_limit& l,
                                        std::error_code& ec) noexcept {
  ec.clear();
  auto* const made = detail::make_descriptor_or_close(detail::call_unix_socket(SOCK_STREAM), ec);
  if (made == nullptr) return {};
  unix_stream s(*made);
  const descriptor_use use(s.descriptor());
  std::int64_t pause_ns = 1'000'000;
  for (;;) {
    const poll_word::edge_count seen = use->word.edges();
    const int result = detail::call_unix_connect(use.number(), peer);
    if (result == 0) break;
    ec.assign(-result, std::generic_category());
    if (!would_block(result)) return {};
    // The backlog is full, and no event will say that it is not any more.
    ec =
        detail::pause_for_event(*use, direction::write, seen, park_reason::io_connect, l, pause_ns);
    pause_ns = std::min<std::int64_t>(2 * pause_ns, 50'000'000);
    if (ec) return {};
  }
  ec.clear();
  return s;
}
unix_stream unix_stream::connect(const unix_endpoint& peer, time_point deadline) {
  std::error_code ec;
  unix_stream s = connect(peer, deadline, ec);
  if (!ec) return s;
  throw std::system_error(ec, "weft: connect to " + peer.to_string() + detail::remedy_for(ec));
}

std::pair<unix_stream, unix_stream> unix_stream::pair() {
  return pair_of<unix_stream>(
      SOCK_STREAM, [](int number) { return unix_stream(detail::make_descriptor(number)); });
}
unix_stream unix_stream::adopt(int native_handle) {
  if (const int e = detail::call_prepare_unix(native_handle, SOCK_STREAM); e < 0)
    refuse(native_handle, -e, "a connected Unix stream socket");
  return unix_stream(detail::make_descriptor(native_handle));
}

std::size_t unix_stream::send_descriptors(const const_buffers& data,
                                          std::span<const int> descriptors,
                                          std::error_code& ec) noexcept {
  ec.clear();
  detail::yield_if_requested_slow();
  std::size_t done = 0;
  {
    const descriptor_use use(descriptor());
    if (!use) return ec = bad_descriptor(), 0;
    while (done == 0) {
      const poll_word::edge_count seen = use->word.edges();
      const ssize_t n = detail::call_send_descriptors(use.number(), data, descriptors);
      if (n >= 0) {
        done = static_cast<std::size_t>(n);
      } else {
        ec = would_block(n)
                 ? detail::wait_for_event(*use, direction::write, seen, park_reason::io_write, {})
                 : failure(use, n);
        if (ec) return 0;
      }
    }
  }
  // They went with the first byte; the rest is data.
  while (done < data.bytes() && !ec) done += write_within(data, done, {}, ec);
  return done;
}
void unix_stream::send_descriptors(const const_buffers& data, std::span<const int> descriptors) {
  std::error_code ec;
  send_descriptors(data, descriptors, ec);
  if (ec) fail("send descriptors to", ec);
}

read_with_descriptors unix_stream::receive_descriptors(const mutable_buffers& to,
                                                       std::span<received_descriptor> descriptors,
                                                       std::error_code& ec) noexcept {
  ec.clear();
  detail::yield_if_requested_slow();
  read_with_descriptors got;
  const descriptor_use use(descriptor());
  if (!use) return ec = bad_descriptor(), got;
  if (to.bytes() == 0) return got;
  std::array<int, detail::most_descriptors> numbers;
  while (!ec) {
    const poll_word::edge_count seen = use->word.edges();
    std::size_t count = 0;
    const ssize_t n = detail::call_recv_descriptors(use.number(), to, numbers.data(), count);
    if (n > 0 || (n == 0 && !use.closing())) {
      got.bytes = static_cast<std::size_t>(n);
      got.descriptors = std::min(count, descriptors.size());
      got.descriptors_lost = count > descriptors.size();
      for (std::size_t i = 0; i < count; ++i) {
        received_descriptor d(numbers[i]);  // closed, if there is no place for it
        if (i < descriptors.size()) descriptors[i] = std::move(d);
      }
      return got;
    }
    ec = would_block(n)
             ? detail::wait_for_event(*use, direction::read, seen, park_reason::io_read, {})
             : failure(use, n);
  }
  return got;
}
read_with_descriptors unix_stream::receive_descriptors(const mutable_buffers& to,
                                                       std::span<received_descriptor> descriptors) {
  std::error_code ec;
  const read_with_descriptors got = receive_descriptors(to, descriptors, ec);
  if (ec) fail("receive descriptors from", ec);
  return got;
}

credentials unix_stream::peer_credentials() const {
  const descriptor_use use(descriptor());
  credentials c{};
  check("asking for the credentials of the peer of",
        use ? detail::call_credentials(use.number(), c) : -EBADF);
  return c;
}
unix_endpoint unix_stream::local_endpoint() const {
  const descriptor_use use(descriptor());
  int result = 0;
  const unix_endpoint e = name_of(use ? use.number() : -1, detail::which_end::local, result);
  check("asking a socket for its local endpoint", result);
  return e;
}
unix_endpoint unix_stream::remote_endpoint() const {
  const descriptor_use use(descriptor());
  int result = 0;
  const unix_endpoint e = name_of(use ? use.number() : -1, detail::which_end::remote, result);
  check("asking for the remote endpoint", result);
  return e;
}

unix_datagram::unix_datagram(const unix_endpoint& at) : unix_datagram(unnamed()) {
  const descriptor_use use(descriptor());
  const int e = detail::call_unix_bind(use.number(), at);
  if (e < 0)
    throw std::system_error(-e, std::generic_category(),
                            "weft: open a Unix datagram socket at " + at.to_string());
}
unix_datagram unix_datagram::unnamed() {
  std::error_code ec;
  auto* const made = detail::make_descriptor_or_close(detail::call_unix_socket(SOCK_DGRAM), ec);
  if (made != nullptr) return unix_datagram(*made);
  throw std::system_error(ec, "weft: open a Unix datagram socket" + detail::remedy_for(ec));
}
std::pair<unix_datagram, unix_datagram> unix_datagram::pair() {
  return pair_of<unix_datagram>(
      SOCK_DGRAM, [](int number) { return unix_datagram(detail::make_descriptor(number)); });
}
unix_datagram unix_datagram::adopt(int native_handle) {
  if (const int e = detail::call_prepare_unix(native_handle, SOCK_DGRAM); e < 0)
    refuse(native_handle, -e, "a Unix datagram socket");
  return unix_datagram(detail::make_descriptor(native_handle));
}

}  // namespace weft::net
