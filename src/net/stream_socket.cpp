// SPDX-License-Identifier: BSL-1.0
// net/stream_socket.cpp - the system call first, always; the wait only if it would block.
#include <weft/net/stream_socket.hpp>

#include <algorithm>
#include <cerrno>

#include <sys/socket.h>

#include <weft/offload.hpp>

#include "net/calls.hpp"
#include "net/operation.hpp"
#include "sched/park.hpp"
#include "sched/worker.hpp"

namespace weft::net {

using detail::bad_descriptor;
using detail::descriptor_use;
using detail::direction;
using detail::failure;
using detail::park_reason;
using detail::poll_word;
using detail::would_block;

std::size_t stream_socket::read_within(const mutable_buffers& to, std::size_t skip,
                                       const detail::wait_limit& l, std::error_code& ec) noexcept {
  if (ec) ec.clear();
  detail::yield_before_transfer();
  const descriptor_use use(descriptor());
  if (!use) return ec = bad_descriptor(), 0;
  if (to.bytes() == skip) return 0;
  std::error_code ended;  // why there will be no more waiting
  for (;;) {
    const poll_word::edge_count seen = use->word.edges();
    // [POLL-4] A read before came back short, and no event has come since: nothing is there.
    const bool known_empty = use->drained_at.load(std::memory_order_relaxed) == seen;
    if (!known_empty) {
      std::size_t asked = 0;
      ssize_t n = 0;
      if (to.size() == 1) {
        asked = std::min(to.front().size() - skip, detail::step_budget::longest_call);
        n = detail::call_recv(use.number(), static_cast<char*>(to.front().data()) + skip, asked);
      } else {
        n = detail::call_recv_several(use.number(), to, skip, asked);
      }
      if (n > 0) {
        const auto got = static_cast<std::size_t>(n);
        const bool drained = got < asked && poll_word::regular(seen) && use->short_read_proves &&
                             !use->shown.load(std::memory_order_relaxed);
        use->drained_at.store(drained ? seen : poll_word::unknown, std::memory_order_relaxed);
        detail::count_transfer(got);
        return got;
      }
      if (n == 0 && !use.closing()) return 0;
      if (!would_block(n)) return ec = failure(use, n), 0;
      if (ended) return ec = ended, 0;
    }
    const std::error_code why =
        detail::wait_for_event(*use, direction::read, seen, park_reason::io_read, l);
    if (why && !known_empty) return ec = why, 0;
    // What has come may be on its way through the poller still: a look before giving up.
    ended = why;
    // They come while the kernel works; what follows the call needs them.
    __builtin_prefetch(this);
    __builtin_prefetch(to.front().data(), 1);
    use->drained_at.store(poll_word::unknown, std::memory_order_relaxed);
  }
}

std::size_t stream_socket::write_within(const const_buffers& from, std::size_t skip,
                                        const detail::wait_limit& l, std::error_code& ec) noexcept {
  if (ec) ec.clear();
  detail::yield_before_transfer();
  const descriptor_use use(descriptor());
  if (!use) return ec = bad_descriptor(), 0;
  if (from.bytes() == skip) return 0;
  for (;;) {
    const poll_word::edge_count seen = use->word.edges();
    const ssize_t n =
        from.size() == 1
            ? detail::call_send(
                  use.number(), static_cast<const char*>(from.front().data()) + skip,
                  std::min(from.front().size() - skip, detail::step_budget::longest_call))
            : detail::call_send_several(use.number(), from, skip);
    if (n >= 0) {
      detail::count_transfer(static_cast<std::size_t>(n));
      return static_cast<std::size_t>(n);
    }
    if (!would_block(n)) return ec = failure(use, n), 0;
    ec = detail::wait_for_event(*use, direction::write, seen, park_reason::io_write, l);
    if (ec) return 0;
  }
}

namespace {

// A thread that waits for the disk holds a processor until the monitor takes it away: what is not
// in memory is read, and sent, by a thread of the pool. A pool that gives none (its runtime ends)
// leaves it to this one. The socket's number is asked for when its turn comes: a release meanwhile
// has given it away.
ssize_t send_chunk(const descriptor_use& use, int file, std::uint64_t& offset,
                   std::size_t count) noexcept {
  const auto send = [&] { return detail::call_send_file(use.number(), file, offset, count); };
  const bool cached =
      detail::call_is_cached(file, offset) && detail::call_is_cached(file, offset + count - 1);
  if (cached || detail::this_worker() == nullptr) return send();
  try {
    return offload(send);
  } catch (...) {
    return send();
  }
}

}  // namespace

std::size_t stream_socket::send_file_within(int file, std::uint64_t offset, std::size_t count,
                                            const detail::wait_limit& l,
                                            std::error_code& ec) noexcept {
  // what one look at the page cache stands for
  constexpr std::size_t chunk = detail::step_budget::longest_call;
  ec.clear();
  const descriptor_use use(descriptor());
  if (!use) return ec = bad_descriptor(), 0;
  std::size_t done = 0;
  while (done < count) {
    detail::yield_before_transfer();
    if (use.closing()) return ec = failure(use, 0), done;
    const poll_word::edge_count seen = use->word.edges();
    const ssize_t n = send_chunk(use, file, offset, std::min(count - done, chunk));
    if (n == 0) break;  // the file's end
    if (n > 0) {
      done += static_cast<std::size_t>(n);
      detail::count_transfer(static_cast<std::size_t>(n));
    } else if (!would_block(n)) {
      return ec = failure(use, n), done;
    } else {
      ec = detail::wait_for_event(*use, direction::write, seen, park_reason::io_write, l);
      if (ec) return done;
    }
  }
  return done;
}
std::size_t stream_socket::checked_send_file(int file, std::uint64_t offset, std::size_t count,
                                             const detail::wait_limit& l) {
  std::error_code ec;
  const std::size_t n = send_file_within(file, offset, count, l, ec);
  if (ec) fail("send a file to", ec);
  return n;
}

void stream_socket::shutdown(shutdown_side side, std::error_code& ec) noexcept {
  const descriptor_use use(descriptor());
  if (!use) {
    ec = bad_descriptor();
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
void stream_socket::shutdown(shutdown_side side) {
  std::error_code ec;
  shutdown(side, ec);
  if (ec) fail("shutdown of the connection to", ec);
}

}  // namespace weft::net
