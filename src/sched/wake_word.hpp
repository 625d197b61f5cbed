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

namespace weft::detail {

struct wake_word {
  std::atomic<std::uint32_t> calls{0};  // futex
  std::atomic<bool> hung{false};        // a runtime has it
  wake_word* next = nullptr;            // constant once it is in the chain

  void ring() noexcept;  // AS-safe
};

[[nodiscard]] wake_word& register_wake_word();  // throws std::bad_alloc
void take_down(wake_word& b) noexcept;
/// AS-safe, both.
void wake_all_service_threads() noexcept;
[[nodiscard]] bool any_wake_word_registered() noexcept;

}  // namespace weft::detail
