// SPDX-License-Identifier: BSL-1.0
// net/datagram_calls.cpp - see datagram_calls.hpp.
#include "net/datagram_calls.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/syscall.h>

#include "net/message_window.hpp"
#include "net/retry.hpp"
#include "os/direct_call.hpp"

namespace weft::detail {
namespace {

sockaddr* native(const native_address& a) noexcept {
  return reinterpret_cast<sockaddr*>(const_cast<sockaddr_storage*>(&a.storage));
}

// A message in one buffer, as most are, needs no header, which the kernel copies and checks.
ssize_t receive_one(int s, const net::mutable_buffer& to, int flags,
                    native_address& from) noexcept {
  socklen_t size = sizeof from.storage;
  const ssize_t n = retry_direct([&]() -> long {
    size = sizeof from.storage;
    if constexpr (os::has_direct_calls)
      return os::direct_call(SYS_recvfrom, s, reinterpret_cast<long>(to.data()),
                             static_cast<long>(to.size()), flags,
                             reinterpret_cast<long>(&from.storage), reinterpret_cast<long>(&size));
    else
      return retry([&] { return ::recvfrom(s, to.data(), to.size(), flags, native(from), &size); });
  });
  from.size = n < 0 ? 0 : size;
  return n;
}
ssize_t send_one(int s, const net::const_buffer& from, int flags,
                 const native_address& to) noexcept {
  sockaddr* const peer = to.size == 0 ? nullptr : native(to);
  return retry_direct([&]() -> long {
    if constexpr (os::has_direct_calls)
      return os::direct_call(SYS_sendto, s, reinterpret_cast<long>(from.data()),
                             static_cast<long>(from.size()), flags, reinterpret_cast<long>(peer),
                             static_cast<long>(to.size));
    else
      return retry([&] { return ::sendto(s, from.data(), from.size(), flags, peer, to.size); });
  });
}

// The headers of a batch; what they point to lives in the messages.
struct batch_headers {
  batch_headers(const native_message* batch, std::size_t n) noexcept
      : count(static_cast<unsigned>(std::min(n, batch_size))) {
    for (unsigned i = 0; i < count; ++i) {
      parts[i] = {batch[i].data, batch[i].size};
      headers[i] = {};
      headers[i].msg_hdr.msg_iov = &parts[i];
      headers[i].msg_hdr.msg_iovlen = 1;
      if (batch[i].address.size == 0) continue;
      headers[i].msg_hdr.msg_name = native(batch[i].address);
      headers[i].msg_hdr.msg_namelen = batch[i].address.size;
    }
  }
  unsigned count;
  iovec parts[batch_size];
  mmsghdr headers[batch_size];
};

}  // namespace

int call_datagram_socket(int family) noexcept {
  return retry([&] { return ::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); });
}
int call_bind(int s, const native_address& at) noexcept {
  return retry([&] { return ::bind(s, native(at), at.size); });
}
int call_connect_datagram(int s, const native_address& peer) noexcept {
  return retry([&] { return ::connect(s, native(peer), peer.size); });
}

int call_prepare_datagram(int s, int family, int or_family) noexcept {
  int type = 0, domain = 0;
  socklen_t size = sizeof type;
  int e = retry([&] { return ::getsockopt(s, SOL_SOCKET, SO_TYPE, &type, &size); });
  size = sizeof domain;
  if (e == 0) e = retry([&] { return ::getsockopt(s, SOL_SOCKET, SO_DOMAIN, &domain, &size); });
  if (e == 0 && type != SOCK_DGRAM) e = -EPROTOTYPE;
  if (e == 0 && domain != family && domain != or_family) e = -EAFNOSUPPORT;
  if (e != 0) return e;
  const int flags = retry([&] { return ::fcntl(s, F_GETFL); });
  if (flags < 0) return flags;
  e = retry([&] { return ::fcntl(s, F_SETFL, flags | O_NONBLOCK); });
  return e != 0 ? e : retry([&] { return ::fcntl(s, F_SETFD, FD_CLOEXEC); });
}

ssize_t call_recv_message(int s, const net::mutable_buffers& to, native_address& from,
                          std::size_t& room) noexcept {
  constexpr int flags = MSG_DONTWAIT | MSG_TRUNC;
  if (to.size() == 1) {
    room = to.front().size();
    return receive_one(s, to.front(), flags, from);
  }
  message_window w(to, 0);
  room = w.bytes;
  w.message.msg_name = &from.storage;
  const ssize_t n = retry([&] {
    w.message.msg_namelen = sizeof from.storage;
    return ::recvmsg(s, &w.message, flags);
  });
  from.size = n < 0 ? 0 : w.message.msg_namelen;
  return n;
}

ssize_t call_send_message(int s, const net::const_buffers& from,
                          const native_address& to) noexcept {
  constexpr int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  if (from.size() == 1) return send_one(s, from.front(), flags, to);
  message_window w(from, 0);
  if (w.more) return -EMSGSIZE;
  if (to.size != 0) {
    w.message.msg_name = native(to);
    w.message.msg_namelen = to.size;
  }
  return retry([&] { return ::sendmsg(s, &w.message, flags); });
}

int call_recv_batch(int s, native_message* batch, std::size_t count) noexcept {
  for (std::size_t i = 0; i < std::min(count, batch_size); ++i)
    batch[i].address.size = sizeof batch[i].address.storage;
  batch_headers h(batch, count);
  const int n =
      retry([&] { return ::recvmmsg(s, h.headers, h.count, MSG_DONTWAIT | MSG_TRUNC, nullptr); });
  for (int i = 0; i < n; ++i) {
    batch[i].full_size = h.headers[i].msg_len;
    batch[i].size = std::min(batch[i].size, batch[i].full_size);
    batch[i].address.size = h.headers[i].msg_hdr.msg_namelen;
  }
  return n;
}
int call_send_batch(int s, const native_message* batch, std::size_t count) noexcept {
  batch_headers h(batch, count);
  return retry([&] { return ::sendmmsg(s, h.headers, h.count, MSG_DONTWAIT | MSG_NOSIGNAL); });
}

int call_name(int s, which_end which, native_address& out) noexcept {
  out.size = sizeof out.storage;
  const auto get = which == which_end::local ? ::getsockname : ::getpeername;
  return retry([&] { return get(s, native(out), &out.size); });
}

int call_group(int s, membership what, const native_address& group,
               unsigned interface_index) noexcept {
  group_req request{};
  request.gr_interface = interface_index;
  request.gr_group = group.storage;
  const int level = group.storage.ss_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
  const int name = what == membership::join ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP;
  return retry([&] { return ::setsockopt(s, level, name, &request, sizeof request); });
}

bool call_is_dual(int s) noexcept {
  int v6_only = 1;
  socklen_t size = sizeof v6_only;
  return ::getsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, &size) == 0 && v6_only == 0;
}
int call_multicast_interface(int s, int family, unsigned index) noexcept {
  if (family == AF_INET6)
    return retry(
        [&] { return ::setsockopt(s, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index); });
  ip_mreqn request{};
  request.imr_ifindex = static_cast<int>(index);
  return retry(
      [&] { return ::setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request); });
}

}  // namespace weft::detail
