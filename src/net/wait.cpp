// SPDX-License-Identifier: BSL-1.0
// net/wait.cpp - an operation whose system call would block, waits: a fiber parks, a plain thread
// polls.
#include <algorithm>
#include <cerrno>
#include <iterator>
#include <stop_token>
#include <utility>

#include <cxxabi.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/lock_guard.hpp"
#include "net/netpoller.hpp"
#include "net/poll_descriptor.hpp"
#include "os/errno_guard.hpp"
#include "os/os.hpp"
#include "sched/hooks.hpp"
#include "sched/park.hpp"
#include "sched/scheduler.hpp"
#include "sched/worker.hpp"

extern "C" void* __dso_handle;

namespace weft::detail {

constinit polling_threads threads_in_poll{};

void poll_wake_event::close(void* mine) noexcept {
  ::close(std::exchange(static_cast<poll_wake_event*>(mine)->after_, 0) - 1);
}
void poll_wake_event::open() noexcept {
  if (after_ > 0) return;
  after_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) + 1;
  if (after_ > 0) abi::__cxa_thread_atexit(&close, this, &__dso_handle);
}
void poll_wake_event::announce() noexcept {
  announced_ = true;
  const std::uint64_t one = 1;
  static_cast<void>(::write(number(), &one, sizeof one));  // cannot be full
}
void poll_wake_event::empty() noexcept {
  if (!std::exchange(announced_, false)) return;
  std::uint64_t count = 0;
  static_cast<void>(::read(number(), &count, sizeof count));
}

namespace {

std::error_code canceled() noexcept { return std::make_error_code(std::errc::operation_canceled); }
std::error_code timed_out() noexcept { return std::make_error_code(std::errc::timed_out); }

// While it lives the calling plain thread is told of a close. Without a descriptor for it the wait
// is cut into pieces.
class told_of_close {
 public:
  explicit told_of_close(const poll_descriptor& d) noexcept {
    mine_.open();
    threads_in_poll.enter(me_, d, mine_);
  }
  ~told_of_close() {
    threads_in_poll.leave(me_);
    mine_.empty();
  }
  told_of_close(const told_of_close&) = delete;
  told_of_close& operator=(const told_of_close&) = delete;
  [[nodiscard]] int number() const noexcept { return mine_.number(); }

 private:
  static thread_local constinit poll_wake_event mine_;
  polling_threads::thread me_;
};
thread_local constinit poll_wake_event told_of_close::mine_;

// A signal, or a deadline not yet reached, is no error: the caller looks again.
std::error_code wait_on_thread(poll_descriptor& d, direction dir,
                               std::int64_t deadline_ns) noexcept {
  constexpr std::int64_t second = 1'000'000'000, piece = 20'000'000;
  const told_of_close told(d);
  // [POLL-7] after it is in the list
  if ((d.uses.load(std::memory_order_seq_cst) & poll_descriptor::closing) != 0) return canceled();
  pollfd p[] = {{d.number.load(std::memory_order_relaxed),
                 static_cast<short>(dir == direction::read ? POLLIN | POLLRDHUP : POLLOUT), 0},
                {told.number(), POLLIN, 0}};  // -1 is left out
  std::int64_t until = deadline_ns;
  if (told.number() < 0) until = std::min(until, os::now_ns() + piece);
  timespec left{};
  const bool limited = until != poll_descriptor::no_deadline;
  if (limited) {
    const std::int64_t ns = std::max<std::int64_t>(until - os::now_ns(), 0);
    left = {ns / second, ns % second};
  }
  // RLIMIT_NOFILE limits what poll(2) takes, too.
  const int n = ::ppoll(p, told.number() < 0 ? 1 : 2, limited ? &left : nullptr, nullptr);
  if (n == 0 && os::now_ns() >= deadline_ns) return timed_out();
  if (n >= 0) return {};
  const int error = os::error_number();
  if (error != EINTR) return {error, std::system_category()};
  return {};
}

wake_code undo_park(fiber_record& self) noexcept {
  return cancel_park(self) ? wake_code::ready : self.word.code();
}

// The stop callback may run here and now. Its end is waited for, if it runs elsewhere.
wake_code park(fiber_record& self, ticket t, std::int64_t deadline_ns,
               const std::stop_token* stop) noexcept {
  if (stop == nullptr) return finish_park(self, deadline_ns);
  const std::stop_callback callback(*stop,
                                    [t]() noexcept { wake_from_callback(t, wake_code::stop); });
  return finish_park(self, deadline_ns);
}

wake_code wait_as_extra(poll_descriptor& d, poll_word::edge_count seen, ticket t,
                        fiber_record& self, std::int64_t deadline_ns,
                        const std::stop_token* stop) noexcept {
  extra_waiter me;
  me.who = t;
  {
    const base::lock_guard guard(d.lock);
    d.extra_waiters.push_back(me);
  }
  const wait_offer offer = d.word.join_extra_waiters(seen);
  const wake_code code =
      offer == wait_offer::accepted ? park(self, t, deadline_ns, stop) : undo_park(self);
  d.word.leave_extra_waiters();
  const base::lock_guard guard(d.lock);
  if (me.linked()) me.unlink();
  return code;
}

// A plain thread needs a record of its own, and the default runtime.
struct watched_agent {
  fiber_record* self = nullptr;  // null: there is none, and none can be made
  scheduler* home = nullptr;
};
watched_agent this_watched_agent() noexcept {
  try {
    fiber_record& self = this_agent();
    return {&self, self.has(fiber_record::is_thread) ? &upper.default_scheduler() : self.home};
  } catch (...) {
    return {};
  }
}

std::error_code outcome(const poll_descriptor& d, wake_code code) noexcept {
  if (code == wake_code::timeout) return timed_out();
  if (code == wake_code::stop) return canceled();
  return d.word.is_closed() ? canceled() : std::error_code{};
}

}  // namespace

