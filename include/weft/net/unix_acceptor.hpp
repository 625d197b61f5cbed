// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net/unix_acceptor.hpp - what Unix listeners share: accepting, closing, the socket's file.

#include <sys/types.h>
#include <cstdint>
#include <system_error>
#include <utility>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>
#include <weft/net/accept_forms.hpp>
#include <weft/net/socket.hpp>
#include <weft/net/unix_endpoint.hpp>

namespace weft {
namespace WEFT_API net {

/// What happens to the file of a socket.
enum class unlink_policy : std::uint8_t {
  /// It stays, and the next listener finds its address in use.
  keep,
  /// It is removed when this listener is closed, if it still belongs to this listener.
  at_close,
  /// As at_close. A file without a listener is also removed before.
  replace
};

/// The settings of a Unix listener.
struct unix_listen_options {
  /// Connections that may wait for accept. The kernel limits it to net.core.somaxconn.
  int backlog = 4096;
  /// What happens to the socket's file.
  unlink_policy unlink = unlink_policy::replace;
};

/// A socket that accepts connections of the kind `Connection`: see unix_listener and
/// unix_seqpacket_listener.
template <class Connection>
class unix_acceptor : public socket,
                      public accept_forms<unix_acceptor<Connection>, Connection, unix_endpoint> {
 public:
  /// Closes the listener, and removes its file if the policy says so. Otherwise as socket::close.
  /// One fiber calls it at a time.
  void close() noexcept;
  /// As socket::release; the file stays.
  [[nodiscard]] int release() noexcept;

  /// Where it listens.
  /// Throws: std::system_error.
  [[nodiscard]] unix_endpoint local_endpoint() const;

 protected:
  /// A closed listener.
  unix_acceptor() noexcept = default;
  /// Takes over the other listener and its file.
  unix_acceptor(unix_acceptor&& other) noexcept;
  /// Closes this listener and takes over the other and its file.
  unix_acceptor& operator=(unix_acceptor&& other) noexcept;
  /// Closes the listener, and removes its file if the policy says so.
  ~unix_acceptor() { remove_file(); }
  /// Listens at `at`.
  unix_acceptor(const unix_endpoint& at, const unix_listen_options& options);
  /// The record of a socket that listens already.
  [[nodiscard]] static detail::poll_descriptor& adopted(int native_handle);
  using socket::socket;

 private:
  friend class accept_forms<unix_acceptor, Connection, unix_endpoint>;
  [[nodiscard]] Connection accept_within(const detail::wait_limit& l, std::error_code& ec,
                                         unix_endpoint* peer) noexcept;
  void remove_file() noexcept;

  // The file that is removed, if it is still this one.
  unix_endpoint file_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace WEFT_API net
}  // namespace weft
