// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/wake_word.hpp - the futex that a service thread sleeps on. A signal handler wakes service
// threads by it without knowing which runtimes there are.
//
//   handler         1 leaves what it asks for where upper_layers::answer_tool_requests looks
//                   2 rings every wake word
//   service thread  1 reads its count   2 does what is asked   3 sleeps while the count is what it
//                   read [SERVICE-1]
// WAKEWORD-1  a wake word is never freed, only given to the next runtime. If a handler rings one
//             whose service thread has ended, that costs another one a round at most. So a handler
//             needs no lock to walk them.
// Rejected: a thread of its own that waits for signals (one more in every process, for what is
// asked once a day).

#include <atomic>
#include <cstdint>

#include "base/sync_policy.hpp"

namespace weft::detail {

// SERVICE-1  a call is heard: what is asked is stored first, then the count of calls changes. The
//            service thread reads the count, then what is asked, and sleeps on that count.
template <class Sync = base::real_sync>
class basic_call_count {
 public:
  /// AS-safe.
  void ring() noexcept {
    calls_.fetch_add(1, std::memory_order_release);  // [SERVICE-1] hear
    Sync::futex_wake(calls_, 1);
  }

  // ---- the service thread
  [[nodiscard]] std::uint32_t hear() const noexcept {
    return calls_.load(std::memory_order_acquire);  // [SERVICE-1] ring
  }
  /// `sleep(word, heard)` as futex_wait: until the next call after `heard`.
  template <class Sleep>
  void sleep(std::uint32_t heard, Sleep&& sleep) noexcept {
    sleep(calls_, heard);
  }

 private:
  typename Sync::template atomic<std::uint32_t> calls_{0};  // futex
};

struct wake_word : basic_call_count<> {
  std::atomic<bool> hung{false};  // a runtime has it
  wake_word* next = nullptr;      // constant once it is in the chain
};

[[nodiscard]] wake_word& register_wake_word();  // throws std::bad_alloc
void take_down(wake_word& b) noexcept;
/// AS-safe, both.
void wake_all_service_threads() noexcept;
[[nodiscard]] bool any_wake_word_registered() noexcept;

}  // namespace weft::detail
