// SPDX-License-Identifier: BSL-1.0
#pragma once
// net/calls.hpp - the sockets' kernel surface. Results are the kernel's own: a count or a number,
// or -errno.
//
// errno stays inside: a fiber may resume on another thread after a wait, and compilers keep the
// address of errno over one. So none of these is ever inlined. All retry EINTR.

#include <sys/types.h>
#include <cstddef>
#include <cstdint>

#include <weft/net/buffer.hpp>
#include <weft/net/endpoint.hpp>
#include <weft/net/tcp.hpp>

struct epoll_event;

namespace weft::detail {

[[gnu::noinline]] ssize_t call_recv(int s, void* to, std::size_t size) noexcept;
// raises no SIGPIPE
[[gnu::noinline]] ssize_t call_send(int s, const void* from, std::size_t size) noexcept;
/// The same with several buffers, behind their first `skip` bytes; at most 64 in one call. `asked`:
/// the size of what was passed on, which is not empty.
[[gnu::noinline]] ssize_t call_recv_several(int s, const net::mutable_buffers& to, std::size_t skip,
                                            std::size_t& asked) noexcept;
[[gnu::noinline]] ssize_t call_send_several(int s, const net::const_buffers& from,
                                            std::size_t skip) noexcept;
/// sendfile(2), `offset` moved on; raises no SIGPIPE.
[[gnu::noinline]] ssize_t call_send_file(int s, int file, std::uint64_t& offset,
                                         std::size_t count) noexcept;
/// True if the page of the file at `offset` is in memory, if that is unknown, or behind its end.
[[gnu::noinline]] bool call_is_cached(int file, std::uint64_t offset) noexcept;
/// epoll_wait; not retried.
[[gnu::noinline]] int call_poll(int epoll, ::epoll_event* events, int room,
                                int milliseconds) noexcept;
/// Non-blocking and close-on-exec, as is what call_socket makes.
[[gnu::noinline]] int call_accept(int s, net::endpoint& peer) noexcept;
[[gnu::noinline]] int call_socket(const net::endpoint& family_of) noexcept;  // TCP
[[gnu::noinline]] int call_connect(int s, const net::endpoint& peer) noexcept;
/// Allows the address to be used again, binds, listens.
[[gnu::noinline]] int call_listen(int s, const net::endpoint& at,
                                  const net::listen_options& options) noexcept;
/// True if a read, or an accept, would not block.
[[gnu::noinline]] bool call_has_input(int s) noexcept;
/// 0 if it is a TCP socket that listens.
[[gnu::noinline]] int call_listens(int s) noexcept;
[[gnu::noinline]] int call_shutdown(int s, int how) noexcept;
[[gnu::noinline]] int call_no_delay(int s, bool on) noexcept;
[[gnu::noinline]] int call_set(int s, int level, int option, int value) noexcept;
[[gnu::noinline]] int call_keep_alive(int s, const net::keep_alive& value) noexcept;
/// What close(2) does with data that were not acknowledged: goes on sending, or drops them. Never
/// SO_LINGER with a time: close(2) would wait for so long, of a non-blocking socket, too, and the
/// kernel would send on afterwards.
enum class unacknowledged : unsigned char { send, drop };
[[gnu::noinline]] int call_linger(int s, unacknowledged what) noexcept;
/// The connection ends if the peer acknowledges nothing for so long.
[[gnu::noinline]] int call_give_up_after(int s, int seconds) noexcept;
/// Makes any stream socket non-blocking and close-on-exec.
[[gnu::noinline]] int call_prepare(int s) noexcept;
/// TCP with nothing on top: such a stream has no boundaries. A Unix socket has (descriptors,
/// credentials), TLS in the kernel has.
[[gnu::noinline]] bool call_is_plain_tcp(int s) noexcept;
[[gnu::noinline]] int call_local(int s, net::endpoint& out) noexcept;
[[gnu::noinline]] int call_remote(int s, net::endpoint& out) noexcept;
[[gnu::noinline]] void call_close(int s) noexcept;
/// Another number for the same open descriptor, close-on-exec.
[[gnu::noinline]] int call_duplicate(int s) noexcept;
/// The soft limit of descriptors of this process.
[[nodiscard]] unsigned long descriptor_limit() noexcept;

}  // namespace weft::detail
