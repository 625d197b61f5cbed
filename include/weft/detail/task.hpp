// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/detail/task.hpp - the part of a fiber record that templates see, and the entry points behind
// it.
//
// A spawn takes three steps: allocate_task, storing the callable (inline if it fits), submit_task.
// The callable moves to the fiber's stack when the fiber starts, so the same bytes then hold the
// result. A small trivial callable goes through one entry point in two registers instead
// (spawn_words), and so does its result (join_words), because each entry point costs two
// nanoseconds.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <stop_token>
#include <tuple>
#include <type_traits>
#include <utility>

#include <weft/detail/export.hpp>
#include <weft/detail/requirements.hpp>

namespace WEFT_API weft {
struct attributes;
struct options;
}  // namespace WEFT_API weft

namespace weft {
namespace WEFT_API this_fiber {
[[nodiscard]] std::stop_token stop_token();
}  // namespace WEFT_API this_fiber
}  // namespace weft

// Not in a namespace that is exported: its members are not.
namespace weft::detail {
class scheduler;
}

namespace weft {
namespace WEFT_API detail {

enum class start : std::uint8_t {
  run,      // run the callable; leave a result or an error
  discard,  // destroy it unused: there was no stack for it
};

struct task;

/// What can be done with the callable in a task, and with its result. One table per type.
struct task_operations {
  void (*invoke)(task&, start) noexcept;
  void (*drop_result)(task&) noexcept;  // null: nothing to destroy
};

/// What an entry point takes in registers.
struct words {
  std::uint64_t first, second;
};
template <class T>
inline constexpr bool in_words =
    std::is_trivially_copyable_v<T> && std::is_trivially_move_constructible_v<T> &&
    std::is_trivially_destructible_v<T> && sizeof(T) <= sizeof(words) && alignof(T) <= 16;

struct alignas(64) task {
  static constexpr std::size_t inline_size = 48;

  const task_operations* operations = nullptr;
  std::exception_ptr error;  // after the end: set, or there is a result
  alignas(16) std::byte storage[inline_size];

  void drop_result() noexcept {
    if (!error && operations->drop_result != nullptr) operations->drop_result(*this);
  }

  /// A type that may throw from its destructor goes onto the heap, where its memory is freed even
  /// if the destructor fails.
  template <class T>
  static constexpr bool fits =
      sizeof(T) <= inline_size && alignof(T) <= 16 && std::is_nothrow_destructible_v<T>;