std::error_code need_poller(poll_descriptor& d, scheduler& home) noexcept {
  std::error_code why;
  poll_descriptor* displaced = nullptr;
  {
    const base::lock_guard guard(d.lock);
    if (d.owner.load(std::memory_order_relaxed) != nullptr) return {};
    // Given away meanwhile: it would never be unregistered.
    if ((d.uses.load(std::memory_order_relaxed) & poll_descriptor::closing) != 0) return canceled();
    auto& poller = static_cast<netpoller&>(home.poller());
    why = poller.add(d, home, displaced);
  }
  // A waiter by what was the foreign record's number looks again, and gets another.
  if (displaced != nullptr) deliver(*displaced, event_kind::regular, true, true, {});
  // A waiter may have parked meanwhile, relying on the owner it saw: it must try itself.
  if (why) deliver(d, event_kind::regular, true, true, {});
  return why;
}

wake_code park_for_event(poll_descriptor& d, direction dir, poll_word::edge_count seen,
                         park_reason why, std::int64_t deadline_ns, const std::stop_token* stop,
                         fiber_record& self) noexcept {
  const ticket t = begin_park(self, why, &d, stoppable::yes);
  switch (d.word.try_wait(dir, t.bits, seen)) {
    case wait_offer::accepted: {
      const wake_code code = park(self, t, deadline_ns, stop);
      if (code != wake_code::ready) d.word.withdraw(dir, t.bits);
      return code;
    }
    case wait_offer::occupied:
      return wait_as_extra(d, seen, t, self, deadline_ns, stop);
    case wait_offer::missed:
    case wait_offer::closed:
      break;
  }
  return undo_park(self);
}

std::error_code wait_for_event(poll_descriptor& d, direction dir, poll_word::edge_count seen,
                               park_reason why, const wait_limit& limit) noexcept {
  const std::int64_t deadline_ns = std::min(d.deadline(dir), steady_ns(limit.deadline));
  if (deadline_ns != poll_descriptor::no_deadline && os::now_ns() >= deadline_ns)
    return timed_out();
  // Nothing but a wake ends a plain thread's wait when a token asks to stop: it parks, too, and a
  // runtime's poller watches for it.
  if (this_worker() == nullptr && limit.stop == nullptr) {
    if (const auto error = wait_on_thread(d, dir, deadline_ns)) return error;
    return d.word.is_closed() ? canceled() : std::error_code{};
  }
  const watched_agent me = this_watched_agent();
  if (me.self == nullptr) return std::make_error_code(std::errc::resource_unavailable_try_again);
  // Acquire: not null means that the kernel knows the socket, or that the thread that registers it
  // just now wakes us if it cannot. An owner that goes away afterwards counts an edge: try_wait
  // sees it. [POLL-1]
  if (d.owner.load(std::memory_order_acquire) == nullptr)
    if (const auto error = need_poller(d, *me.home)) return error;
  return outcome(d, park_for_event(d, dir, seen, why, deadline_ns, limit.stop, *me.self));
}

std::error_code pause_for_event(poll_descriptor& d, direction dir, poll_word::edge_count seen,
                                park_reason why, const wait_limit& limit,
                                std::int64_t pause_ns) noexcept {
  const std::int64_t deadline_ns = std::min(d.deadline(dir), steady_ns(limit.deadline));
  const std::int64_t now = os::now_ns();
  if (now >= deadline_ns) return timed_out();
  const std::int64_t until_ns = std::min(deadline_ns, saturated_sum(now, pause_ns));
  fiber_record* self = nullptr;
  try {
    self = &this_agent();
  } catch (...) {
    return std::make_error_code(std::errc::not_enough_memory);
  }
  const std::error_code end =
      outcome(d, park_for_event(d, dir, seen, why, until_ns, limit.stop, *self));
  return end == std::errc::timed_out && until_ns < deadline_ns ? std::error_code{} : end;
}

}  // namespace weft::detail
