// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/detail/provision.hpp - which of those who could give a future its value does: FUTURE-1
// (future_state.hpp), for a test as a template over its atomic.

#include <atomic>

#include <weft/detail/export.hpp>

namespace weft {
namespace WEFT_API detail {

template <template <class> class Atomic = std::atomic>
class basic_provision {
 public:
  /// True for one: it provides now, and ends with give_back or done. What an attempt before it has
  /// left behind is seen.
  [[nodiscard]] bool begin() noexcept {
    phase expected = phase::empty;
    return phase_.compare_exchange_strong(expected, phase::busy, std::memory_order_acquire,
                                          std::memory_order_relaxed);  // [FUTURE-1]
  }
  void give_back() noexcept { phase_.store(phase::empty, std::memory_order_release); }  // begin
  void done() noexcept { phase_.store(phase::provided, std::memory_order_relaxed); }
  /// Nobody has provided, or is about to.
  [[nodiscard]] bool is_free() const noexcept {
    return phase_.load(std::memory_order_relaxed) == phase::empty;
  }

 private:
  enum class phase : unsigned char { empty, busy, provided };
  Atomic<phase> phase_{phase::empty};
};

}  // namespace WEFT_API detail
}  // namespace weft
