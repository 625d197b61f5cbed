// SPDX-License-Identifier: BSL-1.0
// net/calls.cpp - see calls.hpp.
#include "net/calls.hpp"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace weft::detail {
namespace {

template <class Call>
auto retry(Call&& call) noexcept -> decltype(call()) {
  for (;;) {
    const auto n = call();
    if (n >= 0) return n;
    const int error = errno;
    if (error != EINTR) return -error;
  }
}

// What is no IP address - a socket pair's end - reads as 0.0.0.0:0.
int name_of(int s, net::endpoint& out, int (*get)(int, sockaddr*, socklen_t*)) noexcept {
  sockaddr_storage a{};
  socklen_t size = sizeof a;
  if (get(s, reinterpret_cast<sockaddr*>(&a), &size) != 0) return -errno;
  if (a.ss_family == AF_INET || a.ss_family == AF_INET6)
    out = net::endpoint::from_native(reinterpret_cast<sockaddr&>(a), size);
  else
    out = {};
  return 0;
}

int set_int(int s, int level, int option, int value) noexcept {
  return ::setsockopt(s, level, option, &value, sizeof value) == 0 ? 0 : -errno;
}

}  // namespace

ssize_t call_recv(int s, void* to, std::size_t size) noexcept {
  return retry([&] { return ::recv(s, to, size, MSG_DONTWAIT); });
}
ssize_t call_send(int s, const void* from, std::size_t size) noexcept {
  return retry([&] { return ::send(s, from, size, MSG_DONTWAIT | MSG_NOSIGNAL); });
}

int call_accept(int s, net::endpoint& peer) noexcept {
  sockaddr_storage a{};
  socklen_t size = sizeof a;
  const int n = retry([&] {
    size = sizeof a;
    return ::accept4(s, reinterpret_cast<sockaddr*>(&a), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  });
  if (n >= 0 && (a.ss_family == AF_INET || a.ss_family == AF_INET6))
    peer = net::endpoint::from_native(reinterpret_cast<sockaddr&>(a), size);
  return n;
}

int call_socket(const net::endpoint& family_of) noexcept {
  const int family = family_of.is_v6() ? AF_INET6 : AF_INET;
  return retry(
      [&] { return ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP); });
}

// Not retried: an interrupted connect goes on by itself, and asking again says how far it is.
int call_connect(int s, const net::endpoint& peer) noexcept {
  sockaddr_storage a{};
  const auto size = static_cast<socklen_t>(peer.to_native(a));
  if (::connect(s, reinterpret_cast<sockaddr*>(&a), size) == 0) return 0;
  return errno == EINTR ? -EINPROGRESS : -errno;
}

int call_no_delay(int s, bool on) noexcept {
  return set_int(s, IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0);
}

int call_listen(int s, const net::endpoint& at, int backlog) noexcept {
  sockaddr_storage a{};
  const auto size = static_cast<socklen_t>(at.to_native(a));
  if (const int e = set_int(s, SOL_SOCKET, SO_REUSEADDR, 1); e < 0) return e;
  if (at.is_v6())
    if (const int e = set_int(s, IPPROTO_IPV6, IPV6_V6ONLY, 1); e < 0) return e;
  call_no_delay(s, true);  // inherited by every connection: one call instead of one each
  if (::bind(s, reinterpret_cast<sockaddr*>(&a), size) != 0) return -errno;
  return ::listen(s, backlog) == 0 ? 0 : -errno;
}

int call_shutdown(int s, int how) noexcept { return ::shutdown(s, how) == 0 ? 0 : -errno; }

int call_prepare(int s) noexcept {
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(s, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return -errno;
  if (type != SOCK_STREAM) return -EPROTOTYPE;
  const int flags = ::fcntl(s, F_GETFL);
  if (flags < 0 || ::fcntl(s, F_SETFL, flags | O_NONBLOCK) != 0) return -errno;
  return ::fcntl(s, F_SETFD, FD_CLOEXEC) == 0 ? 0 : -errno;
}

bool call_is_plain_tcp(int s) noexcept {
  int domain = 0, protocol = 0;
  socklen_t size = sizeof domain;
  if (::getsockopt(s, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) return false;
  size = sizeof protocol;
  if (::getsockopt(s, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) != 0) return false;
  if ((domain != AF_INET && domain != AF_INET6) || protocol != IPPROTO_TCP) return false;
  char above[16] = "";  // "tls"; none: ENOENT, an empty name, or an old kernel
  size = sizeof above;
  return ::getsockopt(s, IPPROTO_TCP, TCP_ULP, above, &size) != 0 || size == 0 || above[0] == '\0';
}

int call_local(int s, net::endpoint& out) noexcept { return name_of(s, out, ::getsockname); }
int call_remote(int s, net::endpoint& out) noexcept { return name_of(s, out, ::getpeername); }
int call_duplicate(int s) noexcept {
  return retry([&] { return ::fcntl(s, F_DUPFD_CLOEXEC, 0); });
}

void call_close(int s) noexcept { ::close(s); }

unsigned long descriptor_limit() noexcept {
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

}  // namespace weft::detail
