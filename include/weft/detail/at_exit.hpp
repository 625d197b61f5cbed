// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/detail/at_exit.hpp - calls at the end of the calling fiber or thread, after its fiber_local
// values are gone.

#include <memory>
#include <utility>

#include <weft/detail/export.hpp>

namespace weft {
namespace WEFT_API detail {

class exit_call {
 public:
  virtual ~exit_call() = default;
  exit_call(const exit_call&) = delete;
  exit_call& operator=(const exit_call&) = delete;
  virtual void run() noexcept = 0;

 protected:
  exit_call() = default;
};

/// Adds `call` to those of the calling fiber or thread. They run in the order of registration.
/// Throws: std::bad_alloc.
void at_exit(std::unique_ptr<exit_call> call);

template <class F>
class exit_function final : public exit_call {
 public:
  explicit exit_function(F f) : f_(std::move(f)) {}
  void run() noexcept override { f_(); }

 private:
  F f_;
};

template <class F>
void at_exit_run(F f) {
  at_exit(std::make_unique<exit_function<F>>(std::move(f)));
}

}  // namespace WEFT_API detail
}  // namespace weft
