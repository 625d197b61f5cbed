// SPDX-License-Identifier: BSL-1.0
#pragma once
// net/poll_descriptor.hpp - what weft knows of one socket. A socket object is a pointer to this.
//
//   the operations inside   `uses` counts them, the parked ones too. close() forbids new ones and
//                           wakes the parked ones; the last one out closes the descriptor. So a
//                           number that the kernel has given out again is never read from.
//   the waiters             see poll_word.hpp
//   the poller              that of the runtime of the first fiber that had to wait; none before.
//                           A runtime that ends sets its sockets free, and the next wait finds
//                           them another poller.
//
// Records are never unmapped, only used again: at worst a late event wakes a waiter for nothing.
// Those that a burst leaves idle lose their pages (fiber/record_trim.hpp).
// Rejected: registering at birth (a short connection never waits: two system calls for nothing), a
// reference count in the heap (an allocation per connection).

#include <atomic>
#include <cstdint>
#include <system_error>

#include <weft/detail/deadline.hpp>
#include <weft/detail/waiting.hpp>
#include <weft/net/endpoint.hpp>

#include "base/cache_line.hpp"
#include "base/futex_lock.hpp"
#include "base/intrusive_list.hpp"
#include "fiber/record.hpp"
#include "net/foreign_core.hpp"
#include "net/poll_word.hpp"
#include "net/polling_threads.hpp"
#include "trace/reason.hpp"

namespace weft::detail {

class netpoller;
class scheduler;
struct poll_descriptor;

/// An eventfd of a plain thread, made when it first waits, closed with the thread. No object with a
/// destructor: that of another thread-local may wait once more, and then it is made again.
class poll_wake_event {
 public:
  constexpr poll_wake_event() noexcept = default;
  poll_wake_event(const poll_wake_event&) = delete;
  poll_wake_event& operator=(const poll_wake_event&) = delete;
  void open() noexcept;
  // Under the list's lock; and when out of the list.
  void announce() noexcept;
  void empty() noexcept;
  [[nodiscard]] int number() const noexcept { return after_ - 1; }  // -1: there was none to be had

 private:
  static void close(void* mine) noexcept;
  // One more than the number. weft's thread-locals begin as zeroes: with a first one that did not,
  // code of a weft in a plugin read another one's byte.
  int after_ = 0;
  bool announced_ = false;
};
using polling_threads =
    basic_polling_threads<base::real_sync, base::futex_lock, poll_descriptor, poll_wake_event>;
extern constinit polling_threads threads_in_poll;

// On the waiter's stack, in `extra_waiters` while it waits there.
struct extra_waiter : base::list_hook<> {
  ticket who;
};

// What the number is, and so how it is registered and what happens to it in the end.
//   socket    weft's: closed in the end; registered once, edge-triggered
//   owned     any other, closed in the end; registered once, armed by each wait
//   borrowed  the same, given back unclosed                     (foreign_descriptor.hpp)
enum class descriptor_kind : std::uint8_t { socket, owned, borrowed };

struct alignas(base::cache_line) poll_descriptor {
  static constexpr std::int64_t no_deadline = never_ns;
  static constexpr std::uint32_t closing = 1u << 31;    // in uses: close() was called
  static constexpr std::uint32_t abandoned = 1u << 30;  // in uses: the socket object is gone
  static constexpr std::uint32_t count_mask = abandoned - 1;

  // -- the operations, and the poller
  poll_word word;
  std::atomic<std::uint32_t> uses{0};
  std::atomic<std::int32_t> number{-1};    // the kernel's; the last one out exchanges it for -1
  std::atomic<netpoller*> owner{nullptr};  // null: not registered; written under `lock`
  // The count of edges before a read that came back short: while it stands there is nothing to
  // read.
  std::atomic<std::uint32_t> drained_at{poll_word::unknown};
  // True if a read ends short only if nothing is left [POLL-4]. Written before the socket object is
  // made.
  bool short_read_proves = false;
  std::atomic<descriptor_kind> kind{descriptor_kind::socket};  // constant in a life
  // How long the kernel goes on sending to a peer that acknowledges nothing, after the close; 0: as
  // long as it likes.
  std::atomic<std::uint16_t> linger_seconds{0};
  // Somebody has asked for the number. If he made another one of it, for another process perhaps,
  // the kernel keeps the registration beyond our close, and wakes us for his traffic.
  std::atomic<bool> shown{false};
  // The same of a socket that somebody else has made. POLL-4 goes on.
  std::atomic<bool> adopted{false};
  // Distinguishes late events. Each life has the next; of a foreign record, each arming [POLL-6].
  // Written by begin_generation.
  std::atomic<arming> generation{1};
  // -- rarely
  std::atomic<std::int64_t> read_deadline{no_deadline};
  std::atomic<std::int64_t> write_deadline{no_deadline};
  base::ranked_futex_lock<base::lock_rank::netpoller> lock;
  std::uint32_t index = 0;  // constant
  base::intrusive_list<extra_waiter> extra_waiters WEFT_GUARDED_BY(lock);
  poll_descriptor* link = nullptr;  // free list
  net::endpoint remote;             // written before the socket object is made
  // -- of foreign ones [POLL-6]
  basic_foreign_counts<> foreign;
  std::atomic<std::int32_t> duplicate{-1};  // what is registered in place of `number`; under lock