  /// A T lives in `storage`, or on the heap with its address in `storage`.
  template <class T>
  T& object() noexcept {
    if constexpr (fits<T>)
      return *std::launder(reinterpret_cast<T*>(storage));
    else
      return **std::launder(reinterpret_cast<T**>(storage));
  }
  template <class T, class... A>
  void make(A&&... a) {
    if constexpr (fits<T>)
      ::new (static_cast<void*>(storage)) T(std::forward<A>(a)...);
    else
      ::new (static_cast<void*>(storage)) T*(new T(std::forward<A>(a)...));
  }
  template <class T>
  void destroy() noexcept {
    if constexpr (fits<T>)
      object<T>().~T();
    else
      delete std::addressof(object<T>());
  }
};

// ---- the entry points (src/api/)
/// A record for a new fiber of `s`, or for null of the current or the default runtime. Throws
/// std::system_error if the runtime is stopped or at its fiber limit.
[[nodiscard]] task& allocate_task(scheduler* s);
[[nodiscard]] task& allocate_task(scheduler* s, const attributes& a);
void abandon_task(task& t) noexcept;          // the callable could not be stored
void submit_task(task& t) noexcept;           // with a handle
void submit_detached_task(task& t) noexcept;  // without
/// allocate_task and submit_task of a callable whose bytes are `callable`.
[[nodiscard]] task& spawn_words(const task_operations& operations, words callable);
void join_task(task& t);  // until it has ended; may run it right here
/// join_task, and then: true if `result` has the first bytes of the storage and the task is
/// released; false if the fiber left an error.
[[nodiscard]] bool join_words(task& t, words& result);
/// `stop` ends the wait, too, unless it is null.
[[nodiscard]] bool join_task_until(task& t, std::chrono::steady_clock::time_point deadline,
                                   const std::stop_token* stop);
void release_task(task& t) noexcept;  // ended, result taken or dropped
void detach_task(task& t) noexcept;
void stop_task(task& t) noexcept;
[[nodiscard]] std::uint64_t task_id(const task& t) noexcept;

// ---- callables
struct nothing {};
template <class R>
using stored_result = std::conditional_t<
    std::is_void_v<R>, nothing,
    std::conditional_t<std::is_reference_v<R>, std::add_pointer_t<R>, std::remove_cv_t<R>>>;

template <class F>
struct discard_callable {
  task& t;
  ~discard_callable() { t.template destroy<F>(); }
};

/// A callable on the heap. Like std::unique_ptr, but lets exceptions of its destructor through.
template <class F>
struct heap_callable {
  F* const callable;
  ~heap_callable() noexcept(std::is_nothrow_destructible_v<F>) { delete callable; }
};

/// Is never thrown. A handler for it is asked whether it matches while the calls that led to a
/// throw are still on the stack, and notes them (src/sched/unhandled.cpp). Its destructor is
/// nowhere: so its std::type_info is made there. Visible in any case: a program compiled with
/// -fvisibility=hidden would else look for it in itself.
struct [[gnu::visibility("default")]] throw_witness {
  throw_witness() = delete;
  virtual ~throw_witness();
};

/// Whatever the call throws, or the destructor of the callable after it, becomes the fiber's
/// exception.
template <class F>
void run_callable(task& t, start how) noexcept {
  if (how == start::discard) {
    if constexpr (std::is_nothrow_destructible_v<F>) {
      t.template destroy<F>();
    } else {
      try {
        const heap_callable<F> last{std::addressof(t.template object<F>())};
      } catch (...) {  // the fiber has failed already, and says with what
      }
    }
    return;
  }
  using R = std::invoke_result_t<F>;
  using S = stored_result<R>;
  [[maybe_unused]] bool has_result = false;
  try {
    // Onto this stack first, so that the storage is free for the result.
    if constexpr (task::fits<F>) {
      F f = [&t]() -> F {
        const discard_callable<F> after{t};  // also when the move throws
        return F(std::move(t.template object<F>()));
      }();
      if constexpr (std::is_void_v<R>) {
        std::move(f)();
      } else if constexpr (std::is_reference_v<R>) {
        auto&& result = std::move(f)();
        t.template make<S>(std::addressof(result));
      } else {
        t.template make<S>(std::move(f)());
      }
    } else {
      const heap_callable<F> f{std::addressof(t.template object<F>())};
      if constexpr (std::is_void_v<R>) {
        std::move (*f.callable)();
      } else if constexpr (std::is_reference_v<R>) {
        auto&& result = std::move(*f.callable)();
        t.template make<S>(std::addressof(result));
      } else {
        t.template make<S>(std::move(*f.callable)());
      }
      if constexpr (!std::is_nothrow_destructible_v<F>) has_result = !std::is_void_v<R>;
    }
  } catch (const throw_witness&) {
  } catch (...) {
    if constexpr (!std::is_nothrow_destructible_v<F> && !std::is_void_v<R>)
      if (has_result) t.template destroy<S>();
    t.error = std::current_exception();
  }
}

template <class F>
void drop_result_of(task& t) noexcept {
  t.template destroy<stored_result<std::invoke_result_t<F>>>();
}

template <class F>
inline constexpr task_operations operations_of{
    &run_callable<F>, std::is_trivially_destructible_v<stored_result<std::invoke_result_t<F>>>&&
                              task::fits<stored_result<std::invoke_result_t<F>>>
                          ? nullptr
                          : &drop_result_of<F>};

/// `f` and its arguments, constructed in place.
template <class F, class... A>
class bound_callable {
 public:
  template <class G, class... B>
    requires(sizeof...(B) == sizeof...(A))
  explicit bound_callable(G&& f, B&&... args)
      : bound_(std::forward<G>(f), std::forward<B>(args)...) {}
  decltype(auto) operator()() && {
    return std::apply(
        [](auto&& g, auto&&... b) -> decltype(auto) {
          return std::invoke(std::move(g), std::move(b)...);
        },
        std::move(bound_));
  }

 private:
  std::tuple<F, A...> bound_;
};

/// What spawn() makes of a callable and its arguments: copies or moves them, as std::thread does,
/// and puts the fiber's stop token first if the callable takes one, as std::jthread does.
template <class F, class... A>
struct spawn_call {
  using callable = std::decay_t<F>;
  static constexpr bool stored =
      std::is_constructible_v<callable, F> && (std::is_constructible_v<std::decay_t<A>, A> && ...);
  static constexpr bool with_stop =
      std::is_invocable_v<callable, std::stop_token, std::decay_t<A>...>;
  static constexpr bool callable_with =
      with_stop || std::is_invocable_v<callable, std::decay_t<A>...>;
  static constexpr bool text = std::is_convertible_v<const callable&, const char*>;
  static constexpr bool wants_references =
      std::is_invocable_v<callable, std::decay_t<A>&...> ||
      std::is_invocable_v<callable, std::stop_token, std::decay_t<A>&...>;

