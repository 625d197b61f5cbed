// SPDX-License-Identifier: BSL-1.0
#pragma once
// net/readiness.hpp - a descriptor as one of the things a select waits for.
//
// Ready: the call would not block. So the end of a stream, an error, a closed socket and a number
// that names no descriptor are ready, too, and the call says which. What epoll refuses (regular
// files, directories) poll(2) always calls ready, so it never gets as far as a wait.
//   the look   poll(2) without waiting: the level
//   the wait   POLL-1, the look being its system call; a wake means: look again
//   an object  - a socket, an io::descriptor - waits in its own record, beside its operations
//   a number   gets a record for the time of the wait, with a duplicate of it: two selects can
//              watch one number in one epoll, and what the caller closes meanwhile cannot be
//              mistaken for what gets that number next
// Rejected: keeping a number's record in the case (the duplicate would keep a pipe's other end from
// seeing its end).

#include <cstdint>
#include <optional>

#include "net/foreign_descriptor.hpp"
#include "net/poll_descriptor.hpp"

namespace weft::detail {

/// Null and -1: never opened, or moved from.
struct readiness_source {
  poll_descriptor* socket;
  int number;  // if it is no socket object
  direction which;
};

/// The look. `seen`: the events counted before it, of a socket.
[[nodiscard]] bool is_ready(const readiness_source& s, poll_word::edge_count& seen) noexcept;

/// One wait, on the waiter's stack or in its heap. The destructor takes back what is left of it.
class readiness_wait {
 public:
  readiness_wait() noexcept = default;
  readiness_wait(const readiness_wait&) = delete;
  readiness_wait& operator=(const readiness_wait&) = delete;
  ~readiness_wait();

  /// Before the park: from here on a poller counts the events - of the caller's runtime; for a
  /// plain thread, of the default one. Throws std::system_error: what dup and epoll_ctl say, with
  /// the limit to raise.
  void prepare(const readiness_source& s, poll_word::edge_count seen);
  /// After begin_park. False: look again.
  [[nodiscard]] bool arm(ticket t) noexcept;

 private:
  void must_be_watched(std::error_code why, int number);

  enum class place : std::uint8_t { none, slot, extra_waiters };
  std::optional<descriptor_use> use_;
  std::optional<foreign_wait> foreign_;
  poll_descriptor* own_ = nullptr;  // made for a number
  direction which_ = direction::read;
  place at_ = place::none;
  poll_word::edge_count seen_ = 0;
  ticket ticket_;
  extra_waiter extra_waiting_;
};

}  // namespace weft::detail
