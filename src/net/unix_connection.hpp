// SPDX-License-Identifier: BSL-1.0
#pragma once
// net/unix_connection.hpp - what connected Unix sockets share, streams and sequenced packets:
// connecting, pairs, adopting, names, descriptors on their way.

#include <array>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include <weft/net/unix.hpp>

#include "net/calls.hpp"
#include "net/datagram_calls.hpp"
#include "net/operation.hpp"
#include "net/unix_calls.hpp"

namespace weft::detail {

/// The record of a new socket of that type, connected to `peer`; null and `ec`. A full backlog is
/// tried again after pauses that grow to 50 ms.
[[nodiscard]] poll_descriptor* connect_unix(int type, const net::unix_endpoint& peer,
                                            const wait_limit& l, std::error_code& ec) noexcept;

/// The record of somebody's socket of that type. Throws std::system_error, which says what was
/// `expected`; the number is still the caller's then.
[[nodiscard]] poll_descriptor& adopt_unix(int native_handle, int type, const char* expected);

/// One end's name; `result` is 0 or -errno.
[[nodiscard]] net::unix_endpoint unix_name(const descriptor_use& use, which_end which,
                                           int& result) noexcept;

/// A message, or some bytes, with descriptors; what sendmsg said of it.
[[nodiscard]] std::size_t send_descriptors(const descriptor_use& use, payload what,
                                           const net::const_buffers& data,
                                           std::span<const int> descriptors, const wait_limit& l,
                                           std::error_code& ec) noexcept;

/// What recvmsg said, and the descriptors that came, of which those without a place are closed.
struct received_with_descriptors {
  std::size_t bytes = 0;   // of the message, which may have been cut; 0: the end, or an error
  std::size_t stored = 0;  // of them
  std::size_t descriptors = 0;
  bool descriptors_lost = false;
};
[[nodiscard]] received_with_descriptors receive_descriptors(
    const descriptor_use& use, payload what, const net::mutable_buffers& to,
    std::span<net::received_descriptor> places, const wait_limit& l, std::error_code& ec) noexcept;

/// The two ends of a pair, or an exception and neither. `make` turns a number into a Socket.
template <class Socket, class Make>
std::pair<Socket, Socket> unix_pair(int type, const Make& make) {
  int ends[2];
  if (const int e = call_unix_pair(type, ends); e < 0) {
    const std::error_code ec(-e, std::generic_category());
    throw std::system_error(ec, "weft: make a pair of Unix sockets" + remedy_for(ec));
  }
  std::pair<Socket, Socket> both;
  try {
    both.first = make(ends[0]);
  } catch (...) {
    call_close(ends[0]);
    call_close(ends[1]);
    throw;
  }
  try {
    both.second = make(ends[1]);
  } catch (...) {
    call_close(ends[1]);
    throw;
  }
  return both;
}

}  // namespace weft::detail
