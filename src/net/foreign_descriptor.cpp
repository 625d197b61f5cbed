// SPDX-License-Identifier: BSL-1.0
// net/foreign_descriptor.cpp - see foreign_descriptor.hpp.
#include "net/foreign_descriptor.hpp"

#include <cerrno>

#include <poll.h>
#include <sys/epoll.h>

#include "base/lock_guard.hpp"
#include "net/netpoller.hpp"
#include "os/os.hpp"
#include "sched/hooks.hpp"
#include "sched/park.hpp"
#include "sched/scheduler.hpp"
#include "sched/worker.hpp"

namespace weft::detail {
namespace {

std::error_code canceled() noexcept { return std::make_error_code(std::errc::operation_canceled); }

// Why it may not wait any longer.
std::error_code over(const wait_limit& limit) noexcept {
  if (limit.stop != nullptr && limit.stop->stop_requested()) return canceled();
  if (limit.deadline != wait_limit::time_point::max() && steady_ns(limit.deadline) <= os::now_ns())
    return std::make_error_code(std::errc::timed_out);
  return {};
}

// What wait_until_fired asks: the calling agent at one record.
struct agent_wait {
  poll_descriptor& d;
  const direction dir;
  const park_reason why;
  const wait_limit& limit;
  fiber_record& self;
  std::error_code end;  // why it may not wait any longer: a look, then

  class armed : foreign_wait {
   public:
    explicit armed(const agent_wait& w) : foreign_wait(w.d, w.dir) {}
    [[nodiscard]] bool failed() const noexcept { return static_cast<bool>(foreign_wait::error()); }
    // What has no poll is ready.
    [[nodiscard]] std::error_code error() const noexcept {
      const std::error_code why = foreign_wait::error();
      return why == std::error_code(EPERM, std::system_category()) ? std::error_code{} : why;
    }
    using foreign_wait::has_fired;
  };

  [[nodiscard]] bool is_closed() const noexcept { return d.word.is_closed(); }
  [[nodiscard]] static std::error_code closed() noexcept { return canceled(); }
  [[nodiscard]] bool is_over() const noexcept { return static_cast<bool>(end); }
  [[nodiscard]] std::error_code last_look() const noexcept {
    const int number = d.number.load(std::memory_order_relaxed);
    return would_not_block(number, dir) && !is_closed() ? std::error_code{} : end;
  }
  [[nodiscard]] poll_word::edge_count edges() const noexcept { return d.word.edges(); }
  void park(poll_word::edge_count seen) noexcept {
    const wake_code code =
        park_for_event(d, dir, seen, why, steady_ns(limit.deadline), limit.stop, self);
    if (code == wake_code::timeout) end = std::make_error_code(std::errc::timed_out);
    if (code == wake_code::stop) end = canceled();
  }
};

}  // namespace

scheduler& watching_runtime() {
  const worker* w = this_worker();
  return w != nullptr ? *w->home : upper.default_scheduler();
}

// POLLERR, POLLHUP and POLLNVAL come unasked.
bool would_not_block(int number, direction which) noexcept {
  pollfd p{number, static_cast<short>(which == direction::read ? POLLIN | POLLRDHUP : POLLOUT), 0};
  return number < 0 || ::poll(&p, 1, 0) > 0;
}

void note_fired(poll_descriptor& d, std::uint32_t events, arming a) noexcept {
  constexpr std::uint32_t both = EPOLLERR | EPOLLHUP;
  if ((events & (EPOLLIN | EPOLLRDHUP | both)) != 0) d.foreign.fire(direction::read, a);
  if ((events & (EPOLLOUT | both)) != 0) d.foreign.fire(direction::write, a);
}

foreign_wait::foreign_wait(poll_descriptor& d, direction dir) : d_(d), dir_(dir) {
  scheduler& home = watching_runtime();
  const base::lock_guard guard(d.lock);
  d.begin_generation();
  armed_ = d.generation.load(std::memory_order_relaxed);  // in the tag, so in the event [POLL-6]
  d.foreign.enter(dir, armed_);
  // Not after its end: a borrowed number is the caller's again.
  error_ = (d.uses.load(std::memory_order_relaxed) & poll_descriptor::closing) != 0
               ? canceled()
               : static_cast<netpoller&>(home.poller()).arm(d, home);
}

foreign_wait::~foreign_wait() {
  d_.foreign.leave(dir_);
  if (d_.duplicate.load(std::memory_order_relaxed) < 0) [[likely]]
    return;
  // Of the waiters that leave at the same time the last one here sees that none is left.
  const base::lock_guard guard(d_.lock);
  if (d_.foreign.is_waited_for(direction::read) || d_.foreign.is_waited_for(direction::write))
    return;
  if (netpoller* const p = d_.owner.load(std::memory_order_relaxed)) p->drop_duplicate(d_);
}

std::error_code wait_until_ready(poll_descriptor& d, direction dir, park_reason why,
                                 const wait_limit& limit) {
  agent_wait w{d, dir, why, limit, this_agent(), over(limit)};
  return wait_until_fired(w);
}

}  // namespace weft::detail
