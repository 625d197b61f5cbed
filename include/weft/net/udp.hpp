// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net/udp.hpp - UDP: one message at a time, or batches.
//
//   weft::net::udp_socket server({"0.0.0.0", 53});
//   std::byte room[1500];
//   for (;;) {
//     const auto query = server.receive(room);
//     server.send_to(answer(std::span(room).first(query.size)), query.from);
//   }

#include <cstdint>
#include <system_error>

#include <weft/detail/export.hpp>
#include <weft/net/datagram.hpp>
#include <weft/net/endpoint.hpp>
#include <weft/net/tcp.hpp>

namespace weft {
namespace WEFT_API net {

/// `on`: messages may go to a broadcast address.
enum class broadcast : std::uint8_t { off, on };
/// `on`: messages to a group come back to receivers on this machine.
enum class multicast_loop : std::uint8_t { off, on };
/// `on`: several sockets may have the same address, as the receivers of a multicast group need.
enum class address_reuse : std::uint8_t { off, on };

/// The settings of a UDP socket.
struct udp_options {
  /// The address families that an IPv6 socket accepts.
  ip_stack stack = ip_stack::single;
  /// With `spread`, several sockets share the port, and each message goes to one of them.
  port_sharing sharing = port_sharing::none;
  /// With `on`, several sockets share the address, and each message to a group goes to all of them.
  address_reuse reuse = address_reuse::off;
};

extern template class datagram_socket<endpoint>;

/// A UDP socket. Several fibers may send and receive with it at the same time.
class udp_socket : public datagram_socket<endpoint> {
 public:
  /// No socket: every operation fails with bad_file_descriptor.
  udp_socket() noexcept = default;
  /// Takes over the other socket.
  udp_socket(udp_socket&&) noexcept = default;
  /// Closes this socket and takes over the other.
  udp_socket& operator=(udp_socket&&) noexcept = default;
  /// A socket that receives at `at`. Port 0 means any free port; see local_endpoint(). A client
  /// takes {"0.0.0.0", 0} or {"::", 0}.
  /// Throws: std::system_error: address_in_use, permission_denied, address_not_available,
  /// too_many_files_open.
  /// Example: test/unit/net_udp_test.cpp
  explicit udp_socket(const endpoint& at, const udp_options& options = {});
  /// Opens a socket, with errors in `ec` instead of exceptions.
  [[nodiscard]] static udp_socket open(const endpoint& at, std::error_code& ec) noexcept {
    return open(at, {}, ec);
  }
  [[nodiscard]] static udp_socket open(const endpoint& at, const udp_options& options,
                                       std::error_code& ec) noexcept;
  /// Takes over a UDP socket and makes it non-blocking.
  /// Throws: std::system_error; the descriptor is still the caller's then.
  [[nodiscard]] static udp_socket adopt(int native_handle);

  /// Sets whether messages may go to a broadcast address.
  /// Throws: std::system_error, as do all functions that set something.
  void set_broadcast(broadcast value);
  /// Joins `group`: messages to it that arrive on that interface are received. The index is what
  /// if_nametoindex says; 0 means that of the group's zone, as in ff02::1%eth0, or without one the
  /// interface that the kernel would use for the group.
  /// Throws: also invalid_argument if the zone is another interface.
  void join_group(const endpoint& group, std::uint32_t interface_index = 0);
  /// Leaves `group`.
  void leave_group(const endpoint& group, std::uint32_t interface_index = 0);
  /// Sets how far messages to a group go: 0 to 255 networks. The kernel's default is 1, this one.
  void set_multicast_hops(int hops);
  /// Sets whether messages to a group come back to receivers on this machine; on by default.
  void set_multicast_loop(multicast_loop value);
  /// Sets the interface that messages to a group leave by.
  void set_multicast_interface(std::uint32_t interface_index);

 private:
  using datagram_socket::datagram_socket;
};

}  // namespace WEFT_API net
}  // namespace weft
