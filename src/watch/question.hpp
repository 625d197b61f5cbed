// SPDX-License-Identifier: BSL-1.0
#pragma once
// watch/question.hpp - what the monitor asks of the service thread, and whether the answer is in.
//
//   monitor         asks: 1 stores the question   2 calls the service thread [SERVICE-1]
//                   before it sleeps: 1 is the question open?   2 is the service thread at work?
//                   3 acts on the answers
//   service thread  1 is at work   2 takes the question back   3 answers   4 is at work no more
//   SERVICE-3  the monitor does not sleep over a question: if it finds it taken back, it finds the
//              service thread at work, until the answer is in; and if it finds it at work no more,
//              it sees the answer.

#include <atomic>
#include <cstdint>

#include "base/sync_policy.hpp"

namespace weft::detail {

template <class Sync = base::real_sync>
class basic_question {
 public:
  // ---- the monitor
  void ask() noexcept {
    open_.store(true, std::memory_order_release);  // what it has read of the last answer: take
  }
  [[nodiscard]] bool is_open() const noexcept {
    return open_.load(std::memory_order_acquire);  // [SERVICE-3] take
  }
  // ---- the service thread, at work
  [[nodiscard]] bool take() noexcept {
    // acquire: ask. Release: that it is at work [SERVICE-3] is_open.
    return open_.exchange(false, std::memory_order_acq_rel);
  }

 private:
  typename Sync::template atomic<bool> open_{false};
};
using question = basic_question<>;

/// Whether the service thread is at work, and since when.
template <class Sync = base::real_sync>
class basic_service_turn {
 public:
  // ---- the service thread
  void begin(std::int64_t now) noexcept {
    since_.store(now, std::memory_order_relaxed);  // [SERVICE-3] take comes after it
  }
  void end() noexcept { since_.store(0, std::memory_order_release); }  // [SERVICE-3] is_on
  // ---- the monitor
  [[nodiscard]] bool is_on() const noexcept {
    return since_.load(std::memory_order_acquire) != 0;  // [SERVICE-3] end
  }
  /// Once for each `span` that it has lasted.
  [[nodiscard]] bool has_lasted(std::int64_t span, std::int64_t now) noexcept {
    std::int64_t since = since_.load(std::memory_order_relaxed);
    return since != 0 && now - since > span &&
           since_.compare_exchange_strong(since, now, std::memory_order_relaxed,
                                          std::memory_order_relaxed);
  }

 private:
  typename Sync::template atomic<std::int64_t> since_{0};  // 0: it sleeps
};
using service_turn = basic_service_turn<>;

}  // namespace weft::detail
