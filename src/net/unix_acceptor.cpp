// SPDX-License-Identifier: BSL-1.0
// net/unix_acceptor.cpp - listening, accepting, and the socket's file.
#include <cerrno>
#include <string>
#include <type_traits>

#include <sys/socket.h>

#include <weft/net/unix.hpp>
#include <weft/net/unix_seqpacket.hpp>

#include "base/one_line.hpp"
#include "net/accept.hpp"
#include "net/calls.hpp"
#include "net/operation.hpp"
#include "net/unix_connection.hpp"
#include "sched/park.hpp"

namespace weft::net {
namespace {

// Of a file, for the kernel.
struct path_of {
  explicit path_of(const unix_endpoint& e) noexcept {
    e.name().copy(text, unix_endpoint::max_size);
  }
  char text[unix_endpoint::max_size + 1] = {};
};

// Removes the file if it is that one still.
void remove_socket(const unix_endpoint& at, dev_t device, ino_t inode) noexcept {
  const path_of path(at);
  detail::file_identity is{};
  if (detail::call_socket_file(path.text, is) && is.device == device && is.inode == inode)
    detail::call_unlink(path.text);
}

// True if nobody listens there any more. A connect says so, and disturbs nobody: a listener that
// lives finds a connection that ends at once, and one of another type none.
bool is_stale(int type, const unix_endpoint& at) noexcept {
  const int probe = detail::call_unix_socket(type);
  if (probe < 0) return false;
  const int result = detail::call_unix_connect(probe, at);
  detail::call_close(probe);
  return result == -ECONNREFUSED;
}

// Of two processes that replace a stale file at the same time one may remove the other's new one:
// so the file is looked at again right before.
int bind_to(int number, int type, const unix_endpoint& at, unlink_policy policy) noexcept {
  int e = detail::call_unix_bind(number, at);
  if (e != -EADDRINUSE || policy != unlink_policy::replace || !at.is_path()) return e;
  const path_of path(at);
  detail::file_identity before{}, now{};
  if (!detail::call_socket_file(path.text, before) || !is_stale(type, at)) return e;
  if (!detail::call_socket_file(path.text, now) || now.inode != before.inode ||
      now.device != before.device)
    return e;
  detail::call_unlink(path.text);
  return detail::call_unix_bind(number, at);
}

template <class Connection>
constexpr int type_of = std::is_same_v<Connection, unix_stream> ? SOCK_STREAM : SOCK_SEQPACKET;

}  // namespace

template <class Connection>
unix_acceptor<Connection>::unix_acceptor(const unix_endpoint& at,
                                         const unix_listen_options& options) {
  const int number = detail::call_unix_socket(type_of<Connection>);
  int result = number;
  detail::file_identity file{};
  bool removes = false;
  try {
    if (result >= 0) result = bind_to(number, type_of<Connection>, at, options.unlink);
    if (result >= 0 && options.unlink != unlink_policy::keep && at.is_path())
      removes = detail::call_socket_file(path_of(at).text, file);
    if (result >= 0) result = detail::call_listen_only(number, options.backlog);
    if (result < 0) {
      const std::error_code ec(-result, std::generic_category());
      throw std::system_error(
          ec, "weft: listen at " + detail::one_line(at.to_string()) + detail::remedy_for(ec));
    }
    *this = unix_acceptor(detail::make_descriptor(number));
  } catch (...) {
    if (removes) remove_socket(at, file.device, file.inode);
    if (number >= 0) detail::call_close(number);
    throw;
  }
  if (!removes) return;
  file_ = at;
  device_ = file.device;
  inode_ = file.inode;
}

template <class Connection>
unix_acceptor<Connection>::unix_acceptor(unix_acceptor&& other) noexcept
    : socket(static_cast<socket&&>(other)),  // only that part
      file_(std::exchange(other.file_, {})),
      device_(other.device_),
      inode_(other.inode_) {}
template <class Connection>
unix_acceptor<Connection>& unix_acceptor<Connection>::operator=(unix_acceptor&& other) noexcept {
  if (this == &other) return *this;
  remove_file();
  socket::operator=(static_cast<socket&&>(other));
  file_ = std::exchange(other.file_, {});
  device_ = other.device_;
  inode_ = other.inode_;
  return *this;
}

template <class Connection>
detail::poll_descriptor& unix_acceptor<Connection>::adopted(int native_handle) {
  int e = detail::call_unix_listens(native_handle);
  if (e == 0) e = detail::call_prepare_unix(native_handle, type_of<Connection>);
  if (e < 0)
    throw std::system_error(-e, std::generic_category(),
                            "weft: adopting descriptor " + std::to_string(native_handle) +
                                (type_of<Connection> == SOCK_STREAM
                                     ? " (expected a Unix stream socket that listens)"
                                     : " (expected a Unix seqpacket socket that listens)"));
  return detail::make_adopted(native_handle);
}

// The name is taken away from it: so its file is a file of that listener's only.
template <class Connection>
void unix_acceptor<Connection>::remove_file() noexcept {
  if (!file_.is_path()) return;
  remove_socket(file_, device_, inode_);
  file_ = {};
}
template <class Connection>
void unix_acceptor<Connection>::close() noexcept {
  remove_file();
  socket::close();
}
template <class Connection>
int unix_acceptor<Connection>::release() noexcept {
  file_ = {};
  return socket::release();
}

template <class Connection>
Connection unix_acceptor<Connection>::accept_within(const detail::wait_limit& l,
                                                    std::error_code& ec,
                                                    unix_endpoint* peer) noexcept {
  ec.clear();
  detail::yield_before_transfer();
  const detail::descriptor_use use(descriptor());
  if (!use) {
    ec = detail::bad_descriptor();
    return {};
  }
  endpoint none;
  auto* const made = detail::accept_connection(use, l, none, ec);
  if (made == nullptr) return {};
  if (peer != nullptr) {
    int result = 0;  // a peer that is gone already has no name any more
    *peer = detail::unix_name(detail::descriptor_use(made), detail::which_end::remote, result);
  }
  return Connection(*made);
}

template <class Connection>
unix_endpoint unix_acceptor<Connection>::local_endpoint() const {
  int result = 0;
  const auto e =
      detail::unix_name(detail::descriptor_use(descriptor()), detail::which_end::local, result);
  check("asking a listener for its endpoint", result);
  return e;
}

template class unix_acceptor<unix_stream>;
template class unix_acceptor<unix_seqpacket>;

}  // namespace weft::net
