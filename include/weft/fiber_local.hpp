// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/fiber_local.hpp - a value per fiber, as thread_local is a value per thread.

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include <weft/detail/export.hpp>
#include <weft/detail/requirements.hpp>

namespace WEFT_API weft {

namespace detail {
[[nodiscard]] std::uint32_t new_local_key() noexcept;
[[nodiscard]] void* find_local(std::uint32_t key) noexcept;
/// Replaces (and destroys) what the calling fiber has under the key. Throws std::bad_alloc.
void put_local(std::uint32_t key, void* value, void (*destroy)(void*) noexcept);
}  // namespace detail

/// One T per fiber, made on first use and destroyed when the fiber ends, newest first. On a plain
/// thread, one per thread.
///
/// Give it static storage duration: its key is never re-used. The destructor of a T may use other
/// fiber-locals, which are made anew if they are gone; one that makes its own value anew each time
/// keeps the fiber from ending.
/// Blocks: never.
/// Throws: what making a T throws; std::bad_alloc.
/// Example: test/unit/examples_fibers_test.cpp [fiber_local]
/// ```
///   weft::fiber_local<connection> database;  // at namespace scope
///   ...
///   auto f = weft::spawn([] { return ++database->queries; });
/// ```
template <class T>
class fiber_local {
 public:
  /// Each value is value-initialised.
  fiber_local() : make_([] { return std::make_unique<T>(); }) {}
  /// Each value is what `make` returns, called on the fiber that first uses it.
  template <class F>
    requires std::is_invocable_r_v<T, F&>
  explicit fiber_local(F make)
      : make_([make = std::move(make)]() mutable { return std::make_unique<T>(make()); }) {}
  fiber_local(const fiber_local&) = delete;
  fiber_local& operator=(const fiber_local&) = delete;

  /// The calling fiber's value, made now if it is the first use.
  /// Lifetime: valid until the fiber ends.
  T& get() {
    if (void* there = detail::find_local(key_)) return *static_cast<T*>(there);
    std::unique_ptr<T> value = make_();
    detail::put_local(key_, value.get(), [](void* p) noexcept { delete static_cast<T*>(p); });
    return *value.release();
  }
  /// As get().
  T& operator*() { return get(); }
  /// As get().
  T* operator->() { return std::addressof(get()); }
  /// The calling fiber's value, or null if the fiber has not used it yet.
  [[nodiscard]] T* get_if() const noexcept { return static_cast<T*>(detail::find_local(key_)); }

 private:
  const std::uint32_t key_ = detail::new_local_key();
  std::function<std::unique_ptr<T>()> make_;
};

}  // namespace WEFT_API weft
