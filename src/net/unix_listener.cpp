// SPDX-License-Identifier: BSL-1.0
// net/unix_listener.cpp - listening, accepting, and the socket's file.
#include <cerrno>
#include <string>

#include <sys/socket.h>

#include <weft/net/unix.hpp>

#include "net/accept.hpp"
#include "net/calls.hpp"
#include "net/datagram_calls.hpp"
#include "net/operation.hpp"
#include "net/unix_calls.hpp"
#include "sched/park.hpp"

namespace weft::net {
namespace {

const std::string path_of(const unix_endpoint& e) { return std::string(e.name()); }

// Does nobody listen there any more? A connect says so, and disturbs nobody: a listener that lives
// finds a connection that ends at once.
bool is_stale(const unix_endpoint& at) noexcept {
  const int probe = detail::call_unix_socket(SOCK_STREAM);
  if (probe < 0) return false;
  const int result = detail::call_unix_connect(probe, at);
  detail::call_close(probe);
  return result == -ECONNREFUSED;
}

// Of two processes that replace a stale file at the same time one may remove the other's new one:
// so the file is looked at again right before.
int bind_to(int number, const unix_endpoint& at, unlink_policy policy) {
  int e = detail::call_unix_bind(number, at);
  if (e != -EADDRINUSE || policy != unlink_policy::replace || !at.is_path()) return e;
  const std::string path = path_of(at);
  detail::file_identity before{}, now{};
  if (!detail::call_socket_file(path.c_str(), before) || !is_stale(at)) return e;
  if (!detail::call_socket_file(path.c_str(), now) || now.inode != before.inode ||
      now.device != before.device)
    return e;
  detail::call_unlink(path.c_str());
  return detail::call_unix_bind(number, at);
}

}  // namespace

unix_listener::unix_listener(const unix_endpoint& at, const unix_listen_options& options) {
  const int number = detail::call_unix_socket(SOCK_STREAM);
  int result = number;
  try {
    if (result >= 0) result = bind_to(number, at, options.unlink);
    if (result >= 0) result = detail::call_listen_only(number, options.backlog);
    if (result < 0) {
      const std::error_code ec(-result, std::generic_category());
      throw std::system_error(ec, "weft: listen at " + at.to_string() + detail::remedy_for(ec));
    }
    *this = unix_listener(detail::make_descriptor(number));
  } catch (...) {
    if (number >= 0) detail::call_close(number);
    throw;
  }
  if (options.unlink == unlink_policy::keep || !at.is_path()) return;
  detail::file_identity is{};
  if (!detail::call_socket_file(path_of(at).c_str(), is)) return;
  file_ = at;
  device_ = is.device;
  inode_ = is.inode;
}

unix_listener::unix_listener(unix_listener&& other) noexcept
    : socket(std::move(other)),
      file_(std::exchange(other.file_, {})),
      device_(other.device_),
      inode_(other.inode_) {}
unix_listener& unix_listener::operator=(unix_listener&& other) noexcept {
  if (this == &other) return *this;
  remove_file();
  socket::operator=(std::move(other));
  file_ = std::exchange(other.file_, {});
  device_ = other.device_;
  inode_ = other.inode_;
  return *this;
}

unix_listener unix_listener::adopt(int native_handle) {
  int e = detail::call_unix_listens(native_handle);
  if (e == 0) e = detail::call_prepare_unix(native_handle, SOCK_STREAM);
  if (e < 0)
    throw std::system_error(-e, std::generic_category(),
                            "weft: adopting descriptor " + std::to_string(native_handle) +
                                " (expected a Unix stream socket that listens)");
  return unix_listener(detail::make_descriptor(native_handle));
}

// The name is taken away from it: so its file is a file of that listener's only.
void unix_listener::remove_file() noexcept {
  if (!file_.is_path()) return;
  char path[unix_endpoint::max_size + 1] = {};
  file_.name().copy(path, unix_endpoint::max_size);
  detail::file_identity is{};
  if (detail::call_socket_file(path, is) && is.device == device_ && is.inode == inode_)
    detail::call_unlink(path);
  file_ = {};
}
void unix_listener::close() noexcept {
  remove_file();
  socket::close();
}
int unix_listener::release() noexcept {
  file_ = {};
  return socket::release();
}

unix_stream unix_listener::accept_within(const detail::wait_limit& l,
                                         std::error_code& ec) noexcept {
  ec.clear();
  detail::yield_if_requested_slow();
  const detail::descriptor_use use(descriptor());
  if (!use) {
    ec = detail::bad_descriptor();
    return {};
  }
  endpoint none;
  const int number = detail::accept_connection(use, l, none, ec);
  if (number < 0) return {};
  auto* const made = detail::make_descriptor_or_close(number, ec);
  return made != nullptr ? unix_stream(*made) : unix_stream();
}
unix_stream unix_listener::accept() {
  std::error_code ec;
  unix_stream s = accept_within({}, ec);
  if (ec) fail("accept", ec);
  return s;
}

unix_endpoint unix_listener::local_endpoint() const {
  const detail::descriptor_use use(descriptor());
  detail::native_address a;
  check("asking a listener for its endpoint",
        use ? detail::call_name(use.number(), detail::which_end::local, a) : -EBADF);
  return unix_endpoint::from_native(reinterpret_cast<const sockaddr&>(a.storage), a.size);
}

}  // namespace weft::net
