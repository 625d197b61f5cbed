// SPDX-License-Identifier: BSL-1.0
// net/io_pipe.cpp - weft::io::pipe_end: the system call first, POLL-6 if it would block.
#include <weft/io/pipe.hpp>

#include <algorithm>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "net/file_calls.hpp"
#include "net/foreign_descriptor.hpp"
#include "net/operation.hpp"
#include "os/errno_guard.hpp"
#include "sched/park.hpp"

namespace weft::io {
namespace {

using detail::direction;
using detail::park_reason;
using detail::poll_descriptor;
using detail::wait_limit;

// As wait_until_ready; the first wait of a plain thread may find no memory.
std::error_code wait_for(poll_descriptor& d, direction dir, const wait_limit& limit) noexcept {
  try {
    return detail::wait_until_ready(
        d, dir, dir == direction::read ? park_reason::io_read : park_reason::io_write, limit);
  } catch (const std::system_error& e) {
    return e.code();
  } catch (...) {
    return std::make_error_code(std::errc::not_enough_memory);
  }
}

template <class Buffers, class Call>
std::size_t transfer(poll_descriptor* d, direction dir, const Buffers& buffers, std::size_t skip,
                     wait_limit limit, descriptor::time_point deadline, std::error_code& ec,
                     Call&& call) noexcept {
  ec.clear();
  detail::yield_before_transfer();
  const detail::descriptor_use use(d);
  if (!use) return ec = detail::bad_descriptor(), 0;
  const detail::message_window window(buffers, skip, detail::step_budget::longest_call);
  if (window.bytes == 0) return 0;
  limit.deadline = std::min(limit.deadline, deadline);
  for (;;) {
    const ssize_t n = call(use.number(), window);
    if (n >= 0) {
      detail::count_transfer(static_cast<std::size_t>(n));
      return static_cast<std::size_t>(n);
    }
    ec = detail::would_block(n) ? wait_for(*use, dir, limit) : detail::failure(use, n);
    if (ec) return 0;
  }
}

}  // namespace

pipe_end pipe_end::adopt(int number) {
  descriptor d = descriptor::adopt(number);
  if (const int error = detail::call_non_blocking(number); error < 0) {
    static_cast<void>(d.release());
    throw std::system_error(-error, std::generic_category(),
                            "weft::io::pipe_end: adopting descriptor " + std::to_string(number));
  }
  return pipe_end(std::move(d));
}

std::size_t pipe_end::read_within(const net::mutable_buffers& to, std::size_t skip,
                                  const wait_limit& l, std::error_code& ec) noexcept {
  return transfer(watched_.native_descriptor(), direction::read, to, skip, l, deadlines_[0], ec,
                  detail::call_readv);
}
std::size_t pipe_end::write_within(const net::const_buffers& from, std::size_t skip,
                                   const wait_limit& l, std::error_code& ec) noexcept {
  return transfer(watched_.native_descriptor(), direction::write, from, skip, l, deadlines_[1], ec,
                  detail::call_writev);
}

void pipe_end::fail(const char* what, std::error_code why) const {
  throw std::system_error(why, std::string("weft: ") + what + " the pipe");
}

pipe_pair make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    const std::error_code why(os::error_number(), std::generic_category());
    throw std::system_error(why, "weft::io: making a pipe" + detail::remedy_for(why));
  }
  pipe_pair p;
  try {
    p.read = pipe_end::adopt(ends[0]);
    ends[0] = -1;
    p.write = pipe_end::adopt(ends[1]);
  } catch (...) {
    if (ends[0] >= 0) detail::call_close(ends[0]);
    detail::call_close(ends[1]);
    throw;
  }
  return p;
}

}  // namespace weft::io
