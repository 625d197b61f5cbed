// SPDX-License-Identifier: BSL-1.0
#pragma once
// support/failing_memory.hpp - operator new, malloc and realloc that fail at the nth call of a
// thread, or now and then in every thread. Include it in one file of a test, which is linked as
// test/CMakeLists.txt says.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "base/sanitizers.hpp"

extern "C" {
void* __real_malloc(std::size_t);
void* __real_realloc(void*, std::size_t);
}

namespace weft::test {

enum class failing : std::uint8_t { once, from_then_on };

/// Of the calling thread. Not inline: a fiber may ask on another thread than before.
class memory {
 public:
  [[gnu::noinline]] static void fail_at(std::uint64_t nth, failing how) noexcept {
    how_ = how;
    calls_ = 0;
    nth_ = nth;
  }
  /// As ever from now on. True: a call has failed.
  [[gnu::noinline]] static bool recover() noexcept {
    const bool failed = nth_ != 0 && calls_ >= nth_;
    nth_ = 0;
    return failed;
  }
  /// One call in `n` fails from now on, whichever thread makes it; 0: none.
  static void fail_one_in(std::uint64_t n) noexcept { one_in_.store(n, std::memory_order_relaxed); }
  [[gnu::noinline]] static bool fails_now() noexcept {
    if (const std::uint64_t n = one_in_.load(std::memory_order_relaxed))
      return made_.fetch_add(1, std::memory_order_relaxed) % n == 0;
    if (nth_ == 0) return false;
    ++calls_;
    return calls_ == nth_ || (calls_ > nth_ && how_ == failing::from_then_on);
  }

 private:
  static inline thread_local constinit std::uint64_t nth_ = 0, calls_ = 0;  // nth_ 0: none fails
  static inline thread_local constinit failing how_ = failing::once;
  static inline constinit std::atomic<std::uint64_t> one_in_{0}, made_{0};
};

}  // namespace weft::test

extern "C" {
void* __wrap_malloc(std::size_t n) {
  return weft::test::memory::fails_now() ? nullptr : __real_malloc(n);
}
void* __wrap_realloc(void* p, std::size_t n) {
  return weft::test::memory::fails_now() ? nullptr : __real_realloc(p, n);
}
}

#if defined(__clang__) && (WEFT_ASAN || WEFT_TSAN)
// clang's sanitizers have these operators in the program, and allow no second ones. Wrapped, they
// fail for weft's code and the test's, but not for what the standard library has compiled itself.
#define WEFT_FAILING_NEW(name, parameters, arguments)            \
  void* __real_##name parameters;                                \
  void* __wrap_##name parameters {                               \
    if (weft::test::memory::fails_now()) throw std::bad_alloc(); \
    return __real_##name arguments;                              \
  }
#define WEFT_FAILING_NOTHROW_NEW(name)                                      \
  void* __real_##name(std::size_t, const std::nothrow_t&) noexcept;         \
  void* __wrap_##name(std::size_t n, const std::nothrow_t& t) noexcept {    \
    return weft::test::memory::fails_now() ? nullptr : __real_##name(n, t); \
  }
extern "C" {
WEFT_FAILING_NEW(_Znwm, (std::size_t n), (n))
WEFT_FAILING_NEW(_Znam, (std::size_t n), (n))
WEFT_FAILING_NEW(_ZnwmSt11align_val_t, (std::size_t n, std::align_val_t a), (n, a))
WEFT_FAILING_NEW(_ZnamSt11align_val_t, (std::size_t n, std::align_val_t a), (n, a))
WEFT_FAILING_NOTHROW_NEW(_ZnwmRKSt9nothrow_t)
WEFT_FAILING_NOTHROW_NEW(_ZnamRKSt9nothrow_t)
}
#undef WEFT_FAILING_NEW
#undef WEFT_FAILING_NOTHROW_NEW
#else
// GCC takes the free in a replaced operator delete for one of memory that new gave.
#pragma GCC diagnostic push
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif
void* operator new(std::size_t n) {
  if (weft::test::memory::fails_now()) throw std::bad_alloc();
  if (void* p = __real_malloc(n != 0 ? n : 1)) return p;
  throw std::bad_alloc();
}
void* operator new[](std::size_t n) { return ::operator new(n); }
// weft asks none of these: a program may have replaced the others only (os/try_new.hpp).
void* operator new(std::size_t, const std::nothrow_t&) noexcept { std::abort(); }
void* operator new[](std::size_t, const std::nothrow_t&) noexcept { std::abort(); }
void* operator new(std::size_t n, std::align_val_t align) {
  const auto a = static_cast<std::size_t>(align);
  if (!weft::test::memory::fails_now())
    if (void* p = std::aligned_alloc(a, (n + a - 1) / a * a)) return p;
  throw std::bad_alloc();
}
void* operator new[](std::size_t n, std::align_val_t align) { return ::operator new(n, align); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
#pragma GCC diagnostic pop
#endif
