// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/scope.hpp - structured concurrency: fibers that do not outlive the block that started them.

#include <chrono>
#include <cstddef>
#include <exception>
#include <new>
#include <type_traits>
#include <utility>

#include <weft/detail/export.hpp>
#include <weft/detail/task.hpp>
#include <weft/detail/unless_run.hpp>
#include <weft/options.hpp>

namespace WEFT_API weft {

/// The most children of a scope that may be alive at a time.
struct scope_limit {
  /// The number, at least 1.
  std::size_t value;
};

/// When a scope requests the stop of children that have not ended.
struct scope_deadline {
  /// The moment.
  std::chrono::steady_clock::time_point value;
};

namespace detail {
class scope_core;

// The scope's state, laid out in src/api/scope_core.hpp.
class scope_base {
 public:
  scope_base(const scope_base&) = delete;
  scope_base& operator=(const scope_base&) = delete;

 protected:
  scope_base(std::size_t limit, std::chrono::steady_clock::time_point deadline);
  ~scope_base();
  void submit(task& t);  // may wait for the limit
  // Takes a place, without waiting. Then one of the next two is called.
  [[nodiscard]] bool reserve();
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

/// Starts fibers and waits for all of them: leaving the block joins.
///
/// If a child throws, its siblings are asked to stop, and `join` rethrows what the first one threw.
/// Use a scope from the fiber or thread that made it; its children may spawn into it, too. If
/// children of a scope with a limit spawn into it, they may wait for each other for ever; the
/// deadlock detector reports that. Use try_spawn or a scope of their own instead.
/// Lifetime: children may refer to variables declared before the scope in the same block.
/// Example: test/unit/examples_fibers_test.cpp [scope]
/// ```
///   {
///     weft::scope work(weft::scope_limit{64});
///     for (const auto& name : names) work.spawn([&] { bytes += name.size(); });
///   }  // all have ended; the first failure is thrown here
/// ```
class scope : detail::scope_base {
 public:
  /// A scope without limit and deadline.
  scope() noexcept : scope_base(no_limit, no_deadline) {}
  /// A scope in which at most `limit.value` children are alive at a time. At the limit spawn waits.
  /// Throws: std::invalid_argument if the limit is 0.
  explicit scope(scope_limit limit) : scope_base(limit.value, no_deadline) {}

  /// A scope with a deadline: at that moment a stop is requested on all present and future
  /// children, as by request_stop. If the deadline of an enclosing scope is earlier, it counts
  /// instead.
  ///
  /// The scope still waits for its children, and its owner is not asked to stop.
  /// Costs: a fiber that sleeps until then, from the first child on; so does a scope without a
  /// deadline inside a scope with one.
  /// Example: test/unit/examples_fibers_test.cpp [scope_deadline]
  /// ```
  ///   {
  ///     weft::scope work(weft::scope_deadline{std::chrono::steady_clock::now() + 20ms});
  ///     work.spawn(ask);
  ///   }  // whatever it waited in was ended then
  /// ```
  explicit scope(scope_deadline deadline) noexcept : scope_base(no_limit, deadline.value) {}
  /// A scope with both.
  /// Throws: std::invalid_argument if the limit is 0.
  scope(scope_limit limit, scope_deadline deadline) : scope_base(limit.value, deadline.value) {}

  /// Joins the children, and rethrows the first failure unless `join` has done so.
  ///
  /// If an exception leaves the block, the children are asked to stop and their failure is dropped.
  /// Blocks: the calling fiber or thread, until every child has ended.
  ~scope() noexcept(false) {
    if (detail::uncaught_now() > uncaught_at_start_)
      join_quietly();
    else
      join_all();
  }

  /// Starts f(args...) as a child. If the scope is stopping or past its deadline, the child starts
  /// with its stop requested.
  /// Blocks: at the limit, the calling fiber or thread, until a child has ended; free places are
  /// given in the order of the calls. A stop request on the caller is passed on to the children, as
  /// in `join`.
  /// Throws: as weft::spawn; no child was started then.
  template <class F, class... A>
    requires(!std::is_same_v<std::decay_t<F>, attributes>)
  [[gnu::always_inline]] void spawn(F&& f, A&&... args) {
    submit(detail::make_task(nullptr, nullptr, std::forward<F>(f), std::forward<A>(args)...));
  }
  /// The same, with attributes.
  template <class F, class... A>
  [[gnu::always_inline]] void spawn(const attributes& attrs, F&& f, A&&... args) {
    submit(detail::make_task(nullptr, &attrs, std::forward<F>(f), std::forward<A>(args)...));
  }

  /// Starts f(args...) as a child if the scope is below its limit. Otherwise returns false and
  /// leaves `f` and `args` as they were.
  /// Blocks: never.
  /// Throws: as weft::spawn.
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
  /// The same, with attributes.
  template <class F, class... A>
  [[nodiscard, gnu::always_inline]] bool try_spawn(const attributes& attrs, F&& f, A&&... args) {
    return try_make(&attrs, std::forward<F>(f), std::forward<A>(args)...);
  }

  /// Waits until no child is left, then rethrows the first failure. The scope can be used again
  /// afterwards; but if it was stopped, by a failure too, each further child starts with a stop
  /// requested.
  ///
  /// Children that have not started may run inside join(). A stop request on the caller is passed
  /// on to the children.
  /// Blocks: the calling fiber or thread.
  /// Orders: everything the children did, before the return.
  void join() { join_all(); }

  /// Requests a stop on every child, and on every later one.
  /// Blocks: never.
  void request_stop() noexcept { stop_all(); }
  /// True if the scope is stopping.
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

}  // namespace WEFT_API weft
