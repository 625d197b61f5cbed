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
  scope_base(std::size_t limit, std::chrono::steady_clock::time_point deadline) noexcept;
  ~scope_base();
  void submit(task& t);          // may wait for the limit
  [[nodiscard]] bool reserve();  // a place, without waiting; then one of the two
  void submit_reserved(task& t) noexcept;
  void unreserve() noexcept;
  void join_all();               // rethrows the first failure
  void join_quietly() noexcept;  // asks to stop, waits, drops the failure
  void stop_all() noexcept;
  [[nodiscard]] bool stopping() const noexcept;
  [[nodiscard]] std::size_t children() const noexcept;

 private:
  scope_core& core() noexcept;
  const scope_core& core() const noexcept;
  alignas(16) std::byte storage_[160];
};
}  // namespace detail

/// Starts fibers and waits for all of them: leaving the block joins. The first child that throws
/// stops its siblings (request_stop on each), and `join` rethrows what it threw. Use it from the
/// fiber or thread that made it; children may spawn into it, too. With a limit, children that do so
/// may wait for each other for ever; then the deadlock detector says so (use try_spawn, or a scope
/// of their own).
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
  /// As by request_stop at that moment, or at the deadline of a scope around it, whichever is
  /// nearer: the children, and those spawned later, are asked to stop. The scope still waits for
  /// them, and its owner is not asked. Costs: a fiber that sleeps until then, from the first child
  /// on; also in a scope without one that lies in such a scope.
  /// Example: test/unit/examples_fibers_test.cpp [scope_deadline]
  /// ```
  ///   {
  ///     weft::scope work(weft::scope_deadline{std::chrono::steady_clock::now() + 20ms});
  ///     work.spawn(ask);
  ///   }  // whatever it waited in was ended then
  /// ```
  explicit scope(scope_deadline deadline) noexcept : scope_base(no_limit, deadline.value) {}
  scope(scope_limit limit, scope_deadline deadline) noexcept
      : scope_base(limit.value, deadline.value) {}

  /// Joins. If the block is left by an exception the children are asked to stop and their failure
  /// is dropped; otherwise the first failure is rethrown from here, unless `join` was called
  /// before.
  ~scope() noexcept(false) {
    if (detail::uncaught_now() > uncaught_at_start_)
      join_quietly();
    else
      join_all();
  }

  /// Starts f(args...) as a child. In a scope that is stopping, or past its deadline, the child
  /// starts with its stop requested.
  ///
  /// Blocks: the caller, at the limit, until a child has ended; places go to who waits in the order
  /// of asking. A stop request
  ///         on the caller is passed on to the children, as in `join`.
  /// Throws: as weft::spawn; then nothing was started.
  template <class F, class... A>
    requires(!std::is_same_v<std::decay_t<F>, attributes>)
  [[gnu::always_inline]] void spawn(F&& f, A&&... args) {
    submit(detail::make_task(nullptr, nullptr, std::forward<F>(f), std::forward<A>(args)...));
  }
  template <class F, class... A>
  [[gnu::always_inline]] void spawn(const attributes& attrs, F&& f, A&&... args) {
    submit(detail::make_task(nullptr, &attrs, std::forward<F>(f), std::forward<A>(args)...));
  }

  /// The same if no place has to be waited for. False: the scope is at its limit; `f` and `args`
  /// are as they were.
  ///
  /// Blocks: never.   Throws: as weft::spawn.
  /// Example: test/unit/examples_fibers_test.cpp [scope try_spawn]
  /// ```
  ///   weft::scope helpers(weft::scope_limit{2});
  ///   for (const int n : numbers) {
  ///     if (!helpers.try_spawn([&sum, n] { sum += n; })) sum += n;  // nobody is free: do it here
  ///   }
  /// ```
  template <class F, class... A>
    requires(!std::is_same_v<std::decay_t<F>, attributes>)
  [[nodiscard, gnu::always_inline]] bool try_spawn(F&& f, A&&... args) {
    return try_make(nullptr, std::forward<F>(f), std::forward<A>(args)...);
  }
  template <class F, class... A>
  [[nodiscard, gnu::always_inline]] bool try_spawn(const attributes& attrs, F&& f, A&&... args) {
    return try_make(&attrs, std::forward<F>(f), std::forward<A>(args)...);
  }

  /// Waits until no child is left and rethrows the first failure. Children that have not started
  /// may run right here. A stop request on the caller is passed on to the children. The scope can
  /// be used again afterwards.
  ///
  /// Blocks: the caller.   Orders: everything the children did, before the return.
  void join() { join_all(); }

  /// Asks every child, and every later one, to stop.
  void request_stop() noexcept { stop_all(); }
  [[nodiscard]] bool stop_requested() const noexcept { return stopping(); }
  /// Children alive now.
  [[nodiscard]] std::size_t size() const noexcept { return children(); }

 private:
  template <class F, class... A>
  [[gnu::always_inline]] bool try_make(const attributes* attrs, F&& f, A&&... args) {
    if (!reserve()) return false;
    detail::task* child = nullptr;
    try {
      child = &detail::make_task(nullptr, attrs, std::forward<F>(f), std::forward<A>(args)...);
    } catch (...) {
      unreserve();
      throw;
    }
    submit_reserved(*child);
    return true;
  }
  static constexpr auto no_limit = static_cast<std::size_t>(-1);
  static constexpr auto no_deadline = std::chrono::steady_clock::time_point::max();
  int uncaught_at_start_ = detail::uncaught_now();
};

}  // namespace weft
