// SPDX-License-Identifier: BSL-1.0
// net/readiness.cpp - see readiness.hpp.
#include "net/readiness.hpp"

#include <cerrno>
#include <string>
#include <system_error>

#include "base/lock_guard.hpp"
#include "net/calls.hpp"
#include "sched/park.hpp"
#include "sched/scheduler.hpp"
#include "sched/worker.hpp"

namespace weft::detail {
namespace {

[[noreturn]] void refuse(int number, int error) {
  std::string text = "weft::select: watching descriptor " + std::to_string(number);
  if (error == EMFILE)
    text += ": a duplicate of it is needed, and this process may have " +
            std::to_string(descriptor_limit()) + " descriptors, raise its limit (`ulimit -n`)";
  else if (error == ENOSPC)
    text += ": the user's limit of watches is reached, raise the sysctl fs.epoll.max_user_watches";
  throw std::system_error(error, std::generic_category(), text);
}

}  // namespace

bool is_ready(const readiness_source& s, poll_word::edge_count& seen) noexcept {
  if (s.socket == nullptr) return would_not_block(s.number, s.which);
  const descriptor_use use(s.socket);
  if (!use) return true;
  seen = use->word.edges();  // [POLL-1] before the look
  return would_not_block(use.number(), s.which);
}

void readiness_wait::prepare(const readiness_source& s, poll_word::edge_count seen) {
  which_ = s.which;
  poll_descriptor* d = s.socket;
  if (d == nullptr) {
    const int copy = call_duplicate(s.number);
    if (copy == -EBADF) return;  // closed a moment ago: the next look says ready
    if (copy < 0) refuse(s.number, -copy);
    try {
      d = own_ = &make_descriptor(copy);
    } catch (...) {
      call_close(copy);
      throw;
    }
    // The look was before this record was. What came in between is an event all the same: the
    // kernel reports what is there when a descriptor is registered.
    seen = d->word.edges();
  }
  use_.emplace(d);
  if (!*use_) return use_.reset();  // closed: ready
  if (d->is_foreign()) {
    seen_ = d->word.edges();  // [POLL-6] before the look
    foreign_.emplace(*d, which_);
    return must_be_watched(foreign_->error(), use_->number());
  }
  seen_ = seen;
  // Acquire: as in wait_for_event.
  if (d->owner.load(std::memory_order_acquire) != nullptr) return;
  must_be_watched(need_poller(*d, watching_runtime()), own_ != nullptr ? s.number : use_->number());
}

// Closed meanwhile, or what epoll refuses, and poll(2) calls ready: the next look says so.
void readiness_wait::must_be_watched(std::error_code why, int number) {
  if (!why) return;
  if (why != std::errc::operation_canceled && why.value() != EPERM) refuse(number, why.value());
  foreign_.reset();
  use_.reset();
}

bool readiness_wait::arm(ticket t) noexcept {
  if (!use_) return false;
  poll_descriptor& d = **use_;
  ticket_ = t;
  switch (d.word.try_wait(which_, t.bits, seen_)) {
    case wait_offer::accepted:
      at_ = place::slot;
      return true;
    case wait_offer::occupied: {
      extra_waiting_.who = t;
      at_ = place::extra_waiters;
      {
        const base::lock_guard guard(d.lock);
        d.extra_waiters.push_back(extra_waiting_);
      }
      return d.word.join_extra_waiters(seen_) == wait_offer::accepted;
    }
    case wait_offer::missed:
    case wait_offer::closed:
      break;
  }
  return false;
}

readiness_wait::~readiness_wait() {
  if (at_ == place::slot) {
    (*use_)->word.withdraw(which_, ticket_.bits);
  } else if (at_ == place::extra_waiters) {
    (*use_)->word.leave_extra_waiters();
    const base::lock_guard guard((*use_)->lock);
    if (extra_waiting_.linked()) extra_waiting_.unlink();
  }
  foreign_.reset();
  use_.reset();
  if (own_ == nullptr) return;
  // Out of the epoll before it is closed: what it is a duplicate of stays open, and would stay
  // registered.
  const int number = release_number(*own_);
  if (number >= 0) call_close(number);
  abandon(*own_);
}

}  // namespace weft::detail