  static_assert(!text,
                "weft::spawn: the first argument is text; a fiber's name goes into "
                "weft::attributes: weft::spawn({.name = ...}, f)");
  static_assert(stored,
                "weft::spawn: the callable and its arguments are copied or moved into the fiber, "
                "and one of them cannot be: std::move what can only be moved (std::unique_ptr)");
  static_assert(text || !stored || callable_with || !wants_references,
                "weft::spawn: the callable takes a reference, but the arguments are copied into "
                "the fiber; use std::ref for those it shall change, or take them by value");
  static_assert(text || !stored || callable_with || wants_references,
                "weft::spawn: the callable cannot be called with these arguments: their number or "
                "their types differ from its parameters");

  static constexpr bool valid = !text && stored && callable_with;
  static auto result() {
    if constexpr (!valid)
      return std::type_identity<void>();
    else if constexpr (with_stop)
      return std::type_identity<
          std::invoke_result_t<callable, std::stop_token, std::decay_t<A>...>>();
    else
      return std::type_identity<std::invoke_result_t<callable, std::decay_t<A>...>>();
  }
  /// The call, for those that keep the callable and the arguments themselves.
  static decltype(auto) call(callable& f, std::decay_t<A>&... a) {
    if constexpr (with_stop)
      return std::invoke(std::move(f), this_fiber::stop_token(), std::move(a)...);
    else if constexpr (valid)
      return std::invoke(std::move(f), std::move(a)...);
  }
};

/// Constrained, although spawn() is: a compiler without CWG 2369 (clang) forms its return type, and
/// meets the assertions above, before it looks at spawn's constraint.
template <class F, class... A>
  requires(!std::is_same_v<std::decay_t<F>, attributes>)
using spawn_result = typename decltype(spawn_call<F, A...>::result())::type;

/// Calls `f` with the fiber's stop token before the arguments.
template <class F>
struct stop_token_first {
  F f;
  template <class... B>
  decltype(auto) operator()(B&&... b) && {
    return std::invoke(std::move(f), this_fiber::stop_token(), std::forward<B>(b)...);
  }
};

/// Stores f(args...) in the task.
template <class F, class... A>
void store_callable(task& t, F&& f, A&&... a) {
  using call = spawn_call<F, A...>;
  if constexpr (!call::valid) {
    // Said already.
  } else if constexpr (call::with_stop) {
    using C = bound_callable<stop_token_first<std::decay_t<F>>, std::decay_t<A>...>;
    t.template make<C>(stop_token_first<std::decay_t<F>>{std::forward<F>(f)},
                       std::forward<A>(a)...);
    t.operations = &operations_of<C>;
  } else if constexpr (sizeof...(A) == 0) {
    using C = std::decay_t<F>;
    t.template make<C>(std::forward<F>(f));
    t.operations = &operations_of<C>;
  } else {
    using C = bound_callable<std::decay_t<F>, std::decay_t<A>...>;
    t.template make<C>(std::forward<F>(f), std::forward<A>(a)...);
    t.operations = &operations_of<C>;
  }
}

// Always inline, as all that calls submit_task or spawn_words: the tracer gets their return
// address, which has to be in the application's code.
template <class C>
[[gnu::always_inline]] inline task& spawn_in_words(const C& callable) {
  words bytes{};
  std::memcpy(&bytes, std::addressof(callable), sizeof(C));
  return spawn_words(operations_of<C>, bytes);
}

template <class F, class... A>
task& make_task(scheduler* s, const attributes* attrs, F&& f, A&&... a) {
  task& t = attrs != nullptr ? allocate_task(s, *attrs) : allocate_task(s);
  if constexpr (noexcept(detail::store_callable(t, std::forward<F>(f), std::forward<A>(a)...))) {
    detail::store_callable(t, std::forward<F>(f), std::forward<A>(a)...);
  } else {
    try {
      detail::store_callable(t, std::forward<F>(f), std::forward<A>(a)...);
    } catch (...) {
      abandon_task(t);
      throw;
    }
  }
  return t;
}

}  // namespace WEFT_API detail
}  // namespace weft
