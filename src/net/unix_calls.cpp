// SPDX-License-Identifier: BSL-1.0
// net/unix_calls.cpp - see unix_calls.hpp.
#include "net/unix_calls.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/message_window.hpp"
#include "net/retry.hpp"

namespace weft::detail {
namespace {

int get_int(int s, int option, int& value) noexcept {
  socklen_t size = sizeof value;
  return retry([&] { return ::getsockopt(s, SOL_SOCKET, option, &value, &size); });
}

int with_address(const net::unix_endpoint& e, int s,
                 int (*call)(int, const sockaddr*, socklen_t)) noexcept {
  sockaddr_storage a;
  const auto size = static_cast<socklen_t>(e.to_native(a));
  return retry([&] { return call(s, reinterpret_cast<const sockaddr*>(&a), size); });
}

// Somebody may have asked for credentials, too, on a socket that was adopted; or for a descriptor
// of the sender's process, which nobody here would close.
constexpr int scm_pidfd = 4;  // SCM_PIDFD, Linux 6.5
constexpr std::size_t control_room = CMSG_SPACE(most_descriptors * sizeof(int)) + 512;

}  // namespace

int call_unix_socket(int type) noexcept {
  return retry([&] { return ::socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); });
}
int call_unix_pair(int type, int (&ends)[2]) noexcept {
  return retry([&] { return ::socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends); });
}
int call_unix_connect(int s, const net::unix_endpoint& peer) noexcept {
  return with_address(peer, s, ::connect);
}
int call_unix_bind(int s, const net::unix_endpoint& at) noexcept {
  return with_address(at, s, ::bind);
}
int call_listen_only(int s, int backlog) noexcept {
  return retry([&] { return ::listen(s, backlog); });
}

int call_prepare_unix(int s, int type) noexcept {
  int is = 0, domain = 0;
  int e = get_int(s, SO_TYPE, is);
  if (e == 0) e = get_int(s, SO_DOMAIN, domain);
  if (e == 0 && domain != AF_UNIX) e = -EAFNOSUPPORT;
  if (e == 0 && is != type) e = -EPROTOTYPE;
  if (e != 0) return e;
  const int flags = retry([&] { return ::fcntl(s, F_GETFL); });
  if (flags < 0) return flags;
  e = retry([&] { return ::fcntl(s, F_SETFL, flags | O_NONBLOCK); });
  return e != 0 ? e : retry([&] { return ::fcntl(s, F_SETFD, FD_CLOEXEC); });
}

int call_unix_listens(int s) noexcept {
  int listens = 0;
  const int e = get_int(s, SO_ACCEPTCONN, listens);
  return e != 0 ? e : listens != 0 ? 0 : -EINVAL;
}

int call_credentials(int s, net::credentials& out) noexcept {
  ucred c{};
  socklen_t size = sizeof c;
  const int e = retry([&] { return ::getsockopt(s, SOL_SOCKET, SO_PEERCRED, &c, &size); });
  if (e == 0) out = {c.pid, c.uid, c.gid};
  return e;
}

ssize_t call_send_descriptors(int s, payload what, const net::const_buffers& data,
                              std::span<const int> descriptors) noexcept {
  message_window w(data, 0);
  if (w.bytes == 0 || descriptors.size() > most_descriptors) return -EINVAL;
  if (w.more && what == payload::message) return -EMSGSIZE;
  alignas(cmsghdr) char control[control_room] = {};
  if (!descriptors.empty()) {
    w.message.msg_control = control;
    w.message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* const head = CMSG_FIRSTHDR(&w.message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(head), descriptors.data(), descriptors.size_bytes());
  }
  return retry([&] { return ::sendmsg(s, &w.message, MSG_DONTWAIT | MSG_NOSIGNAL); });
}

ssize_t call_recv_descriptors(int s, payload what, const net::mutable_buffers& to,
                              descriptors_in& got, std::size_t& room) noexcept {
  const int flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC | (what == payload::message ? MSG_TRUNC : 0);
  message_window w(to, 0);
  room = w.bytes;
  alignas(cmsghdr) char control[control_room];
  const ssize_t n = retry([&] {
    w.message.msg_control = control;
    w.message.msg_controllen = sizeof control;
    return ::recvmsg(s, &w.message, flags);
  });
  got.count = 0;
  if (n < 0) return n;
  got.lost = (w.message.msg_flags & MSG_CTRUNC) != 0;  // EMFILE, ENFILE
  for (cmsghdr* c = CMSG_FIRSTHDR(&w.message); c != nullptr; c = CMSG_NXTHDR(&w.message, c)) {
    if (c->cmsg_level != SOL_SOCKET) continue;
    if (c->cmsg_type == scm_pidfd) {
      int pidfd = -1;
      std::memcpy(&pidfd, CMSG_DATA(c), sizeof pidfd);
      if (pidfd >= 0) ::close(pidfd);
      continue;
    }
    if (c->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t bytes =
        std::min(c->cmsg_len - CMSG_LEN(0), (most_descriptors - got.count) * sizeof(int));
    std::memcpy(got.numbers + got.count, CMSG_DATA(c), bytes);
    got.count += bytes / sizeof(int);
  }
  return n;
}

bool call_socket_file(const char* path, file_identity& out) noexcept {
  struct stat is{};
  if (::lstat(path, &is) != 0 || !S_ISSOCK(is.st_mode)) return false;
  out = {is.st_dev, is.st_ino};
  return true;
}
void call_unlink(const char* path) noexcept { ::unlink(path); }

}  // namespace weft::detail
