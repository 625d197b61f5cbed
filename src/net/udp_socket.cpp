// SPDX-License-Identifier: BSL-1.0
// net/udp_socket.cpp - opening, and what can be set.
#include <weft/net/udp.hpp>

#include <algorithm>
#include <cerrno>
#include <string>

#include <netinet/in.h>
#include <sys/socket.h>

#include "net/calls.hpp"
#include "net/datagram_calls.hpp"
#include "net/operation.hpp"

namespace weft::net {

using detail::call_set;
using detail::descriptor_use;

namespace {

int set_up(int number, const endpoint& at, const udp_options& options) noexcept {
  int e = 0;
  if (at.is_v6())
    e = call_set(number, IPPROTO_IPV6, IPV6_V6ONLY, options.stack == ip_stack::dual ? 0 : 1);
  if (e == 0 && options.sharing == port_sharing::spread)
    e = call_set(number, SOL_SOCKET, SO_REUSEPORT, 1);
  if (e == 0 && options.reuse == address_reuse::on)
    e = call_set(number, SOL_SOCKET, SO_REUSEADDR, 1);
  if (e != 0) return e;
  detail::native_address native;
  native.size = static_cast<socklen_t>(at.to_native(native.storage));
  return detail::call_bind(number, native);
}

int family_of(int number) noexcept {
  detail::native_address a;
  const int e = detail::call_name(number, detail::which_end::local, a);
  return e < 0 ? e : a.storage.ss_family;
}

}  // namespace

udp_socket udp_socket::open(const endpoint& at, const udp_options& options,
                            std::error_code& ec) noexcept {
  ec.clear();
  const int number = detail::call_datagram_socket(at.is_v6() ? AF_INET6 : AF_INET);
  const int result = number < 0 ? number : set_up(number, at, options);
  if (number >= 0 && result < 0) detail::call_close(number);
  auto* const made = detail::make_descriptor_or_close(result < 0 ? result : number, ec);
  return made != nullptr ? udp_socket(*made) : udp_socket();
}
udp_socket::udp_socket(const endpoint& at, const udp_options& options) {
  std::error_code ec;
  *this = open(at, options, ec);
  if (ec)
    throw std::system_error(
        ec, "weft: open a UDP socket at " + at.to_string() + detail::remedy_for(ec));
}

udp_socket udp_socket::adopt(int native_handle) {
  if (const int e = detail::call_prepare_datagram(native_handle, AF_INET, AF_INET6); e < 0)
    throw std::system_error(
        -e, std::generic_category(),
        "weft: adopting descriptor " + std::to_string(native_handle) + " (expected a UDP socket)");
  return udp_socket(detail::make_adopted(native_handle));
}

void udp_socket::set_broadcast(broadcast value) {
  const descriptor_use use(descriptor());
  check("setting broadcast",
        use ? call_set(use.number(), SOL_SOCKET, SO_BROADCAST, value == broadcast::on ? 1 : 0)
            : -EBADF);
}

namespace {
// Of a group, as in ff02::1%eth0; 0: none.
std::uint32_t zone_of(const detail::native_address& a) noexcept {
  if (a.storage.ss_family != AF_INET6) return 0;
  return reinterpret_cast<const sockaddr_in6&>(a.storage).sin6_scope_id;
}
int change_group(const descriptor_use& use, detail::membership what, const endpoint& group,
                 std::uint32_t interface_index) noexcept {
  if (!use) return -EBADF;
  detail::native_address native;
  native.size = static_cast<socklen_t>(group.to_native(native.storage));
  if (const std::uint32_t zone = zone_of(native); interface_index == 0)
    interface_index = zone;
  else if (zone != 0 && zone != interface_index)
    return -EINVAL;
  return detail::call_group(use.number(), what, native, interface_index);
}
}  // namespace

void udp_socket::join_group(const endpoint& group, std::uint32_t interface_index) {
  const descriptor_use use(descriptor());
  check(("joining the group " + group.address()).c_str(),
        change_group(use, detail::membership::join, group, interface_index));
}
void udp_socket::leave_group(const endpoint& group, std::uint32_t interface_index) {
  const descriptor_use use(descriptor());
  check(("leaving the group " + group.address()).c_str(),
        change_group(use, detail::membership::leave, group, interface_index));
}

namespace {
// set(number, family) for the families whose groups the socket sends to; 0 or -errno.
template <class Set>
int set_for_groups(const descriptor_use& use, Set&& set) noexcept {
  const int family = use ? family_of(use.number()) : -EBADF;
  if (family < 0) return family;
  if (family != AF_INET6) return set(use.number(), AF_INET);
  const int e = set(use.number(), AF_INET6);
  return e == 0 && detail::call_is_dual(use.number()) ? set(use.number(), AF_INET) : e;
}
}  // namespace

void udp_socket::set_multicast_hops(int hops) {
  check("setting multicast_hops",
        hops < 0 ? -EINVAL  // -1 is the kernel's default
                 : set_for_groups(
                       descriptor_use(descriptor()),
                       [&](int n, int family) {
                         return family == AF_INET6
                                    ? call_set(n, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, hops)
                                    : call_set(n, IPPROTO_IP, IP_MULTICAST_TTL, hops);
                       }));
}
void udp_socket::set_multicast_loop(multicast_loop value) {
  const int on = value == multicast_loop::on ? 1 : 0;
  check("setting multicast_loop",
        set_for_groups(descriptor_use(descriptor()), [&](int n, int family) {
          return family == AF_INET6 ? call_set(n, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, on)
                                    : call_set(n, IPPROTO_IP, IP_MULTICAST_LOOP, on);
        }));
}
void udp_socket::set_multicast_interface(std::uint32_t interface_index) {
  check("setting the multicast interface",
        set_for_groups(descriptor_use(descriptor()), [&](int n, int family) {
          return detail::call_multicast_interface(n, family, interface_index);
        }));
}

}  // namespace weft::net
