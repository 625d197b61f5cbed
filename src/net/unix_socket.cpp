// SPDX-License-Identifier: BSL-1.0
// net/unix_socket.cpp - connecting, descriptors on their way, and who is at the other end.
#include <cerrno>
#include <string>

#include <sys/socket.h>

#include <weft/net/unix.hpp>

#include "base/one_line.hpp"
#include "net/unix_connection.hpp"
#include "sched/park.hpp"

namespace weft::net {

using detail::bad_descriptor;
using detail::descriptor_use;

void received_descriptor::reset(int number) noexcept {
  if (number_ >= 0) detail::call_close(number_);
  number_ = number;
}

unix_stream unix_stream::connect_within(const unix_endpoint& peer, const detail::wait_limit& l,
                                        std::error_code& ec) noexcept {
  auto* const made = detail::connect_unix(SOCK_STREAM, peer, l, ec);
  return made != nullptr ? unix_stream(*made) : unix_stream();
}
std::pair<unix_stream, unix_stream> unix_stream::pair() {
  return detail::unix_pair<unix_stream>(
      SOCK_STREAM, [](int number) { return unix_stream(detail::make_descriptor(number)); });
}
unix_stream unix_stream::adopt(int native_handle) {
  return unix_stream(
      detail::adopt_unix(native_handle, SOCK_STREAM, "a connected Unix stream socket"));
}

std::size_t unix_stream::send_descriptors_within(const const_buffers& data,
                                                 std::span<const int> descriptors,
                                                 const detail::wait_limit& l,
                                                 std::error_code& ec) noexcept {
  ec.clear();
  detail::yield_before_transfer();
  std::size_t done = 0;
  {
    const descriptor_use use(descriptor());
    if (!use) return ec = bad_descriptor(), 0;
    done = detail::send_descriptors(use, detail::payload::bytes, data, descriptors, l, ec);
  }
  // They went with the first byte; the rest is data.
  while (done < data.bytes() && !ec) {
    done += write_within(data, done, l, ec);
    if (ec == std::errc::bad_file_descriptor)  // closed between two calls
      ec = std::make_error_code(std::errc::operation_canceled);
  }
  return done;
}

read_with_descriptors unix_stream::receive_descriptors_within(
    const mutable_buffers& to, std::span<received_descriptor> descriptors,
    const detail::wait_limit& l, std::error_code& ec) noexcept {
  ec.clear();
  detail::yield_before_transfer();
  read_with_descriptors got;
  const descriptor_use use(descriptor());
  if (!use) return ec = bad_descriptor(), got;
  if (to.bytes() == 0) return got;
  const auto with =
      detail::receive_descriptors(use, detail::payload::bytes, to, descriptors, l, ec);
  got.bytes = with.bytes;
  got.descriptors = with.descriptors;
  got.descriptors_lost = with.descriptors_lost;
  return got;
}

unix_datagram::unix_datagram(const unix_endpoint& at) : unix_datagram(unnamed()) {
  const descriptor_use use(descriptor());
  const int e = use ? detail::call_unix_bind(use.number(), at) : -EBADF;
  if (e < 0)
    throw std::system_error(
        -e, std::generic_category(),
        "weft: open a Unix datagram socket at " + detail::one_line(at.to_string()));
}
unix_datagram unix_datagram::unnamed() {
  std::error_code ec;
  auto* const made = detail::make_descriptor_or_close(detail::call_unix_socket(SOCK_DGRAM), ec);
  if (made != nullptr) return unix_datagram(*made);
  throw std::system_error(ec, "weft: open a Unix datagram socket" + detail::remedy_for(ec));
}
std::pair<unix_datagram, unix_datagram> unix_datagram::pair() {
  return detail::unix_pair<unix_datagram>(
      SOCK_DGRAM, [](int number) { return unix_datagram(detail::make_descriptor(number)); });
}
unix_datagram unix_datagram::adopt(int native_handle) {
  return unix_datagram(detail::adopt_unix(native_handle, SOCK_DGRAM, "a Unix datagram socket"));
}

}  // namespace weft::net
