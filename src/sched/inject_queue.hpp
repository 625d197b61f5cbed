// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/inject_queue.hpp - the queue that anybody may put into: moodycamel's, but for ThreadSanitizer.
//
// It orders its blocks by stand-alone fences, which TSan does not model: their re-use looks like a race. Under TSan a
// locked queue stands in, so that weft's own code is watched without a suppression.

#include <cstddef>

#include "base/sanitizers.hpp"

#if WEFT_TSAN
#include <deque>
#include <mutex>

#include "base/futex_lock.hpp"
#else
#include <concurrentqueue/concurrentqueue.h>
#endif

namespace weft::detail {

#if WEFT_TSAN
template <class T>
class inject_queue {
 public:
  void enqueue(T entry) {
    const std::lock_guard guard(lock_);
    entries_.push_back(entry);
  }
  std::size_t try_dequeue_bulk(T* out, std::size_t most) {
    const std::lock_guard guard(lock_);
    std::size_t n = 0;
    for (; n < most && !entries_.empty(); ++n) {
      out[n] = entries_.front();
      entries_.pop_front();
    }
    return n;
  }

 private:
  base::futex_lock lock_;
  std::deque<T> entries_;  // under lock_
};
#else
template <class T>
using inject_queue = moodycamel::ConcurrentQueue<T>;
#endif

}  // namespace weft::detail
