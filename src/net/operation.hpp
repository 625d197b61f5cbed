// SPDX-License-Identifier: BSL-1.0
#pragma once
// net/operation.hpp - what every operation on a socket is made of: what its system call said, and
// the texts of what cannot be had.

#include <sys/types.h>
#include <cerrno>
#include <string>
#include <system_error>

#include "net/poll_descriptor.hpp"

namespace weft::detail {

[[nodiscard]] inline std::error_code bad_descriptor() noexcept {
  return std::make_error_code(std::errc::bad_file_descriptor);
}

[[nodiscard]] inline bool would_block(ssize_t result) noexcept { return result == -EAGAIN; }

/// What the kernel says of a socket that another fiber has just closed is no news.
[[nodiscard]] inline std::error_code failure(const descriptor_use& use, ssize_t result) noexcept {
  if (use.closing()) return std::make_error_code(std::errc::operation_canceled);
  return {static_cast<int>(-result), std::generic_category()};
}

/// ": this process may have 1024 descriptors, raise its limit (`ulimit -n`)", and the like; empty
/// for other errors.
[[nodiscard]] std::string remedy_for(const std::error_code& why);

/// The ends of a socket of any family, in a text of one line: "127.0.0.1:80", "/run/app.sock";
/// empty if it has none.
[[nodiscard]] std::string name_of_local(int number);
[[nodiscard]] std::string name_of_remote(int number);

}  // namespace weft::detail
