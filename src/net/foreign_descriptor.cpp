// SPDX-License-Identifier: BSL-1.0
// net/foreign_descriptor.cpp - see foreign_descriptor.hpp.
#include "net/foreign_descriptor.hpp"

#include <cerrno>
#include <mutex>

#include <poll.h>
#include <sys/epoll.h>

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

void count_fired(poll_descriptor& d, std::uint32_t events) noexcept {
  constexpr std::uint32_t both = EPOLLERR | EPOLLHUP;
  // Relaxed: the edge, which is counted afterwards, releases them. [POLL-6]
  if ((events & (EPOLLIN | EPOLLRDHUP | both)) != 0)
    d.fired[static_cast<int>(direction::read)].fetch_add(1, std::memory_order_relaxed);
  if ((events & (EPOLLOUT | both)) != 0)
    d.fired[static_cast<int>(direction::write)].fetch_add(1, std::memory_order_relaxed);
}

foreign_wait::foreign_wait(poll_descriptor& d, direction dir) : d_(d), dir_(dir) {
  scheduler& home = watching_runtime();
  const std::lock_guard guard(d.lock);
  d.waiting[static_cast<int>(dir)].fetch_add(1, std::memory_order_relaxed);
  // Not after its end: a borrowed number is the caller's again.
  error_ = (d.uses.load(std::memory_order_relaxed) & poll_descriptor::closing) != 0
               ? canceled()
               : static_cast<netpoller&>(home.poller()).arm(d, home);
}

foreign_wait::~foreign_wait() {
  d_.waiting[static_cast<int>(dir_)].fetch_sub(1, std::memory_order_relaxed);
  if (d_.duplicate.load(std::memory_order_relaxed) < 0) [[likely]]
    return;
  // Of the waiters that leave at the same time the last one here sees that none is left.
  const std::lock_guard guard(d_.lock);
  if (d_.is_waited_for(direction::read) || d_.is_waited_for(direction::write)) return;
  if (netpoller* const p = d_.owner.load(std::memory_order_relaxed)) p->drop_duplicate(d_);
}

std::error_code wait_until_ready(poll_descriptor& d, direction dir, park_reason why,
                                 const wait_limit& limit) {
  const auto number = [&] { return d.number.load(std::memory_order_relaxed); };
  fiber_record& self = this_agent();
  std::error_code end = over(limit);  // a look, then
  for (;;) {
    if (d.word.is_closed()) return canceled();
    if (end) return would_not_block(number(), dir) && !d.word.is_closed() ? std::error_code{} : end;
    const poll_word::edge_count seen = d.word.edges();  // [POLL-6] before the look
    const std::uint32_t fired = d.fired[static_cast<int>(dir)].load(std::memory_order_relaxed);
    const foreign_wait here(d, dir);
    if (here.error() == std::error_code(EPERM, std::system_category())) return {};  // has no poll
    if (here.error()) return here.error();
    switch (park_for_event(d, dir, seen, why, steady_ns(limit.deadline), limit.stop, self)) {
      case wake_code::timeout:
        end = std::make_error_code(std::errc::timed_out);
        break;
      case wake_code::stop:
        end = canceled();
        break;
      default:
        break;
    }
    if (d.fired[static_cast<int>(dir)].load(std::memory_order_relaxed) != fired &&
        !d.word.is_closed())
      return {};
  }
}

}  // namespace weft::detail
