// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/detail/waiting.hpp - the part that every object one can wait for has, and the limits of a
// wait.
//
// An object holds its state and the two pointers of its waiter list; everything else is compiled
// code (src/sync). The lock of the list is not in the object: see src/sync/README.md, WAIT-2.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stop_token>

#include <weft/detail/deadline.hpp>
#include <weft/detail/export.hpp>

namespace weft {
namespace WEFT_API detail {

/// How many runtimes have requested that one of their workers yields (src/watch/monitor.cpp). Read
/// relaxed: seeing it late is fine.
extern constinit std::atomic<std::uint32_t> resched_requests;
void resched_if_requested() noexcept;
/// For inline code that may be called in a loop: if the fiber was requested to yield, it yields
/// here.
[[gnu::always_inline]] inline void check_resched() noexcept {
  if (resched_requests.load(std::memory_order_relaxed) != 0) [[unlikely]]
    resched_if_requested();
}

/// An address in the caller's stack frame.
[[gnu::always_inline]] inline const void* stack_here() noexcept {
#if defined(__x86_64__)
  const void* here;
  asm("mov %%rsp, %0" : "=r"(here));  // __builtin_frame_address would cost the caller a register
  return here;
#else
  return __builtin_frame_address(0);
#endif
}

struct wait_link {
  wait_link* next;
  wait_link* prev;
};

class wait_list;
void destroyed_while_waited_for(const wait_list& list) noexcept;

/// A circular list through its own head.
class wait_list {
 public:
  using link = wait_link;

  constexpr wait_list() noexcept : head{&head, &head} {}
  wait_list(const wait_list&) = delete;
  wait_list& operator=(const wait_list&) = delete;
  ~wait_list() {
#ifndef NDEBUG
    if (!empty()) destroyed_while_waited_for(*this);
#endif
  }
  [[nodiscard]] constexpr bool empty() const noexcept { return head.next == &head; }

  wait_link head;
};

/// When a wait ends if nothing else ends it.
/// Lifetime: the token, if any, outlives the wait.
struct wait_limit {
  using time_point = std::chrono::steady_clock::time_point;

  constexpr wait_limit() noexcept = default;
  constexpr explicit wait_limit(time_point t) noexcept : deadline(t) {}
  explicit wait_limit(const std::stop_token& s, time_point t = time_point::max()) noexcept
      : deadline(t), stop(s.stop_possible() ? &s : nullptr) {}

  time_point deadline = time_point::max();
  const std::stop_token* stop = nullptr;
};

enum class wait_end : std::uint8_t { ready, timeout, stopped };

}  // namespace WEFT_API detail
}  // namespace weft
