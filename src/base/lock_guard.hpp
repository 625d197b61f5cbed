// SPDX-License-Identifier: BSL-1.0
#pragma once
// base/lock_guard.hpp - std::lock_guard, std::unique_lock and std::mutex as far as weft uses them,
// with the annotations that those of libstdc++ lack (base/thread_safety.hpp).

#include <mutex>

#include "base/thread_safety.hpp"

namespace weft::base {

template <class Lock>
class WEFT_SCOPED_CAPABILITY lock_guard {
 public:
  explicit lock_guard(Lock& l) WEFT_ACQUIRE(l) : lock_(l) { lock_.lock(); }
  lock_guard(Lock& l, std::adopt_lock_t) WEFT_REQUIRES(l) : lock_(l) {}
  ~lock_guard() WEFT_RELEASE() { lock_.unlock(); }
  lock_guard(const lock_guard&) = delete;
  lock_guard& operator=(const lock_guard&) = delete;

 private:
  Lock& lock_;
};

/// A guard that lets go of the lock for a while, in the function that made it.
template <class Lock>
class WEFT_SCOPED_CAPABILITY unique_lock {
 public:
  explicit unique_lock(Lock& l) WEFT_ACQUIRE(l) : lock_(l) { lock_.lock(); }
  ~unique_lock() WEFT_RELEASE() {
    if (held_) lock_.unlock();
  }
  unique_lock(const unique_lock&) = delete;
  unique_lock& operator=(const unique_lock&) = delete;

  void lock() WEFT_ACQUIRE() {
    lock_.lock();
    held_ = true;
  }
  void unlock() WEFT_RELEASE() {
    held_ = false;
    lock_.unlock();
  }

 private:
  Lock& lock_;
  bool held_ = true;
};

/// For long sections of threads that are not workers.
class WEFT_CAPABILITY("mutex") mutex {
 public:
  void lock() WEFT_ACQUIRE() { mutex_.lock(); }
  void unlock() WEFT_RELEASE() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

}  // namespace weft::base
