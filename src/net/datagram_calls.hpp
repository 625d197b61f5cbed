// SPDX-License-Identifier: BSL-1.0
#pragma once
// net/datagram_calls.hpp - the kernel surface of messages, as calls.hpp is that of streams: results
// are counts, or -errno; nothing is inlined; EINTR is retried.

#include <sys/socket.h>
#include <sys/types.h>
#include <cstddef>

#include <weft/net/buffer.hpp>

namespace weft::detail {

/// An address of any family, as the kernel has it; size 0: none.
struct native_address {
  sockaddr_storage storage;
  socklen_t size = 0;
};

/// One of a batch.
struct native_message {
  void* data = nullptr;
  std::size_t size = 0;       // received: how much was stored
  std::size_t full_size = 0;  // received: how much there was
  native_address address;
};
inline constexpr std::size_t batch_size = 32;

/// Non-blocking and close-on-exec.
[[gnu::noinline]] int call_datagram_socket(int family) noexcept;
[[gnu::noinline]] int call_bind(int s, const native_address& at) noexcept;
/// Makes a datagram socket of one of these two families non-blocking and close-on-exec.
[[gnu::noinline]] int call_prepare_datagram(int s, int family, int or_family) noexcept;
[[gnu::noinline]] int call_connect_datagram(int s, const native_address& peer) noexcept;
/// The size of the message, more than `room` if it was cut: the bytes of the buffers that were
/// passed on, at most 64.
[[gnu::noinline]] ssize_t call_recv_message(int s, const net::mutable_buffers& to,
                                            native_address& from, std::size_t& room) noexcept;
[[gnu::noinline]] ssize_t call_send_message(int s, const net::const_buffers& from,
                                            const native_address& to) noexcept;
/// At most batch_size of them; how many.
[[gnu::noinline]] int call_recv_batch(int s, native_message* batch, std::size_t count) noexcept;
[[gnu::noinline]] int call_send_batch(int s, const native_message* batch,
                                      std::size_t count) noexcept;
enum class which_end : unsigned char { local, remote };
[[gnu::noinline]] int call_name(int s, which_end which, native_address& out) noexcept;
enum class membership : unsigned char { join, leave };
[[gnu::noinline]] int call_group(int s, membership what, const native_address& group,
                                 unsigned interface_index) noexcept;
/// True if a socket of IPv6 sends to IPv4, too.
[[gnu::noinline]] bool call_is_dual(int s) noexcept;
[[gnu::noinline]] int call_multicast_interface(int s, int family, unsigned index) noexcept;

}  // namespace weft::detail
