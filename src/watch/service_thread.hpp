// SPDX-License-Identifier: BSL-1.0
#pragma once
// watch/service_thread.hpp - one thread that does for the monitor what may allocate, block, or run
// the user's code: it makes spare threads and calls on_stall.
//
// [MON-3] The monitor never allocates, and never waits for a lock under which another thread may.
// The thread that holds malloc's lock may be a frozen one, and only the monitor makes a frozen
// thread continue when all others wait for it. So:
//
//   what it readies       goes to a chain of records, not to the inject queue (inject, bring_late)
//   timers                are fired if their lock is free; a worker may be in malloc under it
//                         (timer_queue::add)
//   affinity and quota    are read here (resizer.hpp)
//   a spare it lacks      is requested here; the next round, 50 us later, looks again
//   memory of idle stacks goes back to the kernel from here, in pieces (fiber/stack_trim.hpp)
//   a stall it sees       is left in the worker's slot, which is this thread's until it has told
//                         the user
// Signal handlers call it, too, for what a handler must not do (wake_word.hpp; debug/inspect.cpp).
// If the service thread itself waits for a frozen thread's lock, the monitor thaws that thread as
// for a worker [PREEMPT-3].
// Rejected: reserving memory for each of these beforehand (pthread_create alone allocates in five
// places).

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <utility>

#include "os/os.hpp"
#include "sched/wake_word.hpp"
#include "watch/question.hpp"

namespace weft::detail {

class service_thread {
 public:
  /// `turn`: everything that is asked of it, at each call; returns when it is due without one,
  /// INT64_MAX for never. Throws std::bad_alloc.
  service_thread(const std::string& runtime, std::function<std::int64_t()> turn)
      : runtime_(runtime), turn_(std::move(turn)), word_(register_wake_word()) {}
  ~service_thread() { give_word_back(); }
  service_thread(const service_thread&) = delete;
  service_thread& operator=(const service_thread&) = delete;

  void start();  // throws std::system_error
  void end() noexcept;
  [[nodiscard]] bool is_there() const noexcept { return thread_.joinable(); }
  /// It was ended by its own hook, from which it comes back still.
  [[nodiscard]] bool has_left_itself() const noexcept {
    return has_left_itself_.load(std::memory_order_acquire);
  }
  [[nodiscard]] bool is_this_thread() const noexcept {
    return thread_.joinable() && thread_.get_id() == std::this_thread::get_id();
  }

  /// [SERVICE-1] What is asked is stored first, then the count changes: the service thread sees it
  /// in this turn, or does not sleep.
  void wake() noexcept { word_.ring(); }

  // ---- by the monitor
  [[nodiscard]] bool is_at_work() const noexcept { return turn_now_.is_on(); }  // [SERVICE-3]
  /// It has been at work for long, and does not run. Once for each time that has passed.
  [[nodiscard]] bool is_stuck(std::int64_t now) noexcept;

 private:
  void main() noexcept;
  void give_word_back() noexcept {
    if (std::exchange(has_word_, false)) take_down(word_);
  }

  const std::string& runtime_;
  const std::function<std::int64_t()> turn_;
  wake_word& word_;  // its count changes with every call [SERVICE-1]
  bool has_word_ = true;
  service_turn turn_now_;
  std::atomic<pid_t> id_{0};  // relaxed: set before it is first at work
  os::thread_stat stat_;
  std::atomic<bool> ends_{false};
  std::atomic<bool> has_left_itself_{false};
  std::thread thread_;
};

}  // namespace weft::detail