  /// What the kernel keeps with a registration: 32 bits of each.
  [[nodiscard]] std::uint64_t tag() const noexcept {
    return generation.load(std::memory_order_relaxed) << 32 | index;
  }
  /// By the life's owner, or under lock. No tag has 0, which is what dropped memory reads as.
  void begin_generation() noexcept {
    const arming next = generation.load(std::memory_order_relaxed) + 1;
    const bool has_tag = static_cast<std::uint32_t>(next) != 0;
    generation.store(has_tag ? next : next + 1, std::memory_order_relaxed);
  }
  [[nodiscard]] bool is_foreign() const noexcept {
    return kind.load(std::memory_order_relaxed) != descriptor_kind::socket;
  }
  [[nodiscard]] std::int64_t deadline(direction d) const noexcept {
    return (d == direction::read ? read_deadline : write_deadline).load(std::memory_order_relaxed);
  }
};

/// A record for an open descriptor; a socket's is non-blocking. Throws std::system_error,
/// not_enough_memory.
[[nodiscard]] poll_descriptor& make_descriptor(int number,
                                               descriptor_kind kind = descriptor_kind::socket);
/// The same for a socket that somebody else has made, and may have by other numbers, too.
[[nodiscard]] poll_descriptor& make_adopted(int number);
/// The same for what a system call returned: -errno, or a number, which is closed if there is no
/// memory. Null: `ec` says why.
[[nodiscard]] poll_descriptor* make_descriptor_or_close(int number, std::error_code& ec) noexcept;
/// A record for a number that is not there yet.
class spare_descriptor {
 public:
  spare_descriptor() noexcept = default;
  ~spare_descriptor();
  spare_descriptor(const spare_descriptor&) = delete;
  spare_descriptor& operator=(const spare_descriptor&) = delete;
  /// False: there is no memory.
  [[nodiscard]] bool obtain() noexcept;
  /// Of a socket, after obtain().
  [[nodiscard]] poll_descriptor& make(int number) noexcept;

 private:
  poll_descriptor* d_ = nullptr;
};
/// The socket object releases it, and closes it if that has not happened.
void abandon(poll_descriptor& d) noexcept;
/// New operations fail; those under way end with operation_canceled. False: it was closed already.
/// A borrowed number is the caller's again when this returns.
bool close(poll_descriptor& d) noexcept;
/// Gives the number back unclosed, and closes the record; -1 if it was closed already. Operations
/// under way end as with close.
int release_number(poll_descriptor& d) noexcept;

/// Null if that index was never in use.
[[nodiscard]] poll_descriptor* descriptor_at(std::uint32_t index) noexcept;
[[nodiscard]] std::uint32_t descriptor_count() noexcept;

/// Leaves a closed descriptor; the last one out closes the number, and frees the record if it is
/// abandoned.
[[gnu::cold, gnu::noinline]] void leave_closed(poll_descriptor& d) noexcept;

/// One operation under way.
class descriptor_use {
 public:
  explicit descriptor_use(poll_descriptor* d) noexcept : d_(d) {
    // Acquire: what make_descriptor wrote; the object may have come from another thread in any way.
    if (d_ != nullptr && (d_->uses.fetch_add(1, std::memory_order_acquire) &
                          poll_descriptor::closing) != 0) [[unlikely]] {
      leave();
      d_ = nullptr;
    }
  }
  ~descriptor_use() {
    if (d_ != nullptr) leave();
  }
  descriptor_use(const descriptor_use&) = delete;
  descriptor_use& operator=(const descriptor_use&) = delete;

  /// False: closed, or never open.
  explicit operator bool() const noexcept { return d_ != nullptr; }
  [[nodiscard]] poll_descriptor& operator*() const noexcept { return *d_; }
  [[nodiscard]] poll_descriptor* operator->() const noexcept { return d_; }
  /// It has been closed since.
  [[nodiscard]] bool closing() const noexcept {
    return (d_->uses.load(std::memory_order_acquire) & poll_descriptor::closing) != 0;
  }
  [[nodiscard]] int number() const noexcept { return d_->number.load(std::memory_order_relaxed); }

 private:
  void leave() noexcept {
    std::uint32_t uses = d_->uses.load(std::memory_order_relaxed);
    while ((uses & poll_descriptor::closing) == 0)
      // Release: this operation's last use of the number; acquire in leave_closed.
      if (d_->uses.compare_exchange_weak(uses, uses - 1, std::memory_order_release,
                                         std::memory_order_relaxed))
        return;
    leave_closed(*d_);
  }
  poll_descriptor* d_;
};

/// The events of `d` reach a poller from here on: its own, or if it has none, that of `home`. What
/// epoll_ctl said.
[[nodiscard]] std::error_code need_poller(poll_descriptor& d, scheduler& home) noexcept;

/// The park of a waiter, of either kind, until an event comes after `seen`, the deadline or a stop
/// request. Success promises nothing. `self` is the calling agent's record.
[[nodiscard]] wake_code park_for_event(poll_descriptor& d, direction dir,
                                       poll_word::edge_count seen, park_reason why,
                                       std::int64_t deadline_ns, const std::stop_token* stop,
                                       fiber_record& self) noexcept;

/// Waits until an event came after `seen` was read, at most within `limit` and until the
/// descriptor's own deadline of that direction. The caller holds a use, has found that its system
/// call would block, and tries it again after success, which promises nothing. Errors: timed_out;
/// operation_canceled for a stop request or a close; what epoll_ctl said.
[[nodiscard]] std::error_code wait_for_event(poll_descriptor& d, direction dir,
                                             poll_word::edge_count seen, park_reason why,
                                             const wait_limit& limit) noexcept;
/// The same, at most for `pause_ns`, whose end is no error; and no poller is asked to watch. For
/// calls that may succeed later without an event of the kernel's.
[[nodiscard]] std::error_code pause_for_event(poll_descriptor& d, direction dir,
                                              poll_word::edge_count seen, park_reason why,
                                              const wait_limit& limit,
                                              std::int64_t pause_ns) noexcept;

}  // namespace weft::detail
