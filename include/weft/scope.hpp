// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/scope.hpp - structured concurrency: fibers that do not outlive the block that started them.

#include <chrono>
#include <cstddef>
#include <exception>
#include <new>
#include <type_traits>
#include <utility>

#include <weft/detail/task.hpp>
#include <weft/options.hpp>

namespace weft {

/// The most children of a scope that may be alive at a time.
struct scope_limit {
  std::size_t value;
};

/// When the children of a scope are asked to stop, if they have not ended.
struct scope_deadline {
  std::chrono::steady_clock::time_point value;
};

namespace detail {
class scope_core;
[[nodiscard]] int uncaught_now() noexcept;

// The scope's state, laid out in src/api/scope.cpp.
class scope_base {
 public:
  scope_base(const scope_base&) = delete;
  scope_base& operator=(const scope_base&) = delete;

 protected:
  scope_base(std::size_t limit, std::chrono::steady_clock::time_point deadline);
  ~scope_base();
  void submit(task& t);                 // may wait for the limit
  void join_all();                      // rethrows the first failure
  void join_quietly() noexcept;         // asks to stop, waits, drops the failure
  void stop_all() noexcept;
  [[nodiscard]] bool stopping() const noexcept;
  [[nodiscard]] std::size_t children() const noexcept;

 private:
  scope_core& core() noexcept;
  const scope_core& core() const noexcept;
  alignas(16) std::byte storage_[160];
};
}  // namespace detail

/// Starts fibers and waits for all of them: leaving the block joins. The first child that throws stops its siblings
/// (request_stop on each), and `join` rethrows what it threw. Use it from the fiber or thread that made it; children
/// may spawn into it, too.
///
/// Lifetime: children may refer to what was declared before the scope in the same block.
/// Example: test/unit/examples_fibers_test.cpp [scope]
/// ```
///   {
///     weft::scope work(weft::scope_limit{64});
///     for (const auto& name : names) work.spawn([&] { bytes += name.size(); });
///   }  // all have ended; the first failure is thrown here
/// ```
class scope : detail::scope_base {
 public:
  scope() noexcept : scope_base(no_limit, no_deadline) {}
  /// At most `limit.value` children (at least 1) are alive at a time: spawn waits for a place.
  explicit scope(scope_limit limit) noexcept : scope_base(limit.value, no_deadline) {}
  /// As by request_stop at that moment, or at the deadline of a scope around it, whichever is nearer: the children, and
  /// those spawned later, are asked to stop. The scope still waits for them, and its owner is not asked.
  /// Throws: as weft::spawn.
  /// Example: test/unit/examples_fibers_test.cpp [scope_deadline]
  /// ```
  ///   {
  ///     weft::scope work(weft::scope_deadline{std::chrono::steady_clock::now() + 20ms});
  ///     work.spawn(ask);
  ///   }  // whatever it waited in was ended then
  /// ```
  explicit scope(scope_deadline deadline) : scope_base(no_limit, deadline.value) {}
  scope(scope_limit limit, scope_deadline deadline) : scope_base(limit.value, deadline.value) {}

  /// Joins. If the block is left by an exception the children are asked to stop and their failure is dropped;
  /// otherwise the first failure is rethrown from here, unless `join` was called before.
  ~scope() noexcept(false) {
    if (detail::uncaught_now() > uncaught_at_start_)
      join_quietly();
    else
      join_all();
  }

  /// Starts f(args...) as a child. In a scope that is stopping the child starts with its stop requested.
  ///
  /// Blocks: the caller, at the limit.   Throws: as weft::spawn.
  template <class F, class... A>
    requires(!std::is_same_v<std::decay_t<F>, attributes>)
  [[gnu::always_inline]] void spawn(F&& f, A&&... args) {
    submit(detail::make_task(nullptr, nullptr, std::forward<F>(f), std::forward<A>(args)...));
  }
  template <class F, class... A>
  [[gnu::always_inline]] void spawn(const attributes& attrs, F&& f, A&&... args) {
    submit(detail::make_task(nullptr, &attrs, std::forward<F>(f), std::forward<A>(args)...));
  }

  /// Waits until no child is left and rethrows the first failure. Children that have not started may run right here.
  /// A stop request on the caller is passed on to the children. The scope can be used again afterwards.
  ///
  /// Blocks: the caller.   Orders: everything the children did, before the return.
  void join() { join_all(); }

  /// Asks every child, and every later one, to stop.
  void request_stop() noexcept { stop_all(); }
  [[nodiscard]] bool stop_requested() const noexcept { return stopping(); }
  /// Children alive now.
  [[nodiscard]] std::size_t size() const noexcept { return children(); }

 private:
  static constexpr auto no_limit = static_cast<std::size_t>(-1);
  static constexpr auto no_deadline = std::chrono::steady_clock::time_point::max();
  int uncaught_at_start_ = detail::uncaught_now();
};

}  // namespace weft
