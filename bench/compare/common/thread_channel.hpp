// SPDX-License-Identifier: BSL-1.0
// common/thread_channel.hpp - the channel a std::thread author writes: a ring, one mutex, two
// condition variables.
//
// Capacity 0 is a rendezvous: the sender leaves only after its value was taken.  Notifying happens
// under the lock, so a channel may be destroyed as soon as the last receive returned.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

#include "common/bench.hpp"

namespace bench {

class thread_channel {
 public:
  explicit thread_channel(std::size_t capacity) : capacity_(capacity) {}

  void send(std::int64_t value) {
    std::unique_lock lock(mutex_);
    const std::size_t slots = capacity_ == 0 ? 1 : capacity_;
    writable_.wait(lock, [&] { return items_.size() < slots; });
    items_.push_back(value);
    const std::uint64_t mine = ++sent_;
    readable_.notify_one();
    if (capacity_ == 0) taken_.wait(lock, [&] { return received_ >= mine; });
  }

  std::optional<std::int64_t> receive() {
    std::unique_lock lock(mutex_);
    readable_.wait(lock, [&] { return !items_.empty() || closed_; });
    if (items_.empty()) return std::nullopt;
    const std::int64_t value = items_.front();
    items_.pop_front();
    ++received_;
    writable_.notify_one();
    if (capacity_ == 0) taken_.notify_all();
    return value;
  }

  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    readable_.notify_all();
  }

 private:
  const std::size_t capacity_;
  std::mutex mutex_;  // guards everything below
  std::condition_variable readable_;
  std::condition_variable writable_;
  std::condition_variable taken_;
  std::deque<std::int64_t> items_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  bool closed_ = false;
};

}  // namespace bench
