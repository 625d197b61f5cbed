// SPDX-License-Identifier: BSL-1.0
// api/scope.cpp - the entry points of scope.hpp.
#include <weft/scope.hpp>
#include <weft/this_fiber.hpp>

#include <chrono>
#include <exception>
#include <new>
#include <stdexcept>

#include "api/scope_core.hpp"

namespace weft::detail {

void leave_scope(fiber_record& f) noexcept {
  f.clear(fiber_record::in_scope);
  std::exchange(f.scope, nullptr)->child_left(f);
}

int uncaught_now() noexcept { return std::uncaught_exceptions(); }

scope_core& scope_base::core() noexcept {
  return *std::launder(reinterpret_cast<scope_core*>(storage_));
}
const scope_core& scope_base::core() const noexcept {
  return *std::launder(reinterpret_cast<const scope_core*>(storage_));
}
scope_base::scope_base(std::size_t limit, std::chrono::steady_clock::time_point deadline) {
  if (limit == 0)
    throw std::invalid_argument(
        "weft::scope: the limit is 0; no child could ever start, at least one must be allowed");
  static_assert(sizeof(scope_core) <= sizeof(storage_) && alignof(scope_core) <= 16);
  ::new (static_cast<void*>(storage_)) scope_core(limit, deadline);
}
scope_base::~scope_base() { core().~scope_core(); }
[[gnu::noinline]] void scope_base::submit(task& t) {
  core().submit(record_of(t), __builtin_return_address(0));
}
bool scope_base::reserve() { return core().reserve(); }
void scope_base::submit_reserved(task& t) noexcept {
  core().submit_reserved(record_of(t), __builtin_return_address(0));
}
void scope_base::unreserve() noexcept { core().unreserve(); }
void scope_base::join_all() {
  core().join(stoppable::yes);
  if (std::exception_ptr failure = core().take_failure()) std::rethrow_exception(failure);
}
void scope_base::join_quietly() noexcept {
  core().stop();
  core().join(stoppable::no);
  static_cast<void>(core().take_failure());
}
void scope_base::stop_all() noexcept { core().stop(); }
bool scope_base::stopping() const noexcept { return core().stopping(); }
std::size_t scope_base::children() const noexcept { return core().children(); }

}  // namespace weft::detail

std::chrono::steady_clock::time_point weft::this_fiber::deadline() noexcept {
  return detail::scope_core::inherited();
}
