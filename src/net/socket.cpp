// SPDX-License-Identifier: BSL-1.0
// net/socket.cpp - owning, closing, naming; and the texts of what went wrong.
#include <weft/net/socket.hpp>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <string>

#include <sys/socket.h>

#include <weft/net/connect_forms.hpp>
#include <weft/net/error.hpp>
#include <weft/net/unix_endpoint.hpp>

#include "base/one_line.hpp"
#include "net/calls.hpp"
#include "net/datagram_calls.hpp"
#include "net/operation.hpp"

namespace weft::net {
namespace {

class category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "weft.net"; }
  [[nodiscard]] std::string message(int code) const override {
    switch (static_cast<net_errc>(code)) {
      case net_errc::end_of_stream:
        return "The peer ended the stream in the middle of what was to be read";
      case net_errc::host_not_found:
        return "There is no host of that name, or it has no address of that family";
      case net_errc::host_not_found_yet:
        return "The name server did not answer; a later attempt may succeed";
      case net_errc::name_server_failure:
        return "The name server failed";
      case net_errc::service_not_found:
        return "There is no service of that name";
      case net_errc::resolver_busy:
        return "Too many names are being looked up already";
    }
    return "Unknown network error";
  }
};

// Made at compile time: no guard that a fiber could park on.
constinit const category the_category;

}  // namespace

const std::error_category& net_category() noexcept { return the_category; }

}  // namespace weft::net

std::string weft::detail::remedy_for(const std::error_code& why) {
  if (why == std::errc::too_many_files_open)
    return ": this process may have " + std::to_string(descriptor_limit()) +
           " descriptors, raise its limit (`ulimit -n`)";
  if (why == std::errc::too_many_files_open_in_system)
    return ": the system has no descriptor left, raise the sysctl fs.file-max";
  return {};
}

namespace {

std::string name_of(int number, weft::detail::which_end which) {
  weft::detail::native_address a;
  if (weft::detail::call_name(number, which, a) < 0) return {};
  const auto& native = reinterpret_cast<const sockaddr&>(a.storage);
  if (native.sa_family == AF_UNIX) {
    const auto e = weft::net::unix_endpoint::from_native(native, a.size);
    return e.is_unnamed() ? std::string() : weft::detail::one_line(e.to_string());
  }
  if (native.sa_family == AF_INET || native.sa_family == AF_INET6)
    return weft::net::endpoint::from_native(native, a.size).to_string();
  return {};
}

}  // namespace

std::string weft::detail::name_of_local(int number) { return name_of(number, which_end::local); }
std::string weft::detail::name_of_remote(int number) { return name_of(number, which_end::remote); }

namespace weft::net {

bool socket::is_open() const noexcept {
  return static_cast<bool>(detail::descriptor_use(descriptor_));
}

void socket::close() noexcept {
  if (descriptor_ != nullptr) static_cast<void>(detail::close(*descriptor_));
}

int socket::native_handle() const noexcept {
  const detail::descriptor_use use(descriptor_);
  if (!use) return -1;
  use->shown.store(true, std::memory_order_relaxed);
  use->drained_at.store(detail::poll_word::unknown, std::memory_order_relaxed);  // [POLL-4]
  return use.number();
}

int socket::release() noexcept {
  return descriptor_ != nullptr ? detail::release_number(*descriptor_) : -1;
}

endpoint socket::local_endpoint(std::error_code& ec) const noexcept {
  endpoint e;
  const detail::descriptor_use use(descriptor_);
  const int result = use ? detail::call_local(use.number(), e) : 0;
  ec = use ? std::error_code(-result, std::generic_category()) : detail::bad_descriptor();
  return e;
}
endpoint socket::local_endpoint() const {
  std::error_code ec;
  const endpoint e = local_endpoint(ec);
  if (ec) throw std::system_error(ec, "weft: asking a socket for its local endpoint");
  return e;
}

void socket::set_deadlines(bool reads, bool writes, time_point deadline) noexcept {
  if (descriptor_ == nullptr) return;
  const std::int64_t ns = detail::steady_ns(deadline);  // never_ns is no_deadline
  if (reads) descriptor_->read_deadline.store(ns, std::memory_order_relaxed);
  if (writes) descriptor_->write_deadline.store(ns, std::memory_order_relaxed);
}

void socket::fail(const char* operation, std::error_code why) const {
  std::string text = std::string("weft: ") + operation;
  std::string local, remote;
  if (const detail::descriptor_use use(descriptor_); use) {
    local = detail::name_of_local(use.number());
    // What the connection was made with is known after it has broken, too.
    remote =
        use->remote != endpoint{} ? use->remote.to_string() : detail::name_of_remote(use.number());
  }
  if (!remote.empty()) text += " " + remote;
  if (!local.empty()) text += " (local " + local + ")";
  throw std::system_error(why, text + detail::remedy_for(why));
}

void socket::check(const char* operation, int result) const {
  if (result != 0) fail(operation, {-result, std::generic_category()});
}

namespace {
int kernel_size(std::size_t bytes) noexcept {
  return static_cast<int>(std::min<std::size_t>(bytes, std::numeric_limits<int>::max()));
}
}  // namespace

void socket::set_send_buffer(std::size_t bytes) {
  const detail::descriptor_use use(descriptor_);
  check("setting the send buffer of a socket",
        use ? detail::call_set(use.number(), SOL_SOCKET, SO_SNDBUF, kernel_size(bytes)) : -EBADF);
}
void socket::set_receive_buffer(std::size_t bytes) {
  const detail::descriptor_use use(descriptor_);
  check("setting the receive buffer of a socket",
        use ? detail::call_set(use.number(), SOL_SOCKET, SO_RCVBUF, kernel_size(bytes)) : -EBADF);
}

void socket::drop() noexcept {
  if (descriptor_ != nullptr) detail::abandon(*std::exchange(descriptor_, nullptr));
}

}  // namespace weft::net

void weft::detail::fail_to_connect(const std::string& peer, std::error_code why) {
  throw std::system_error(why, "weft: connect to " + one_line(peer) + remedy_for(why));
}
