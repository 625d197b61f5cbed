// SPDX-License-Identifier: BSL-1.0
// net/tcp_stream.cpp - the system call first, always; the wait only if it would block.
#include <algorithm>
#include <cerrno>
#include <string>

#include <sys/socket.h>

#include <weft/net/tcp.hpp>

#include "net/calls.hpp"
#include "net/poll_descriptor.hpp"
#include "sched/park.hpp"

namespace weft::net {
namespace {

using detail::descriptor_use;
using detail::direction;
using detail::park_reason;
using detail::poll_word;

std::error_code closed() noexcept { return std::make_error_code(std::errc::bad_file_descriptor); }

// What the kernel says of a socket that another fiber has just shut down is no news.
std::error_code failure(const descriptor_use& use, ssize_t result) noexcept {
  if (use.closing()) return std::make_error_code(std::errc::operation_canceled);
  return {static_cast<int>(-result), std::generic_category()};
}

bool would_block(ssize_t result) noexcept { return result == -EAGAIN; }

}  // namespace

tcp_stream::tcp_stream(const endpoint& peer, time_point deadline)
    : tcp_stream(connect(peer, deadline)) {}

tcp_stream tcp_stream::connect(const endpoint& peer, time_point deadline,
                               std::error_code& ec) noexcept {
  const int number = detail::call_socket(peer);
  if (number < 0) {
    ec.assign(-number, std::generic_category());
    return {};
  }
  tcp_stream s;
  try {
    s = tcp_stream(detail::make_descriptor(number));
  } catch (const std::system_error& e) {
    detail::call_close(number);
    ec = e.code();
    return {};
  }
  s.descriptor()->remote = peer;
  s.descriptor()->short_read_proves = true;
  s.set_write_deadline(deadline);
  {
    const descriptor_use use(s.descriptor());
    for (;;) {
      const poll_word::edge_count seen = use->word.edges();
      // Asked again, the kernel says how far it is: done, already done, not yet, or why not.
      const int result = detail::call_connect(number, peer);
      if (result == 0 || result == -EISCONN) break;
      ec.assign(-result, std::generic_category());
      if (result != -EINPROGRESS && result != -EALREADY) return {};
      ec = detail::wait_for_event(*use, direction::write, seen, park_reason::io_connect,
                                  use->deadline(direction::write));
      if (ec) return {};
    }
  }
  s.set_write_deadline(no_deadline);
  static_cast<void>(detail::call_no_delay(number, true));  // a preference: never worth failing for
  ec.clear();
  return s;
}

tcp_stream tcp_stream::connect(const endpoint& peer, time_point deadline) {
  std::error_code ec;
  tcp_stream s = connect(peer, deadline, ec);
  if (!ec) return s;
  std::string text = "weft: connect to " + peer.to_string();
  if (ec == std::errc::too_many_files_open)
    text += ": this process may have " + std::to_string(detail::descriptor_limit()) +
            " descriptors, raise its limit (`ulimit -n`)";
  throw std::system_error(ec, text);
}

tcp_stream tcp_stream::adopt(int native_handle) {
  if (const int error = detail::call_prepare(native_handle); error < 0)
    throw std::system_error(-error, std::generic_category(),
                            "weft: adopting descriptor " + std::to_string(native_handle) +
                                " (expected a connected stream socket)");
  tcp_stream s(detail::make_descriptor(native_handle));
  static_cast<void>(detail::call_remote(native_handle, s.descriptor()->remote));
  s.descriptor()->short_read_proves = detail::call_is_plain_tcp(native_handle);
  return s;
}

std::size_t tcp_stream::read_some(std::span<std::byte> buffer, std::error_code& ec) noexcept {
  ec.clear();
  detail::yield_if_requested_slow();
  const descriptor_use use(descriptor());
  if (!use) return ec = closed(), 0;
  if (buffer.empty()) return 0;
  std::error_code ended;  // why there will be no more waiting
  for (;;) {
    const poll_word::edge_count seen = use->word.edges();
    // [POLL-4] A read before came back short, and no event has come since: nothing is there.
    const bool known_empty = use->drained_at.load(std::memory_order_relaxed) == seen;
    if (!known_empty) {
      const ssize_t n = detail::call_recv(use.number(), buffer.data(), buffer.size());
      if (n > 0) {
        const auto got = static_cast<std::size_t>(n);
        const bool drained =
            got < buffer.size() && poll_word::regular(seen) && use->short_read_proves;
        use->drained_at.store(drained ? seen : poll_word::unknown, std::memory_order_relaxed);
        return got;
      }
      if (n == 0 && !use.closing()) return 0;
      if (!would_block(n)) return ec = failure(use, n), 0;
      if (ended) return ec = ended, 0;
    }
    const std::error_code why = detail::wait_for_event(
        *use, direction::read, seen, park_reason::io_read, use->deadline(direction::read));
    if (why && !known_empty) return ec = why, 0;
    // What has come may be on its way through the poller still: a look before giving up.
    ended = why;
    use->drained_at.store(poll_word::unknown, std::memory_order_relaxed);
  }
}

std::size_t tcp_stream::write_some(std::span<const std::byte> data, std::error_code& ec) noexcept {
  ec.clear();
  detail::yield_if_requested_slow();
  const descriptor_use use(descriptor());
  if (!use) return ec = closed(), 0;
  if (data.empty()) return 0;
  for (;;) {
    const poll_word::edge_count seen = use->word.edges();
    const ssize_t n = detail::call_send(use.number(), data.data(), data.size());
    if (n >= 0) return static_cast<std::size_t>(n);
    if (!would_block(n)) return ec = failure(use, n), 0;
    ec = detail::wait_for_event(*use, direction::write, seen, park_reason::io_write,
                                use->deadline(direction::write));
    if (ec) return 0;
  }
}

std::size_t tcp_stream::read_exactly(std::span<std::byte> buffer, std::error_code& ec) noexcept {
  ec.clear();
  std::size_t done = 0;
  while (done < buffer.size()) {
    const std::size_t n = read_some(buffer.subspan(done), ec);
    if (ec) break;
    if (n == 0) {
      ec = net_errc::end_of_stream;
      break;
    }
    done += n;
  }
  return done;
}

std::size_t tcp_stream::write_all(std::span<const std::byte> data, std::error_code& ec) noexcept {
  ec.clear();
  std::size_t done = 0;
  while (done < data.size()) {
    done += write_some(data.subspan(done), ec);
    if (ec) break;
  }
  return done;
}

std::size_t tcp_stream::read_some(std::span<std::byte> buffer) {
  std::error_code ec;
  const std::size_t n = read_some(buffer, ec);
  if (ec) [[unlikely]]
    fail("read from", ec);
  return n;
}
void tcp_stream::read_exactly(std::span<std::byte> buffer) {
  std::error_code ec;
  read_exactly(buffer, ec);
  if (ec) [[unlikely]]
    fail("read from", ec);
}
std::size_t tcp_stream::write_some(std::span<const std::byte> data) {
  std::error_code ec;
  const std::size_t n = write_some(data, ec);
  if (ec) [[unlikely]]
    fail("write to", ec);
  return n;
}
void tcp_stream::write_all(std::span<const std::byte> data) {
  std::error_code ec;
  write_all(data, ec);
  if (ec) [[unlikely]]
    fail("write to", ec);
}

void tcp_stream::shutdown(shutdown_side side, std::error_code& ec) noexcept {
  const descriptor_use use(descriptor());
  if (!use) {
    ec = closed();
    return;
  }
  const int native = side == shutdown_side::receive ? SHUT_RD
                     : side == shutdown_side::send  ? SHUT_WR
                                                    : SHUT_RDWR;
  // The kernel announces this end as an event, so a parked reader wakes; drained_at must not hide
  // it before.
  if (side != shutdown_side::send)
    use->drained_at.store(poll_word::unknown, std::memory_order_relaxed);
  const int result = detail::call_shutdown(use.number(), native);
  ec = result < 0 ? failure(use, result) : std::error_code{};
}
void tcp_stream::shutdown(shutdown_side side) {
  std::error_code ec;
  shutdown(side, ec);
  if (ec) fail("shutdown of the connection to", ec);
}

void tcp_stream::set_no_delay(no_delay value) {
  const descriptor_use use(descriptor());
  const int result = use ? detail::call_no_delay(use.number(), value == no_delay::on) : -EBADF;
  if (result < 0) fail("setting no_delay towards", failure(use, result));
}

endpoint tcp_stream::remote_endpoint(std::error_code& ec) const noexcept {
  const descriptor_use use(descriptor());
  ec = use ? std::error_code{} : closed();
  return use ? use->remote : endpoint{};
}
endpoint tcp_stream::remote_endpoint() const {
  std::error_code ec;
  const endpoint e = remote_endpoint(ec);
  if (ec) fail("asking for the remote endpoint", ec);
  return e;
}

}  // namespace weft::net
