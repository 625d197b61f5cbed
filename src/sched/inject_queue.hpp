// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/inject_queue.hpp - the queue that any thread may put into: moodycamel's, with a few
// producers for all.
//
// A lane is a producer and a lock. A putting thread takes the lane that its stack address selects,
// or the next free one. So a taker looks at eight producers however many threads there are, in
// turn, and no lane waits behind a full one.
//
// The queue orders its blocks by stand-alone fences, which TSan does not model: their re-use looks
// like a race. Under TSan a locked queue stands in, so that weft's own code is watched without a
// suppression.
// Rejected: a producer per thread (the queue's own way, by a hash table of thread ids): while the
// table grows, threads that put spin without end for the one that grows it. Sixty-four pool threads
// that end their calls together stood still for 80 ms at a time that way, each burning its slice
// while the grower waited for a CPU (bench/compare offload_sleeps).

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>

#include "base/cache_line.hpp"
#include "base/futex_lock.hpp"
#include "base/sanitizers.hpp"

#if WEFT_TSAN
#include <deque>
#else
#include <concurrentqueue/concurrentqueue.h>
#endif

namespace weft::detail {

#if WEFT_TSAN
template <class T>
class inject_queue {
 public:
  [[nodiscard]] bool try_enqueue(T entry) noexcept try {
    const base::lock_guard guard(lock_);
    entries_.push_back(entry);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
  std::size_t try_dequeue_bulk(T* out, std::size_t most) {
    const base::lock_guard guard(lock_);
    std::size_t n = 0;
    for (; n < most && !entries_.empty(); ++n) {
      out[n] = entries_.front();
      entries_.pop_front();
    }
    return n;
  }

 private:
  base::futex_lock lock_;
  std::deque<T> entries_ WEFT_GUARDED_BY(lock_);
};
#else
template <class T>
class inject_queue {
 public:
  /// False: it is in no lane, for want of memory. A lane that is full may stand beside one that is
  /// not.
  [[nodiscard]] bool try_enqueue(T entry) noexcept {
    const std::size_t first = lane_of_caller();
    for (std::size_t i = 0; i < lane_count; ++i) {
      lane& l = lanes_[(first + i) % lane_count];
      if (!l.lock.try_lock()) continue;
      const base::lock_guard guard(l.lock, std::adopt_lock);
      if (queue_.enqueue(l.producer, entry)) return true;
    }
    lane& l = lanes_[first];
    const base::lock_guard guard(l.lock);
    return queue_.enqueue(l.producer, entry);
  }
  std::size_t try_dequeue_bulk(T* out, std::size_t most) {
    const std::size_t first = turn_.fetch_add(1, std::memory_order_relaxed);  // any will do
    std::size_t n = 0;
    for (std::size_t i = 0; i < lane_count && n < most; ++i)
      n += queue_.try_dequeue_bulk_from_producer(lanes_[(first + i) % lane_count].producer, out + n,
                                                 most - n);
    return n;
  }

 private:
  static constexpr std::size_t lane_count = 8;
  using queue = moodycamel::ConcurrentQueue<T>;
  struct alignas(base::cache_line) lane {
    explicit lane(queue& q) : producer(q) {
      if (!producer.valid()) throw std::bad_alloc();  // the queue says so by a null within
    }
    base::futex_lock lock;
    moodycamel::ProducerToken producer;  // enqueue under the lock
  };

  // Stacks are far apart, a thread's or a fiber's: no thread-local needed, and the same caller
  // finds the same lane.
  static std::size_t lane_of_caller() noexcept {
    const auto at = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) >> 16;
    return static_cast<std::size_t>((at * 0x9e3779b97f4a7c15U) >> 61);
  }

  queue queue_;
  std::atomic<std::size_t> turn_{0};
  lane lanes_[lane_count] = {lane(queue_), lane(queue_), lane(queue_), lane(queue_),
                             lane(queue_), lane(queue_), lane(queue_), lane(queue_)};
};
#endif

}  // namespace weft::detail
