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

/// Whether messages may go to a broadcast address.
enum class broadcast : std::uint8_t { off, on };
/// Whether messages to a group come back to receivers on this machine.
enum class multicast_loop : std::uint8_t { off, on };
/// Whether several sockets may have the same address, as the receivers of a multicast group need.
enum class address_reuse : std::uint8_t { off, on };

/// How a UDP socket is opened.
struct udp_options {
  /// Which address families an IPv6 socket accepts.
  ip_stack stack = ip_stack::single;
  /// Whether the port is shared, each message going to one of the sockets.
  port_sharing sharing = port_sharing::none;
  /// Whether the address is shared, each message to a group going to all of the sockets.
  address_reuse reuse = address_reuse::off;
};

extern template class datagram_socket<endpoint>;

/// A UDP socket. Several fibers may send and receive with it at the same time.
class udp_socket : public datagram_socket<endpoint> {
 public:
  /// No socket: everything fails with bad_file_descriptor.
  udp_socket() noexcept = default;
  /// The other one is closed afterwards.
  udp_socket(udp_socket&&) noexcept = default;
  /// Closes this one; the other one is closed afterwards.
  udp_socket& operator=(udp_socket&&) noexcept = default;
  /// Receives at `at`; port 0 is any free one, see local_endpoint(): for a client, {"0.0.0.0", 0}
  /// or {"::", 0}.
  /// Throws: std::system_error: address_in_use, permission_denied, address_not_available,
  /// too_many_files_open.   Example: test/unit/net_udp_test.cpp
  explicit udp_socket(const endpoint& at, const udp_options& options = {});
  /// The same with an error code.
  [[nodiscard]] static udp_socket open(const endpoint& at, std::error_code& ec) noexcept {
    return open(at, {}, ec);
  }
  [[nodiscard]] static udp_socket open(const endpoint& at, const udp_options& options,
                                       std::error_code& ec) noexcept;
  /// Takes over a UDP socket, and makes it non-blocking. Throws: std::system_error; then the
  /// descriptor is still the caller's.
  [[nodiscard]] static udp_socket adopt(int native_handle);

  /// Whether messages may go to a broadcast address.
  /// Throws: std::system_error, as do all functions that set something.
  void set_broadcast(broadcast value);
  /// Receives what is sent to `group` on an interface (its index, as if_nametoindex says; 0: the
  /// one the kernel would route to it).
  void join_group(const endpoint& group, std::uint32_t interface_index = 0);
  /// Ends what join_group began.
  void leave_group(const endpoint& group, std::uint32_t interface_index = 0);
  /// How far messages to a group go: 0 to 255 routers; 1, this network, is the kernel's default.
  void set_multicast_hops(int hops);
  /// Whether messages to a group come back to receivers on this machine; on by default.
  void set_multicast_loop(multicast_loop value);
  /// The interface that messages to a group leave by.
  void set_multicast_interface(std::uint32_t interface_index);

 private:
  using datagram_socket::datagram_socket;
};

}  // namespace WEFT_API net
}  // namespace weft
