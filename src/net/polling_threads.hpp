// SPDX-License-Identifier: BSL-1.0
#pragma once
// net/polling_threads.hpp - plain threads in poll(2), and who closes the socket they wait for.
//
//   thread   1 into the list   2 looks whether the socket is closed   3 poll(2): the socket, and an
//            eventfd of its own   4 out of the list
//   closer   1 the socket is closed   2 looks at the list, writes to the eventfds
//
//   POLL-7  a thread that waits in poll(2) ends its wait when its socket is closed: steps 1 and 2
//           of both are seq_cst, so the thread finds it closed, or the closer finds the thread. A
//           thread leaves under the lock: its eventfd is written to before, or not at all.
// Rejected: shutdown(2) on the socket, which ends a poll(2), too, but for every process that has
// the socket: a listener that was passed on, or that systemd keeps, would accept no more.

#include <atomic>
#include <cstdint>

#include "base/lock_guard.hpp"

namespace weft::detail {

template <class Sync, class Lock, class Socket, class Event>
class basic_polling_threads {
 public:
  struct thread {
    const Socket* of = nullptr;
    Event* event = nullptr;
    thread* next = nullptr;
    thread** at = nullptr;  // what points to this one
  };

  constexpr basic_polling_threads() noexcept = default;

  // ---- a thread
  void enter(thread& me, const Socket& of, Event& event) noexcept {
    me.of = &of;
    me.event = &event;
    const base::lock_guard guard(lock_);
    me.next = first_;
    me.at = &first_;
    if (me.next != nullptr) me.next->at = &me.next;
    first_ = &me;
    count_.fetch_add(1, std::memory_order_seq_cst);  // [POLL-7] before it looks
  }
  void leave(thread& me) noexcept {
    const base::lock_guard guard(lock_);
    *me.at = me.next;
    if (me.next != nullptr) me.next->at = me.at;
    count_.fetch_sub(1, std::memory_order_relaxed);
  }

  // ---- after the close
  void tell(const Socket& of) noexcept {
    if (count_.load(std::memory_order_seq_cst) == 0) return;  // [POLL-7] enter
    const base::lock_guard guard(lock_);
    for (const thread* t = first_; t != nullptr; t = t->next)
      if (t->of == &of) t->event->announce();
  }

 private:
  typename Sync::template atomic<std::uint32_t> count_{0};
  Lock lock_{};
  thread* first_ WEFT_GUARDED_BY(lock_) = nullptr;
};

}  // namespace weft::detail
