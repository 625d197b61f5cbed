// SPDX-License-Identifier: BSL-1.0
// net/io_file.cpp - weft::io::file: the page cache's answer at once, everything else on the offload
// pool. The record counts the calls under way, so that a number is closed by the last of them.
#include <weft/io/file.hpp>

#include <cerrno>
#include <new>

#include <sys/stat.h>

#include <weft/offload.hpp>

#include "base/zero_byte.hpp"
#include "net/file_calls.hpp"
#include "net/message_window.hpp"
#include "net/operation.hpp"
#include "os/errno_guard.hpp"
#include "sched/park.hpp"

namespace weft::io {
namespace {

using detail::descriptor_use;

// Runs it where it may block. A result below 0 is -errno.
template <class Call>
std::int64_t where_it_may_block(Call&& call) noexcept {
  if (detail::this_worker() == nullptr) return call();
  try {
    return weft::offload(call);
  } catch (const std::system_error& e) {
    return -e.code().value();
  } catch (const std::bad_alloc&) {
    return -ENOMEM;
  }
}

std::error_code error_of(std::int64_t result) noexcept {
  if (result >= 0) return {};
  return {static_cast<int>(-result), std::generic_category()};
}

// The number when its turn comes: -1 after a release meanwhile, which is EBADF.
template <class Call>
std::int64_t on_file(detail::poll_descriptor* d, std::error_code& ec, Call&& call) noexcept {
  const descriptor_use use(d);
  if (!use) return ec = detail::bad_descriptor(), 0;
  const std::int64_t result = where_it_may_block([&] { return call(use.number()); });
  ec = error_of(result);
  return result < 0 ? 0 : result;
}

}  // namespace

file file::open(const std::string& path, int flags, unsigned mode, std::error_code& ec) noexcept {
  file f;
  if (detail::has_zero_byte(path)) {
    ec = std::make_error_code(std::errc::invalid_argument);
    return f;
  }
  int number = -1;
  try {
    f.path_ = path;
    number = static_cast<int>(
        where_it_may_block([&] { return detail::call_open(path.c_str(), flags, mode); }));
    ec = error_of(number);
    if (ec) return {};
    f.d_ = &detail::make_descriptor(number, detail::descriptor_kind::owned);
  } catch (const std::bad_alloc&) {
    ec = std::make_error_code(std::errc::not_enough_memory);
  } catch (const std::system_error& e) {
    ec = e.code();
  }
  if (ec && number >= 0) detail::call_close(number);
  return f;
}

file::file(const std::string& path, int flags, unsigned mode) {
  std::error_code ec;
  *this = open(path, flags, mode, ec);
  if (ec)
    throw std::system_error(
        ec, "weft: opening the file " + detail::one_line(path) + detail::remedy_for(ec));
}

file file::adopt(int number) {
  struct stat what{};
  std::error_code ec;
  if (::fstat(number, &what) != 0)
    ec.assign(os::error_number(), std::generic_category());
  else if (!S_ISREG(what.st_mode) && !S_ISBLK(what.st_mode))
    ec = std::make_error_code(std::errc::not_supported);
  if (ec)
    throw std::system_error(ec, "weft::io::file: descriptor " + std::to_string(number) +
                                    " is no regular file or block device");
  file f;
  f.path_ = "descriptor " + std::to_string(number);
  f.d_ = &detail::make_descriptor(number, detail::descriptor_kind::owned);
  return f;
}

bool file::is_open() const noexcept { return static_cast<bool>(descriptor_use(d_)); }
void file::close() noexcept {
  if (d_ != nullptr) static_cast<void>(detail::close(*d_));
}
int file::native_handle() const noexcept {
  const descriptor_use use(d_);
  return use ? use.number() : -1;
}
int file::release() noexcept { return d_ != nullptr ? detail::release_number(*d_) : -1; }
void file::drop() noexcept {
  if (d_ != nullptr) detail::abandon(*std::exchange(d_, nullptr));
}

std::size_t file::read_at(const net::mutable_buffers& to, std::uint64_t offset,
                          std::error_code& ec) const noexcept {
  ec.clear();
  detail::yield_if_requested_slow();
  const descriptor_use use(d_);
  if (!use) return ec = detail::bad_descriptor(), 0;
  const std::size_t all = to.bytes();
  std::size_t done = 0;
  bool cached = true;  // as far as we know
  while (done < all) {
    const detail::message_window part(to, done);
    const auto at = static_cast<std::int64_t>(offset + done);
    std::int64_t n = cached ? detail::call_read_cached(use.number(), part, at) : -EAGAIN;
    if (n < 0) {  // not there, or not known
      cached = false;
      n = where_it_may_block([&] { return detail::call_read_at(use.number(), part, at); });
    }
    ec = error_of(n);
    if (n <= 0) break;  // 0: the end
    done += static_cast<std::size_t>(n);
  }
  return done;
}

std::size_t file::write_at(const net::const_buffers& from, std::uint64_t offset,
                           std::error_code& ec) const noexcept {
  ec.clear();
  detail::yield_if_requested_slow();
  const descriptor_use use(d_);  // over all parts: a close lets the call complete
  if (!use) return ec = detail::bad_descriptor(), 0;
  const std::size_t all = from.bytes();
  std::size_t done = 0;
  while (done < all) {
    const detail::message_window part(from, done);
    const auto at = static_cast<std::int64_t>(offset + done);
    const std::int64_t n =
        where_it_may_block([&] { return detail::call_write_at(use.number(), part, at); });
    ec = error_of(n);
    if (ec) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

std::uint64_t file::size(std::error_code& ec) const noexcept {
  return static_cast<std::uint64_t>(on_file(d_, ec, detail::call_file_size));
}
void file::resize(std::uint64_t size, std::error_code& ec) const noexcept {
  on_file(d_, ec, [&](int n) { return detail::call_resize(n, static_cast<std::int64_t>(size)); });
}
void file::sync(std::error_code& ec) const noexcept { on_file(d_, ec, detail::call_sync); }
void file::sync_data(std::error_code& ec) const noexcept {
  on_file(d_, ec, detail::call_sync_data);
}

std::size_t file::read_at(const net::mutable_buffers& to, std::uint64_t offset) const {
  std::error_code ec;
  const std::size_t n = read_at(to, offset, ec);
  if (ec) fail("reading", ec);
  return n;
}
void file::write_at(const net::const_buffers& from, std::uint64_t offset) const {
  std::error_code ec;
  write_at(from, offset, ec);
  if (ec) fail("writing", ec);
}
std::uint64_t file::size() const {
  std::error_code ec;
  const std::uint64_t n = size(ec);
  if (ec) fail("asking for the size of", ec);
  return n;
}
void file::resize(std::uint64_t bytes) const {
  std::error_code ec;
  resize(bytes, ec);
  if (ec) fail("resizing", ec);
}
void file::sync() const {
  std::error_code ec;
  sync(ec);
  if (ec) fail("syncing", ec);
}
void file::sync_data() const {
  std::error_code ec;
  sync_data(ec);
  if (ec) fail("syncing", ec);
}

void file::fail(const char* what, std::error_code why) const {
  throw std::system_error(why,
                          std::string("weft: ") + what + " the file " + detail::one_line(path_));
}

}  // namespace weft::io
