// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/once.hpp - std::once_flag and std::call_once for fibers and threads.

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>

namespace WEFT_API weft {

class once_flag;
namespace detail {
enum class once_stage : std::uint32_t { idle, running, done };
/// Returns true if the caller is to run the function and then call once_end; false if it has been
/// run.
[[nodiscard]] bool once_begin(once_flag& flag);
void once_end(once_flag& flag, once_stage result) noexcept;
}  // namespace detail

/// Records whether something has been done. See call_once.
class once_flag {
 public:
  /// Nothing has been done.
  constexpr once_flag() noexcept = default;
  once_flag(const once_flag&) = delete;
  once_flag& operator=(const once_flag&) = delete;

 private:
  friend bool detail::once_begin(once_flag&);
  friend void detail::once_end(once_flag&, detail::once_stage) noexcept;
  template <class F, class... A>
  friend void call_once(once_flag& flag, F&& f, A&&... args);

  std::atomic<detail::once_stage> stage_{detail::once_stage::idle};
  // For the report of a call from within the call.
  std::atomic<void*> runner_{nullptr};
  detail::wait_list waiters_;
};

/// Calls f(args...), unless a call with this flag has returned before. Callers that come during the
/// call wait for its end.
///
/// If the call throws, its caller gets the exception and one of the waiting callers tries again.
/// Blocks: the calling fiber or thread. A stop request does not end the wait.
/// Orders: the call, before every return.
/// Throws: what `f` throws.
/// Errors: a call from within the call, with the same flag, ends the process with a report.
/// Example: test/unit/examples_locks_test.cpp [once]
/// ```
///   weft::once_flag connected;
///   weft::call_once(connected, [&] { connection = connect(); });
/// ```
template <class F, class... A>
void call_once(once_flag& flag, F&& f, A&&... args) {
  using stage = detail::once_stage;
  if (flag.stage_.load(std::memory_order_acquire) == stage::done) [[likely]]  // [ONCE-1] once_end
    return;
  if (!detail::once_begin(flag)) return;
  struct end {
    once_flag& flag;
    stage result = stage::idle;
    ~end() { detail::once_end(flag, result); }
  } at_end{flag};
  std::invoke(std::forward<F>(f), std::forward<A>(args)...);
  at_end.result = stage::done;
}

}  // namespace WEFT_API weft
