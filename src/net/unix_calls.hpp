// SPDX-License-Identifier: BSL-1.0
#pragma once
// net/unix_calls.hpp - the kernel surface of Unix sockets, as calls.hpp is that of TCP: results are
// counts, or -errno; nothing is inlined; EINTR is retried.

#include <sys/types.h>
#include <cstddef>
#include <span>

#include <weft/net/buffer.hpp>
#include <weft/net/unix.hpp>

namespace weft::detail {

/// Non-blocking and close-on-exec, as what call_unix_pair makes.
[[gnu::noinline]] int call_unix_socket(int type) noexcept;
[[gnu::noinline]] int call_unix_pair(int type, int (&ends)[2]) noexcept;
[[gnu::noinline]] int call_unix_connect(int s, const net::unix_endpoint& peer) noexcept;
[[gnu::noinline]] int call_unix_bind(int s, const net::unix_endpoint& at) noexcept;
[[gnu::noinline]] int call_listen_only(int s, int backlog) noexcept;
/// Makes a Unix socket of that type non-blocking and close-on-exec.
[[gnu::noinline]] int call_prepare_unix(int s, int type) noexcept;
[[gnu::noinline]] int call_unix_listens(int s) noexcept;
[[gnu::noinline]] int call_credentials(int s, net::credentials& out) noexcept;

inline constexpr std::size_t most_descriptors = 253;  // SCM_MAX_FD
/// What the socket carries, bytes or messages: more buffers than one call takes are sent in part,
/// or not at all (EMSGSIZE); a receive returns the bytes that were stored, or the size of the
/// message, which may be larger.
enum class payload : unsigned char { bytes, message };
[[gnu::noinline]] ssize_t call_send_descriptors(int s, payload what, const net::const_buffers& data,
                                                std::span<const int> descriptors) noexcept;
struct descriptors_in {
  int numbers[most_descriptors];  // the caller's
  std::size_t count;
  bool lost;  // more came than this process may have, or than there was room for
};
/// `room`: the bytes of the buffers that were passed on, at most 64.
[[gnu::noinline]] ssize_t call_recv_descriptors(int s, payload what, const net::mutable_buffers& to,
                                                descriptors_in& got, std::size_t& room) noexcept;

/// Identifies a file.
struct file_identity {
  dev_t device;
  ino_t inode;
};
/// The socket's file at that path; false if there is none, or another kind of file.
[[gnu::noinline]] bool call_socket_file(const char* path, file_identity& out) noexcept;
[[gnu::noinline]] void call_unlink(const char* path) noexcept;

}  // namespace weft::detail
