// SPDX-License-Identifier: BSL-1.0
// sync/weighted_semaphore.cpp - a list of waiters in the order they came, under the semaphore's
// mutex. What is granted is taken off `free_` by the releaser, so nobody can overtake.
//
// A waiter that gives up asks under the mutex whether it has been granted meanwhile: then it has
// acquired. If it was the first, those behind it may fit now.
// The event of a granted waiter is set under the mutex: the waiter takes the mutex before it ends,
// so the event lives until set() has returned.
#include <weft/weighted_semaphore.hpp>

#include <exception>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>

namespace weft {

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
  if (first_ != nullptr || free_ < n) return false;
  free_ -= n;
  return true;
}

bool weighted_semaphore::take(std::int64_t n, const detail::wait_limit& limit) {
  check(n);
  waiter me{n};
  {
    const std::lock_guard lock(mutex_);
    if (first_ == nullptr && free_ >= n) {
      free_ -= n;
      return true;
    }
    me.previous = last_;
    (last_ != nullptr ? last_->next : first_) = &me;
    last_ = &me;
  }
  std::exception_ptr starved;  // no memory to wait
  try {
    static_cast<void>(detail::event_wait(me.granted, limit));
  } catch (const std::bad_alloc&) {
    starved = std::current_exception();
  }
  {
    const std::lock_guard lock(mutex_);
    if (me.granted.is_set()) return true;
    remove(me);
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
  while (first_ != nullptr && first_->wanted <= free_) {
    waiter& w = *first_;
    remove(w);
    free_ -= w.wanted;
    w.granted.set();
  }
}

void weighted_semaphore::remove(waiter& w) noexcept {
  (w.previous != nullptr ? w.previous->next : first_) = w.next;
  (w.next != nullptr ? w.next->previous : last_) = w.previous;
}

}  // namespace weft
