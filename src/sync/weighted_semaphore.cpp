// SPDX-License-Identifier: BSL-1.0
// sync/weighted_semaphore.cpp - a list of waiters in the order they came, under the semaphore's
// mutex. What is granted is taken off `free_` by the releaser, so nobody can overtake.
//
// A waiter that gives up asks under the mutex whether it has been granted meanwhile: then it has
// acquired. If it was the first, those behind it may fit now.
// The event of a granted waiter is set under the mutex: the waiter takes the mutex before it ends,
// so the event lives until set() has returned.
// A fiber that its runtime has left behind (LEFT-1) is dropped once it is first in the list. Its
// stack stays, and so does the waiter in it.
#include <weft/weighted_semaphore.hpp>

#include <exception>
#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>

#include "sched/park.hpp"

namespace weft {

struct weighted_semaphore::waiting_agent : waiter {
  waiting_agent(std::int64_t n, detail::fiber_record& who) noexcept : waiter{n}, self(who) {}
  detail::fiber_record& self;
  bool is_listed = true;
};

weighted_semaphore::weighted_semaphore(std::int64_t permits) : permits_(permits), free_(permits) {
  if (permits < 0)
    throw std::invalid_argument("weft::weighted_semaphore: " + std::to_string(permits) +
                                " permits are less than none");
}

void weighted_semaphore::check(std::int64_t n) const {
  if (n < 0 || n > permits_)
    throw std::invalid_argument("weft::weighted_semaphore: " + std::to_string(n) +
                                " permits were asked for, of " + std::to_string(permits_) +
                                " that there are");
}

bool weighted_semaphore::try_acquire(std::int64_t n) {
  check(n);
  const std::lock_guard lock(mutex_);
  return take_now(n);
}

bool weighted_semaphore::take_now(std::int64_t n) {
  if (first_ != nullptr) grant();  // the first one may have been left behind
  if (first_ != nullptr || free_ < n) return false;
  free_ -= n;
  return true;
}

bool weighted_semaphore::take(std::int64_t n, const detail::wait_limit& limit) {
  check(n);
  std::optional<waiting_agent> waits;
  {
    const std::lock_guard lock(mutex_);
    if (take_now(n)) return true;
    waiter& me = waits.emplace(n, detail::this_agent());
    me.previous = last_;
    (last_ != nullptr ? last_->next : first_) = &me;
    last_ = &me;
  }
  waiting_agent& me = *waits;
  std::exception_ptr starved;  // no memory to wait
  try {
    static_cast<void>(detail::event_wait(me.granted, limit));
  } catch (const std::bad_alloc&) {
    starved = std::current_exception();
  }
  {
    const std::lock_guard lock(mutex_);
    if (me.granted.is_set()) return true;
    if (me.is_listed) remove(me);
    grant();
  }
  if (starved) std::rethrow_exception(starved);
  return false;
}

void weighted_semaphore::release(std::int64_t n) {
  const std::lock_guard lock(mutex_);
  if (n < 0 || n > permits_ - free_)
    throw std::logic_error("weft::weighted_semaphore: " + std::to_string(n) +
                           " permits were released, but " + std::to_string(permits_ - free_) +
                           " are taken");
  free_ += n;
  grant();
}

std::int64_t weighted_semaphore::available() const {
  const std::lock_guard lock(mutex_);
  return free_;
}

void weighted_semaphore::grant() {
  while (first_ != nullptr) {
    auto& w = static_cast<waiting_agent&>(*first_);
    const bool is_gone = is_left_behind(w.self);
    if (!is_gone && w.wanted > free_) return;
    remove(w);
    if (is_gone) continue;
    free_ -= w.wanted;
    w.granted.set();
  }
}

void weighted_semaphore::remove(waiter& w) noexcept {
  static_cast<waiting_agent&>(w).is_listed = false;
  (w.previous != nullptr ? w.previous->next : first_) = w.next;
  (w.next != nullptr ? w.next->previous : last_) = w.previous;
}

}  // namespace weft
