// SPDX-License-Identifier: BSL-1.0
// net/socket.cpp - owning, closing, naming; and the texts of what went wrong.
#include <weft/net/socket.hpp>

#include <string>

#include <weft/net/error.hpp>

#include "net/calls.hpp"
#include "net/poll_descriptor.hpp"

namespace weft::net {
namespace {

class category final : public std::error_category {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "weft.net"; }
  [[nodiscard]] std::string message(int code) const override {
    return code == static_cast<int>(net_errc::end_of_stream)
               ? "The peer ended the stream in the middle of what was to be read"
               : "Unknown network error";
  }
};

// Made at compile time: no guard that a fiber could park on.
constinit const category the_category;

std::error_code closed() noexcept { return std::make_error_code(std::errc::bad_file_descriptor); }

}  // namespace

const std::error_category& net_category() noexcept { return the_category; }

bool socket::is_open() const noexcept {
  return static_cast<bool>(detail::descriptor_use(descriptor_));
}

void socket::close() noexcept {
  if (descriptor_ != nullptr) static_cast<void>(detail::close(*descriptor_));
}

int socket::native_handle() const noexcept {
  const detail::descriptor_use use(descriptor_);
  return use ? use.number() : -1;
}

int socket::release() noexcept {
  return descriptor_ != nullptr ? detail::release_number(*descriptor_) : -1;
}

endpoint socket::local_endpoint(std::error_code& ec) const noexcept {
  endpoint e;
  const detail::descriptor_use use(descriptor_);
  const int result = use ? detail::call_local(use.number(), e) : 0;
  ec = use ? std::error_code(-result, std::generic_category()) : closed();
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
  std::error_code ignored;
  const endpoint local = local_endpoint(ignored);
  if (descriptor_ != nullptr && descriptor_->remote != endpoint{})
    text += " " + descriptor_->remote.to_string();
  if (!ignored) text += " (local " + local.to_string() + ")";
  if (why == std::errc::too_many_files_open)
    text += ": this process may have " + std::to_string(detail::descriptor_limit()) +
            " descriptors, raise its limit (`ulimit -n`)";
  throw std::system_error(why, text);
}

void socket::drop() noexcept {
  if (descriptor_ != nullptr) detail::abandon(*std::exchange(descriptor_, nullptr));
}

}  // namespace weft::net
