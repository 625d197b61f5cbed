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
// WAKEWORD-2  a handler rings the word of a service thread, or that thread's first turn finds what
//             is asked: the handler stores it, then a fence, then reads the chain; a runtime that
//             puts its word there passes a fence before its service thread starts.
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

template <class Sync>
class basic_wake_words;

template <class Sync = base::real_sync>
class basic_wake_word : public basic_call_count<Sync> {
  friend basic_wake_words<Sync>;
  typename Sync::template atomic<bool> taken_{false};  // a runtime has it
  basic_wake_word* next_ = nullptr;                    // constant once it is in the chain
};

template <class Sync = base::real_sync>
class basic_wake_words {
 public:
  using word = basic_wake_word<Sync>;

  /// One that no runtime has. `make()`: a new one, which is never freed.
  template <class Make>
  [[nodiscard]] word& take(Make&& make) {
    for (word* w = first_.load(std::memory_order_acquire); w != nullptr; w = w->next_) {
      bool taken = false;
      // acquire: the fence of the one that put it there comes before our service thread's first
      // turn [WAKEWORD-2] give_back.
      if (w->taken_.compare_exchange_strong(taken, true, std::memory_order_acquire,
                                            std::memory_order_relaxed))
        return *w;
    }
    word* const w = make();
    w->taken_.store(true, std::memory_order_relaxed);
    w->next_ = first_.load(std::memory_order_relaxed);
    // release: ring_all and take walk the chain [WAKEWORD-1].
    while (!first_.compare_exchange_weak(w->next_, w, std::memory_order_release,
                                         std::memory_order_relaxed)) {
    }
    Sync::fence(std::memory_order_seq_cst);  // [WAKEWORD-2] ring_all
    return *w;
  }
  /// Its service thread has ended.
  static void give_back(word& w) noexcept {
    w.taken_.store(false, std::memory_order_release);  // [WAKEWORD-2] take
  }

  /// AS-safe, both. What is asked is stored before.
  void ring_all() noexcept {
    Sync::fence(std::memory_order_seq_cst);  // [WAKEWORD-2] take
    for (word* w = first_.load(std::memory_order_acquire); w != nullptr; w = w->next_) w->ring();
  }
  [[nodiscard]] bool any_taken() const noexcept {
    for (const word* w = first_.load(std::memory_order_acquire); w != nullptr; w = w->next_)
      if (w->taken_.load(std::memory_order_relaxed)) return true;
    return false;
  }

 private:
  typename Sync::template atomic<word*> first_{nullptr};  // only ever grows at its front
};

using wake_word = basic_wake_word<>;

[[nodiscard]] wake_word& register_wake_word();  // throws std::bad_alloc
void take_down(wake_word& w) noexcept;
/// AS-safe, both.
void wake_all_service_threads() noexcept;
[[nodiscard]] bool any_wake_word_registered() noexcept;

}  // namespace weft::detail
