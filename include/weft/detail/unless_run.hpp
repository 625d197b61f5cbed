// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/detail/unless_run.hpp - a fiber that finds no memory for its stack ends without a step, and
// only a join tells. A callable whose run somebody waits for otherwise tells of it by this member.

#include <exception>
#include <system_error>
#include <type_traits>
#include <utility>

#include <weft/detail/export.hpp>

namespace WEFT_API weft {
namespace detail {

[[nodiscard]] int uncaught_now() noexcept;

/// Calls `f` if it is destroyed, with the callable that holds it, before runs() was called. If the
/// spawn itself throws, the caller knows and nothing is called.
template <class F>
class unless_run {
 public:
  explicit unless_run(F f) noexcept : f_(std::move(f)) {}
  unless_run(unless_run&& other) noexcept
      : f_(std::move(other.f_)),
        armed_(std::exchange(other.armed_, false)),
        uncaught_(other.uncaught_) {}
  unless_run& operator=(unless_run&&) = delete;
  ~unless_run() {
    if (armed_ && uncaught_now() <= uncaught_) f_();
  }
  void runs() noexcept { armed_ = false; }

 private:
  static_assert(std::is_nothrow_move_constructible_v<F> && std::is_nothrow_invocable_v<F&>);
  F f_;
  bool armed_ = true;
  int uncaught_ = uncaught_now();
};

/// For those who wait. `what` comes first in the text.
[[nodiscard]] inline std::exception_ptr no_stack_error(const char* what) noexcept try {
  return std::make_exception_ptr(
      std::system_error(std::make_error_code(std::errc::not_enough_memory), what));
} catch (...) {
  return std::current_exception();
}

}  // namespace detail
}  // namespace WEFT_API weft
