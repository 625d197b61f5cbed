// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/runtime.hpp - a set of processors with their threads; weft::run for programs that need just
// one.

#include <concepts>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include <weft/fiber.hpp>
#include <weft/offload.hpp>
#include <weft/options.hpp>

namespace weft {

struct runtime_metrics;  // weft/metrics.hpp

/// Runs fibers from its construction to `shutdown` or its destruction. Several may live at the same
/// time; fibers of different runtimes may use the same synchronisation objects.
class runtime {
 public:
  /// Throws: std::system_error, invalid_argument with a text that names the option;
  /// resource_unavailable_try_again
  ///         if a thread cannot be made.
  explicit runtime(const options& o = {});
  /// As shutdown().
  ~runtime();
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  /// As weft::spawn, into this runtime; from any thread.
  template <class F, class... A>
    requires(!std::is_same_v<std::decay_t<F>, attributes>)
  [[gnu::always_inline]] fiber<detail::spawn_result<F, A...>> spawn(F&& f, A&&... args) {
    detail::task& t =
        detail::make_task(scheduler_, nullptr, std::forward<F>(f), std::forward<A>(args)...);
    detail::submit_task(t);
    return fiber<detail::spawn_result<F, A...>>(t);
  }
  template <class F, class... A>
  [[gnu::always_inline]] fiber<detail::spawn_result<F, A...>> spawn(const attributes& attrs, F&& f,
                                                                    A&&... args) {
    detail::task& t =
        detail::make_task(scheduler_, &attrs, std::forward<F>(f), std::forward<A>(args)...);
    detail::submit_task(t);
    return fiber<detail::spawn_result<F, A...>>(t);
  }

  /// Ends the runtime, in this order:
  ///   1  spawns from outside its fibers fail (std::errc::operation_not_permitted)
  ///   2  every fiber is asked to stop
  ///   3  waits up to options::shutdown_timeout until none is left
  ///   4  names those that are left, on stderr: id, name, state, why and where they wait; then
  ///      options::on_stragglers decides
  ///   5  the threads end
  ///   6  those that are left take nothing more from the channels, locks and other objects they
  ///      wait for: values, permits and notifications go to the next one; a join of them fails
  ///      (std::errc::no_such_process). What they hold they keep.
  /// A second call returns at once. Returns the number of fibers left behind.
  /// Blocks: the calling thread. Throws: std::system_error, resource_deadlock_would_occur from a
  /// fiber of this runtime.
  std::size_t shutdown();

  /// Processors in service: options::workers; or, if that was 0, as many as it may use CPUs now.
  [[nodiscard]] std::size_t workers() const noexcept;
  [[nodiscard]] std::size_t fibers() const noexcept;  // alive now
  [[nodiscard]] offload_statistics offloads() const noexcept;
  friend runtime_metrics metrics(const runtime& rt);  // weft/metrics.hpp

 private:
  detail::scheduler* scheduler_;
};

/// How the default runtime is to be set up: that of weft::spawn, offload and selects over
/// descriptors on threads that are no fiber's. It starts at the first of these calls.
///
/// It is never shut down. It outlives every static object, and when the process ends - by return
/// from main, by std::exit or std::quick_exit, on whatever thread or fiber - its fibers end with
/// it, wherever they are; nobody waits for them. Once exit has begun to destroy what is older than
/// the runtime's first use, spawns from outside its fibers fail
/// (std::errc::operation_not_permitted); all else works to the end. Use weft::run or a
/// weft::runtime for fibers that are to end in order.
/// Blocks: never.   Throws: std::system_error, device_or_resource_busy if it runs already;
///                  invalid_argument as
/// runtime::runtime.   Example: test/unit/default_runtime_test.cpp [its options]
void set_default_options(const options& o);

namespace detail {
void check_run_outside_fiber();
}

/// Starts a runtime, runs `main` as its first fiber, shuts it down when that returns, and returns
/// what it returned (0 if it returns nothing). Fibers still there are treated as runtime::shutdown
/// says.
///
/// Blocks: the calling thread.   Throws: what `main` threw; as runtime::runtime.
/// From within a fiber it throws std::system_error, resource_deadlock_would_occur.
template <class F>
  requires std::invocable<std::decay_t<F>>
// so that the tracer names the caller
[[gnu::always_inline]] inline auto run(const options& o, F&& main) {
  using R = std::invoke_result_t<std::decay_t<F>>;
  detail::check_run_outside_fiber();
  runtime rt(o);
  auto first = rt.spawn(std::forward<F>(main));
  if constexpr (std::is_void_v<R>) {
    first.join();
    return 0;
  } else {
    return first.join();
  }
}
template <class F>
  requires std::invocable<std::decay_t<F>>
[[gnu::always_inline]] inline auto run(F&& main) {
  return run(options{}, std::forward<F>(main));
}

}  // namespace weft
