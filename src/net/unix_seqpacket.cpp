// SPDX-License-Identifier: BSL-1.0
// net/unix_seqpacket.cpp - connected sockets whose messages stay whole.
#include <weft/net/unix_seqpacket.hpp>

#include <algorithm>
#include <cerrno>

#include <sys/socket.h>

#include "net/unix_connection.hpp"
#include "sched/park.hpp"

namespace weft::net {

using detail::bad_descriptor;
using detail::descriptor_use;
using detail::direction;
using detail::failure;
using detail::park_reason;
using detail::poll_word;
using detail::would_block;

unix_seqpacket unix_seqpacket::connect_within(const unix_endpoint& peer, const limit& l,
                                              std::error_code& ec) noexcept {
  auto* const made = detail::connect_unix(SOCK_SEQPACKET, peer, l, ec);
  return made != nullptr ? unix_seqpacket(*made) : unix_seqpacket();
}
std::pair<unix_seqpacket, unix_seqpacket> unix_seqpacket::pair() {
  return detail::unix_pair<unix_seqpacket>(
      SOCK_SEQPACKET, [](int number) { return unix_seqpacket(detail::make_descriptor(number)); });
}
unix_seqpacket unix_seqpacket::adopt(int native_handle) {
  return unix_seqpacket(
      detail::adopt_unix(native_handle, SOCK_SEQPACKET, "a connected Unix seqpacket socket"));
}

// Of two connected sockets the sender's own buffer is the limit, and the kernel tells when it has
// room: no pauses, as datagrams need them.
void unix_seqpacket::send_within(const const_buffers& message, const limit& l,
                                 std::error_code& ec) noexcept {
  ec.clear();
  detail::yield_before_transfer();
  const descriptor_use use(descriptor());
  if (!use) {
    ec = bad_descriptor();
    return;
  }
  if (message.bytes() == 0) {
    ec = std::make_error_code(std::errc::invalid_argument);
    return;
  }
  while (!ec) {
    const poll_word::edge_count seen = use->word.edges();
    const ssize_t n = detail::call_send_message(use.number(), message, {});
    if (n >= 0) return detail::count_transfer(static_cast<std::size_t>(n));
    ec = would_block(n)
             ? detail::wait_for_event(*use, direction::write, seen, park_reason::io_write, l)
             : failure(use, n);
  }
}

packet unix_seqpacket::receive_within(const mutable_buffers& to, const limit& l,
                                      std::error_code& ec) noexcept {
  ec.clear();
  detail::yield_before_transfer();
  const descriptor_use use(descriptor());
  if (!use) return ec = bad_descriptor(), packet();
  detail::native_address nobody;
  while (!ec) {
    const poll_word::edge_count seen = use->word.edges();
    std::size_t room = 0;
    const ssize_t n = detail::call_recv_message(use.number(), to, nobody, room);
    if (n > 0 || (n == 0 && !use.closing())) {
      const auto size = static_cast<std::size_t>(n);
      detail::count_transfer(std::min(size, room));
      return {std::min(size, room), size};
    }
    ec = would_block(n)
             ? detail::wait_for_event(*use, direction::read, seen, park_reason::io_read, l)
             : failure(use, n);
  }
  return {};
}

void unix_seqpacket::send_descriptors_within(const const_buffers& message,
                                             std::span<const int> descriptors, const limit& l,
                                             std::error_code& ec) noexcept {
  ec.clear();
  detail::yield_before_transfer();
  const descriptor_use use(descriptor());
  if (use)
    static_cast<void>(
        detail::send_descriptors(use, detail::payload::message, message, descriptors, l, ec));
  else
    ec = bad_descriptor();
}

packet_with_descriptors unix_seqpacket::receive_descriptors_within(
    const mutable_buffers& to, std::span<received_descriptor> descriptors, const limit& l,
    std::error_code& ec) noexcept {
  ec.clear();
  detail::yield_before_transfer();
  packet_with_descriptors got;
  const descriptor_use use(descriptor());
  if (!use) return ec = bad_descriptor(), got;
  const auto with =
      detail::receive_descriptors(use, detail::payload::message, to, descriptors, l, ec);
  got.size = with.stored;
  got.full_size = with.bytes;
  got.descriptors = with.descriptors;
  got.descriptors_lost = with.descriptors_lost;
  return got;
}

}  // namespace weft::net
