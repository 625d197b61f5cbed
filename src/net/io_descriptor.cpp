// SPDX-License-Identifier: BSL-1.0
// net/io_descriptor.cpp - weft::io::descriptor over its record.
#include <weft/io/descriptor.hpp>

#include <cerrno>
#include <new>
#include <string>

#include <sys/stat.h>

#include "net/calls.hpp"
#include "net/foreign_descriptor.hpp"
#include "os/errno_guard.hpp"
#include "sched/park.hpp"

namespace weft::io {
namespace {

using detail::descriptor_kind;
using detail::descriptor_use;
using detail::direction;
using detail::park_reason;

[[noreturn]] void refuse(std::error_code why, const std::string& text) {
  throw std::system_error(why, "weft::io::descriptor: " + text);
}

detail::poll_descriptor& watch(int number, descriptor_kind kind) {
  struct stat what{};
  if (::fstat(number, &what) != 0)
    refuse({os::error_number(), std::generic_category()},
           "there is no descriptor " + std::to_string(number));
  if (S_ISREG(what.st_mode) || S_ISDIR(what.st_mode))
    refuse(std::make_error_code(std::errc::not_supported),
           "descriptor " + std::to_string(number) +
               (S_ISREG(what.st_mode) ? " is a regular file" : " is a directory") +
               ", which is always ready: use weft::io::file, or weft::offload");
  return detail::make_descriptor(number, kind);
}

}  // namespace

descriptor descriptor::adopt(int number) {
  return descriptor(watch(number, descriptor_kind::owned));
}
descriptor descriptor::borrow(int number) {
  return descriptor(watch(number, descriptor_kind::borrowed));
}

bool descriptor::is_open() const noexcept { return static_cast<bool>(descriptor_use(d_)); }

void descriptor::close() noexcept {
  if (d_ != nullptr) static_cast<void>(detail::close(*d_));
}
int descriptor::release() noexcept { return d_ != nullptr ? detail::release_number(*d_) : -1; }

int descriptor::native_handle() const noexcept {
  const descriptor_use use(d_);
  return use ? use.number() : -1;
}

void descriptor::drop() noexcept {
  if (d_ != nullptr) detail::abandon(*std::exchange(d_, nullptr));
}

std::error_code descriptor::try_wait(readiness what,
                                     const detail::wait_limit& limit) const noexcept {
  detail::yield_if_requested_slow();
  const descriptor_use use(d_);
  if (!use) return std::make_error_code(std::errc::bad_file_descriptor);
  const bool read = what == readiness::readable;
  try {
    return detail::wait_until_ready(*use, read ? direction::read : direction::write,
                                    read ? park_reason::io_read : park_reason::io_write, limit);
  } catch (const std::bad_alloc&) {  // both of a plain thread's first steps
    return std::make_error_code(std::errc::not_enough_memory);
  } catch (const std::system_error& e) {
    return e.code();
  }
}

bool descriptor::must_wait(readiness what, const detail::wait_limit& limit) const {
  const std::error_code why = try_wait(what, limit);
  if (!why) [[likely]]
    return true;
  if (why == std::errc::timed_out) return false;
  if (why == std::errc::operation_canceled && limit.stop != nullptr && is_open()) return false;
  std::string text = "waiting until descriptor " + std::to_string(native_handle()) + " is " +
                     (what == readiness::readable ? "readable" : "writable");
  if (why == std::errc::too_many_files_open)
    text += ": a duplicate of it is needed, and this process may have " +
            std::to_string(detail::descriptor_limit()) +
            " descriptors, raise its limit (`ulimit -n`)";
  else if (why == std::errc::no_space_on_device)
    text += ": the user's limit of watches is reached, raise the sysctl fs.epoll.max_user_watches";
  refuse(why, text);
}

}  // namespace weft::io
