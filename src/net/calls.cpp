// SPDX-License-Identifier: BSL-1.0
// net/calls.cpp - see calls.hpp.
#include "net/calls.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <system_error>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "net/message_window.hpp"
#include "net/retry.hpp"
#include "os/direct_call.hpp"
#include "sched/step_budget.hpp"

namespace weft::detail {
namespace {

// The calls that a request is made of (os/direct_call.hpp); unused if there are no direct calls.
[[maybe_unused]] ssize_t call_directly(long number, int s, const void* data, std::size_t size,
                                       int flags) noexcept {
  return retry_direct([&] {
    return os::direct_call(number, s, reinterpret_cast<long>(data), static_cast<long>(size), flags,
                           0, 0);
  });
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

int get_int(int s, int level, int option, int& value) noexcept {
  socklen_t size = sizeof value;
  return ::getsockopt(s, level, option, &value, &size) == 0 ? 0 : -errno;
}

// SIGPIPE is this thread's to take back: the kernel sends it to the thread that makes the call.
class no_sigpipe {
 public:
  no_sigpipe() noexcept {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    if (sigismember(&pending, SIGPIPE) == 1) return;  // pending before, and blocked
    active_ = pthread_sigmask(SIG_BLOCK, &pipe_, &before_) == 0;
  }
  ~no_sigpipe() {
    if (!active_) return;
    const int error = errno;
    constexpr timespec at_once{};
    if (error == EPIPE) sigtimedwait(&pipe_, nullptr, &at_once);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = error;
  }
  no_sigpipe(const no_sigpipe&) = delete;
  no_sigpipe& operator=(const no_sigpipe&) = delete;

 private:
  sigset_t pipe_, before_;
  bool active_ = false;
};

}  // namespace

ssize_t call_recv(int s, void* to, std::size_t size) noexcept {
  if constexpr (os::has_direct_calls)
    return call_directly(SYS_recvfrom, s, to, size, MSG_DONTWAIT);
  else
    return retry([&] { return ::recv(s, to, size, MSG_DONTWAIT); });
}
ssize_t call_send(int s, const void* from, std::size_t size) noexcept {
  constexpr int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  if constexpr (os::has_direct_calls)
    return call_directly(SYS_sendto, s, from, size, flags);
  else
    return retry([&] { return ::send(s, from, size, flags); });
}

int call_poll(int epoll, epoll_event* events, int room, int milliseconds) noexcept {
  if constexpr (os::has_direct_calls)
    return static_cast<int>(os::direct_call(SYS_epoll_pwait, epoll, reinterpret_cast<long>(events),
                                            room, milliseconds, 0, 0));
  const int n = ::epoll_wait(epoll, events, room, milliseconds);
  return n >= 0 ? n : -errno;
}

ssize_t call_recv_several(int s, const net::mutable_buffers& to, std::size_t skip,
                          std::size_t& asked) noexcept {
  message_window w(to, skip, step_budget::longest_call);
  asked = w.bytes;
  return retry([&] { return ::recvmsg(s, &w.message, MSG_DONTWAIT); });
}
ssize_t call_send_several(int s, const net::const_buffers& from, std::size_t skip) noexcept {
  const message_window w(from, skip, step_budget::longest_call);
  // More follows at once: a packet that is not full may wait for it.
  const int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (w.more ? MSG_MORE : 0);
  return retry([&] { return ::sendmsg(s, &w.message, flags); });
}
ssize_t call_send_file(int s, int file, std::uint64_t& offset, std::size_t count) noexcept {
  const no_sigpipe guard;
  auto at = static_cast<off_t>(offset);
  const ssize_t n = retry([&] { return ::sendfile(s, file, &at, count); });
  offset = static_cast<std::uint64_t>(at);
  return n;
}
bool call_is_cached(int file, std::uint64_t offset) noexcept {
  if (static_cast<off_t>(offset) < 0) return true;  // -1 is the file's own position
  char byte;
  iovec to{&byte, 1};
  return ::preadv2(file, &to, 1, static_cast<off_t>(offset), RWF_NOWAIT) >= 0 || errno != EAGAIN;
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
  return call_set(s, IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0);
}

int call_set(int s, int level, int option, int value) noexcept {
  return ::setsockopt(s, level, option, &value, sizeof value) == 0 ? 0 : -errno;
}
int call_keep_alive(int s, const net::keep_alive& value) noexcept {
  const auto seconds = [](std::chrono::seconds t) {
    return static_cast<int>(std::clamp<std::chrono::seconds::rep>(t.count(), 1, 32767));
  };
  int e = call_set(s, IPPROTO_TCP, TCP_KEEPIDLE, seconds(value.idle));
  if (e == 0) e = call_set(s, IPPROTO_TCP, TCP_KEEPINTVL, seconds(value.interval));
  if (e == 0) e = call_set(s, IPPROTO_TCP, TCP_KEEPCNT, std::clamp(value.count, 1, 127));
  return e != 0 ? e : call_set(s, SOL_SOCKET, SO_KEEPALIVE, 1);
}
int call_give_up_after(int s, int seconds) noexcept {
  return call_set(s, IPPROTO_TCP, TCP_USER_TIMEOUT, seconds * 1000);
}
int call_linger(int s, unacknowledged what) noexcept {
  const linger value{what == unacknowledged::drop ? 1 : 0, 0};
  return ::setsockopt(s, SOL_SOCKET, SO_LINGER, &value, sizeof value) == 0 ? 0 : -errno;
}

int call_listen(int s, const net::endpoint& at, const net::listen_options& options) noexcept {
  sockaddr_storage a{};
  const auto size = static_cast<socklen_t>(at.to_native(a));
  int e = call_set(s, SOL_SOCKET, SO_REUSEADDR, 1);
  if (e == 0 && options.sharing == net::port_sharing::spread)
    e = call_set(s, SOL_SOCKET, SO_REUSEPORT, 1);
  if (e == 0 && at.is_v6())
    e = call_set(s, IPPROTO_IPV6, IPV6_V6ONLY, options.stack == net::ip_stack::dual ? 0 : 1);
  if (e != 0) return e;
  call_no_delay(s, true);  // inherited by every connection: one call instead of one each
  if (::bind(s, reinterpret_cast<sockaddr*>(&a), size) != 0) return -errno;
  return ::listen(s, options.backlog) == 0 ? 0 : -errno;
}

bool call_has_input(int s) noexcept {
  pollfd p{s, POLLIN, 0};
  return ::poll(&p, 1, 0) != 0;
}
int call_listens(int s) noexcept {
  int protocol = 0, listens = 0;
  int e = get_int(s, SOL_SOCKET, SO_PROTOCOL, protocol);
  if (e == 0) e = get_int(s, SOL_SOCKET, SO_ACCEPTCONN, listens);
  if (e != 0) return e;
  return protocol == IPPROTO_TCP && listens != 0 ? 0 : -EINVAL;
}

int call_shutdown(int s, int how) noexcept { return ::shutdown(s, how) == 0 ? 0 : -errno; }

int call_prepare(int s) noexcept {
  int type = 0;
  if (const int e = get_int(s, SOL_SOCKET, SO_TYPE, type); e != 0) return e;
  if (type != SOCK_STREAM) return -EPROTOTYPE;
  const int flags = ::fcntl(s, F_GETFL);
  if (flags < 0 || ::fcntl(s, F_SETFL, flags | O_NONBLOCK) != 0) return -errno;
  return ::fcntl(s, F_SETFD, FD_CLOEXEC) == 0 ? 0 : -errno;
}

bool call_is_plain_tcp(int s) noexcept {
  int domain = 0, protocol = 0;
  if (get_int(s, SOL_SOCKET, SO_DOMAIN, domain) != 0) return false;
  if (get_int(s, SOL_SOCKET, SO_PROTOCOL, protocol) != 0) return false;
  if ((domain != AF_INET && domain != AF_INET6) || protocol != IPPROTO_TCP) return false;
  char above[16] = "";  // "tls"; none: ENOENT, an empty name, or an old kernel
  socklen_t size = sizeof above;
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
