// SPDX-License-Identifier: BSL-1.0
#pragma once
// net/netpoller.hpp - one epoll per runtime, edge-triggered.
//
//   add:        once per socket, for both directions, when a fiber first has to wait for it
//   arm:        a foreign descriptor's (foreign_descriptor.hpp), by each wait, until the next event
//   poll:       collects events; the waiters are in their descriptors (poll_word.hpp)
//   interrupt:  an eventfd, level-triggered: only a blocking poll consumes it
//
// Rejected: one-shot registrations of sockets (170 ns of epoll_ctl per wait), an epoll per
// processor (an event then waits for its processor, however many are idle).

#include <atomic>
#include <cstdint>
#include <memory>
#include <system_error>

#include "net/number_holders.hpp"
#include "net/poll_descriptor.hpp"
#include "net/poller_core.hpp"
#include "sched/poll_source.hpp"

namespace weft::detail {

class netpoller final : public poll_source {
 public:
  /// Throws std::system_error with a text that names the limit.
  netpoller();
  ~netpoller() override;  // lets go
  netpoller(const netpoller&) = delete;
  netpoller& operator=(const netpoller&) = delete;

  bool poll(std::int64_t deadline_ns, batch& out) noexcept override;
  void interrupt() noexcept override;
  void let_go() noexcept override;
  [[nodiscard]] bool in_use() const noexcept override {
    return registered_.load(std::memory_order_relaxed) != 0;
  }

  /// From now on this poller, which is `mine`'s, brings the events of `d`. After let_go:
  /// operation_canceled; only a straggler can ask then.
  /// `displaced`: a foreign record that had the number; when d.lock is released, deliver() to it.
  std::error_code add(poll_descriptor& d, const scheduler& mine,
                      poll_descriptor*& displaced) noexcept WEFT_REQUIRES(d.lock);
  /// The next event of a foreign `d` in one of its `waiting` directions reaches a poller: the one
  /// it has, or from now on this one, which is `mine`'s.
  std::error_code arm(poll_descriptor& d, const scheduler& mine) noexcept WEFT_REQUIRES(d.lock);
  enum class keep_open : bool { no, yes };
  /// It does not any more. A number about to be closed needs no system call.
  void remove(poll_descriptor& d, keep_open keep) noexcept WEFT_REQUIRES(d.lock);
  /// No waiter for a foreign `d` is left.
  void drop_duplicate(poll_descriptor& d) noexcept WEFT_REQUIRES(d.lock);

  /// Tests: behave as on a kernel without epoll_pwait2 (before 5.11).
  void forbid_nanoseconds() noexcept { nanoseconds_.store(false, std::memory_order_relaxed); }
  /// Writes to the eventfd so far; tests see that interrupts are coalesced.
  [[nodiscard]] std::uint64_t interrupt_writes() const noexcept {
    return interrupt_writes_.load(std::memory_order_relaxed);
  }

 private:
  class unique_number {
   public:
    explicit unique_number(int n) noexcept : n_(n) {}
    ~unique_number();
    unique_number(const unique_number&) = delete;
    unique_number& operator=(const unique_number&) = delete;
    [[nodiscard]] int get() const noexcept { return n_; }

   private:
    int n_;
  };

  // registration.cpp; results: 0 or an errno
  bool take_over(poll_descriptor& d, const scheduler& mine) noexcept WEFT_REQUIRES(d.lock);
  int control(int operation, int number, std::uint32_t events, std::uint64_t tag) noexcept;
  int add_socket(poll_descriptor& d, poll_descriptor*& displaced) noexcept WEFT_REQUIRES(d.lock);
  int arm_number(poll_descriptor& d) noexcept WEFT_REQUIRES(d.lock);
  int arm_duplicate(poll_descriptor& d, std::uint32_t events) noexcept WEFT_REQUIRES(d.lock);
  void let_go_of_number(poll_descriptor& d, keep_open keep) noexcept WEFT_REQUIRES(d.lock);

  int wait(void* events, int room, std::int64_t deadline_ns) noexcept WEFT_REQUIRES(wait_lock_);
  int wait_milliseconds(void* events, int room, std::int64_t nanoseconds) noexcept
      WEFT_REQUIRES(wait_lock_);
  void announce() noexcept;
  void accept_interrupt() noexcept WEFT_REQUIRES(wait_lock_);

  // The eventfd, as interrupts see it.
  struct interrupt_event {
    netpoller& of;
    void announce() noexcept { of.announce(); }
    void empty() noexcept;
  };

  unique_number epoll_;
  unique_number event_;
  number_holders holders_;
  std::atomic<bool> nanoseconds_{true};  // epoll_pwait2 works, as far as we know
  base::futex_lock wait_lock_;           // a blocking poll
  basic_interrupts<base::real_sync, interrupt_event> interrupts_;
  std::atomic<std::uint64_t> interrupt_writes_{0};
  std::atomic<std::uint64_t> registered_{0};
  basic_poller_end<base::real_sync> end_;
  std::atomic<const scheduler*> home_{nullptr};  // the owner of this poller; known at the first add
};

/// Woken fibers of `home` go into `out` (nowhere if that is null, because it has ended), the others
/// onto their own queues.
struct wake_sink {
  const scheduler* home = nullptr;
  poll_source::batch* out = nullptr;
};
/// Counts the event, and wakes its waiters. False: nobody waits, in the other direction neither.
bool deliver(poll_descriptor& d, event_kind kind, bool readable, bool writable,
             wake_sink to) noexcept;

/// Throws std::system_error, too_many_files_open, with a text that names the limit.
[[nodiscard]] std::unique_ptr<poll_source> make_netpoller();

}  // namespace weft::detail
