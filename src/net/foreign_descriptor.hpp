// SPDX-License-Identifier: BSL-1.0
#pragma once
// net/foreign_descriptor.hpp - waiting for descriptors that are no sockets of weft's: pipes,
// eventfds, and sockets that another library reads from. POLL-6; the proof is in README.md.
//
//   a wait     1 seen = edges()
//              2 arm: epoll_ctl, one-shot, for all directions with a waiter that has not been told;
//                each arming has a number
//              3 parks (POLL-1)
//              4 returns if its direction has fired by this arming or a later one; else from 1 on
//   an event   has disarmed it; says which arming fired in which directions, then counts the edge;
//              wakes everybody, in both directions
// Arming is the look: the kernel reports what is there by then, whoever has read how much of it. It
// is the one system call of a wait that parks; there are no events while nobody waits; and it says
// when the number names something else by now.
// Rejected: edge-triggered, and poll(2) before each wait (as many calls; events that nobody waits
// for wake a sleeping worker; a number that was closed and used again goes unnoticed), a duplicate
// for each record (the peer does not see the close; twice the descriptors), one record per number
// (closing an object must end its own waits only).

#include <cstdint>
#include <system_error>

#include "net/poll_descriptor.hpp"

namespace weft::detail {

/// Waits until `d`, a foreign one, is ready in that direction: the call would not block, as poll(2)
/// has it. The caller holds a use. Errors: timed_out; operation_canceled: the token, a stop request
/// to the fiber, or a close; what epoll_ctl and dup say. Throws: std::bad_alloc, std::system_error,
/// if a plain thread cannot have a record or the default runtime.
[[nodiscard]] std::error_code wait_until_ready(poll_descriptor& d, direction dir, park_reason why,
                                               const wait_limit& limit);

/// One wait, as the record knows it. For those who park by themselves (a select).
class foreign_wait {
 public:
  /// Arms it. Throws as wait_until_ready.
  foreign_wait(poll_descriptor& d, direction dir);
  ~foreign_wait();
  foreign_wait(const foreign_wait&) = delete;
  foreign_wait& operator=(const foreign_wait&) = delete;
  /// True: it was ready, then or later.
  [[nodiscard]] bool has_fired() const noexcept { return d_.foreign.has_fired(dir_, armed_); }
  /// operation_canceled: closed.
  [[nodiscard]] std::error_code error() const noexcept { return error_; }

 private:
  poll_descriptor& d_;
  const direction dir_;
  arming armed_ = 0;
  std::error_code error_;
};

/// The runtime whose poller gets what the caller waits for: the fiber's, or the default one.
[[nodiscard]] scheduler& watching_runtime();
/// The look: poll(2).
[[nodiscard]] bool would_not_block(int number, direction which) noexcept;
/// By a poller, before the edge is counted: the event of that arming.
void note_fired(poll_descriptor& d, std::uint32_t events, arming a) noexcept;

}  // namespace weft::detail
