// SPDX-License-Identifier: BSL-1.0
#pragma once
// net/message_window.hpp - what of some buffers goes into one sendmsg or recvmsg.

#include <sys/socket.h>
#include <sys/uio.h>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include <weft/net/buffer.hpp>

namespace weft::detail {

/// The parts of the buffers behind their first `skip` bytes, without empty ones; at most so many
/// bytes of them.
struct message_window {
  template <class Buffer>
  message_window(const net::buffer_list<Buffer>& list, std::size_t skip,
                 std::size_t longest = SIZE_MAX) noexcept {
    message.msg_iov = parts;
    for (const Buffer& b : list) {
      const std::size_t left_out = std::min(skip, b.size());
      skip -= left_out;
      if (left_out == b.size()) continue;
      if (message.msg_iovlen == std::size(parts)) {
        more = true;
        return;
      }
      const auto* const first = static_cast<const char*>(b.data()) + left_out;
      const std::size_t size = std::min(b.size() - left_out, longest - bytes);
      parts[message.msg_iovlen++] = {const_cast<char*>(first), size};
      bytes += size;
      if (bytes == longest) return;
    }
  }
  message_window(const message_window&) = delete;
  message_window& operator=(const message_window&) = delete;

  iovec parts[64];
  msghdr message{};
  std::size_t bytes = 0;
  bool more = false;  // some had no room
};

}  // namespace weft::detail
