// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/runtime.hpp - a set of processors with their threads, and weft::run for programs that need
// one.

#include <concepts>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include <weft/detail/export.hpp>
#include <weft/fiber.hpp>
#include <weft/offload.hpp>
#include <weft/options.hpp>

namespace WEFT_API weft {

namespace detail {
struct runtime_access;
}

/// Runs fibers from its construction until `shutdown` or its destruction.
///
/// Several runtimes may exist at the same time. Fibers of different runtimes may use the same
/// synchronisation objects.
/// Example: test/unit/examples_api_test.cpp [runtime]
/// ```
///   weft::options o;
///   o.workers = 2;
///   o.name = "background";
///   weft::runtime background(o);
///   auto f = background.spawn([] { return 6 * 7; });  // from any thread
///   sum += f.join();
///   const std::size_t left_behind = background.shutdown();
/// ```
class runtime {
 public:
  /// Starts the runtime and its threads.
  /// Throws: std::system_error with invalid_argument and a text that names the wrong option;
  /// resource_unavailable_try_again if a thread cannot be made.
  explicit runtime(const options& o = {});
  /// Calls shutdown().
  ~runtime();
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  /// As weft::spawn, but into this runtime. May be called from any thread or fiber.
  template <class F, class... A>
    requires(!std::is_same_v<std::decay_t<F>, attributes>)
  [[gnu::always_inline]] fiber<detail::spawn_result<F, A...>> spawn(F&& f, A&&... args) {
    detail::task& t =
        detail::make_task(scheduler_, nullptr, std::forward<F>(f), std::forward<A>(args)...);
    detail::submit_task(t);
    return fiber<detail::spawn_result<F, A...>>(t);
  }
  /// As weft::spawn with attributes, but into this runtime.
  template <class F, class... A>
  [[gnu::always_inline]] fiber<detail::spawn_result<F, A...>> spawn(const attributes& attrs, F&& f,
                                                                    A&&... args) {
    detail::task& t =
        detail::make_task(scheduler_, &attrs, std::forward<F>(f), std::forward<A>(args)...);
    detail::submit_task(t);
    return fiber<detail::spawn_result<F, A...>>(t);
  }

  /// Ends the runtime and returns the number of fibers it left behind. A second call returns at
  /// once.
  ///
  /// It takes these steps, in this order:
  ///   1  Spawns from outside its fibers fail from now on (std::errc::operation_not_permitted).
  ///   2  A stop is requested on every fiber.
  ///   3  It waits until no fiber is left, for at most options::shutdown_timeout.
  ///   4  It names the remaining fibers on stderr: id, name, state, why and where each waits. Then
  ///      options::on_stragglers decides.
  ///   5  The threads end.
  ///   6  The remaining fibers take nothing more from the channels, locks and other objects they
  ///      wait for: values, permits and notifications go to the next waiter. What they hold they
  ///      keep. A join of such a fiber fails (std::errc::no_such_process).
  ///
  /// Blocks: the calling thread.
  /// Throws: std::system_error with resource_deadlock_would_occur if a fiber of this runtime calls
  /// it.
  std::size_t shutdown();

  /// Processors in service: options::workers or, if that is 0, as many CPUs as the process may use
  /// now. Those that serve because others are blocked (options::retake) are not counted;
  /// weft::metrics() has them.
  [[nodiscard]] std::size_t workers() const noexcept;
  /// Fibers alive now.
  [[nodiscard]] std::size_t fibers() const noexcept;
  /// What the pool for offloaded calls is doing.
  [[nodiscard]] offload_statistics offloads() const noexcept;

 private:
  friend struct detail::runtime_access;
  detail::scheduler* scheduler_;
};

/// Sets the options of the default runtime, which serves weft::spawn, weft::offload and selects
/// over descriptors on threads that run no fiber. The first of these calls starts it.
///
/// The default runtime is never shut down and outlives every static object. When the process ends -
/// by return from main, std::exit or std::quick_exit, on any thread or fiber - its fibers end with
/// it, wherever they are; exit does not wait for them. Once exit has begun to destroy objects older
/// than the runtime's first use, spawns from outside its fibers fail
/// (std::errc::operation_not_permitted); everything else works to the end. If fibers must end in
/// order, use weft::run or a weft::runtime.
/// Blocks: never.
/// Throws: std::system_error with device_or_resource_busy if the default runtime already runs;
/// invalid_argument as runtime::runtime.
/// Example: test/unit/default_runtime_test.cpp [its options]
void set_default_options(const options& o);

namespace detail {
void check_run_outside_fiber();
}

/// Starts a runtime, runs `main` as its first fiber, shuts the runtime down when `main` returns,
/// and returns what `main` returned (0 if it returns nothing). Fibers that remain are treated as
/// runtime::shutdown says.
/// Blocks: the calling thread.
/// Throws: what `main` threw; as runtime::runtime; std::system_error with
/// resource_deadlock_would_occur if a fiber calls it.
template <class F>
  requires std::invocable<std::decay_t<F>>
// inlined, so that the tracer names the caller
[[gnu::always_inline]] inline decltype(auto) run(const options& o, F&& main) {
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
/// The same with default options.
template <class F>
  requires std::invocable<std::decay_t<F>>
[[gnu::always_inline]] inline decltype(auto) run(F&& main) {
  return weft::run(options{}, std::forward<F>(main));
}

}  // namespace WEFT_API weft
