// SPDX-License-Identifier: BSL-1.0
#pragma once
// test/model/sync.hpp - the model's side of weft's atomics seam: what `class Sync` is in a model
// test.
//
// `model::sync` has the members of base::real_sync. The variants below it break one promise each,
// for tests that say "without this the model test fails"; mutate() in explorer.hpp does the same
// per source line. Only within model::explore(): an operation outside an execution aborts.
#include <cstring>
#include <type_traits>

#include "explorer.hpp"
#include "memory.hpp"

namespace weft::model {

namespace ops {  // defined in ops.cpp

enum class strength { weak, strong };
using combine = std::uint64_t (*)(std::uint64_t old, std::uint64_t operand);

std::size_t create(const void* self, std::uint64_t value, where);
void destroy(std::size_t id, const void* self);
std::uint64_t load(std::size_t id, const void* self, std::memory_order, where);
void store(std::size_t id, const void* self, std::uint64_t value, std::memory_order, where);
std::uint64_t modify(std::size_t id, const void* self, combine, std::uint64_t operand,
                     std::memory_order, where);
bool compare_exchange(std::size_t id, const void* self, std::uint64_t& expected,
                      std::uint64_t desired, std::memory_order success, std::memory_order failure,
                      strength, where);
void fence(std::memory_order, where);
void light_fence(where);
void heavy_fence(where);
void pause(where);
void futex_wait(std::size_t id, const void* self, std::uint64_t expected, where);
void futex_wake(std::size_t id, const void* self, std::size_t most, where);

struct plain_shadow {
  where created;
  std::size_t writer = 0;
  std::uint32_t written_at = 0;
  vector_clock read_at{};
};
void plain_created(plain_shadow&);
void plain_read(plain_shadow&);
void plain_written(plain_shadow&);

}  // namespace ops

constexpr std::memory_order failure_order(std::memory_order success) noexcept {
  if (success == std::memory_order_acq_rel) return std::memory_order_acquire;
  return success == std::memory_order_release ? std::memory_order_relaxed : success;
}

template <class T>
class atomic {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(std::uint64_t));

 public:
  using value_type = T;
  static constexpr bool is_always_lock_free = true;

  atomic(where w = where::here()) : id_(ops::create(this, bits(T{}), w)) {}
  atomic(T value, where w = where::here()) : id_(ops::create(this, bits(value), w)) {}
  atomic(const atomic&) = delete;
  atomic& operator=(const atomic&) = delete;
  ~atomic() { ops::destroy(id_, this); }

  T load(std::memory_order o, where w = where::here()) const {
    return value(ops::load(id_, this, o, w));
  }
  void store(T v, std::memory_order o, where w = where::here()) {
    ops::store(id_, this, bits(v), o, w);
  }

  T exchange(T v, std::memory_order o, where w = where::here()) {
    return apply([](std::uint64_t, std::uint64_t n) { return n; }, v, o, w);
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order success,
                               std::memory_order failure, where w = where::here()) {
    return cas(expected, desired, success, failure, ops::strength::strong, w);
  }
  bool compare_exchange_strong(T& expected, T desired, std::memory_order o,
                               where w = where::here()) {
    return cas(expected, desired, o, failure_order(o), ops::strength::strong, w);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order success,
                             std::memory_order failure, where w = where::here()) {
    return cas(expected, desired, success, failure, ops::strength::weak, w);
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order o, where w = where::here()) {
    return cas(expected, desired, o, failure_order(o), ops::strength::weak, w);
  }

  T fetch_add(T v, std::memory_order o, where w = where::here()) {
    return apply(
        [](std::uint64_t a, std::uint64_t b) { return bits(static_cast<T>(value(a) + value(b))); },
        v, o, w);
  }
  T fetch_sub(T v, std::memory_order o, where w = where::here()) {
    return apply(
        [](std::uint64_t a, std::uint64_t b) { return bits(static_cast<T>(value(a) - value(b))); },
        v, o, w);
  }
  T fetch_or(T v, std::memory_order o, where w = where::here()) {
    return apply([](std::uint64_t a, std::uint64_t b) { return a | b; }, v, o, w);
  }
  T fetch_and(T v, std::memory_order o, where w = where::here()) {
    return apply([](std::uint64_t a, std::uint64_t b) { return a & b; }, v, o, w);
  }
  T fetch_xor(T v, std::memory_order o, where w = where::here()) {
    return apply([](std::uint64_t a, std::uint64_t b) { return a ^ b; }, v, o, w);
  }

  // One step of the test's own, such as a system call.
  T update(ops::combine f, T v, std::memory_order o, where w = where::here()) {
    return apply(f, v, o, w);
  }

  // The kernel's futex on this word, for tests that need somebody to sleep.
  void futex_wait(T expected, where w = where::here()) {
    ops::futex_wait(id_, this, bits(expected), w);
  }
  void futex_wake(std::size_t most, where w = where::here()) {
    ops::futex_wake(id_, this, most, w);
  }

 private:
  static std::uint64_t bits(T v) noexcept {
    std::uint64_t b = 0;
    std::memcpy(&b, &v, sizeof v);
    return b;
  }
  static T value(std::uint64_t b) noexcept {
    T v{};
    std::memcpy(&v, &b, sizeof v);
    return v;
  }
  T apply(ops::combine f, T v, std::memory_order o, where w) {
    return value(ops::modify(id_, this, f, bits(v), o, w));
  }
  bool cas(T& expected, T desired, std::memory_order success, std::memory_order failure,
           ops::strength s, where w) {
    std::uint64_t e = bits(expected);
    const bool done = ops::compare_exchange(id_, this, e, bits(desired), success, failure, s, w);
    expected = value(e);
    return done;
  }

  std::size_t id_;
};

// Data that the protocol under test promises to keep private or ordered: every access is checked
// for races.
template <class T>
class plain {
 public:
  plain(where w = where::here()) : shadow_{w, 0, 0, {}} { ops::plain_created(shadow_); }
  plain(T value, where w = where::here()) : value_(std::move(value)), shadow_{w, 0, 0, {}} {
    ops::plain_created(shadow_);
  }
  plain(const plain&) = delete;
  ~plain() { ops::plain_written(shadow_); }
  plain& operator=(const plain& other) { return *this = other.read(); }
  plain& operator=(T value) {
    write(std::move(value));
    return *this;
  }
  plain& operator-=(T by) { return *this = static_cast<T>(read() - by); }
  plain& operator--() { return *this -= 1; }
  operator T() const { return read(); }
  T operator->() const { return read(); }

  T read() const {
    ops::plain_read(shadow_);
    return value_;
  }
  void write(T value) {
    ops::plain_written(shadow_);
    value_ = std::move(value);
  }

 private:
  T value_{};
  mutable ops::plain_shadow shadow_;
};

struct sync {
  template <class T>
  using atomic = model::atomic<T>;
  template <class T>
  using plain = model::plain<T>;

  static void fence(std::memory_order o, where w = where::here()) { ops::fence(o, w); }
  static void light_fence(where w = where::here()) { ops::light_fence(w); }
  static void heavy_fence(where w = where::here()) { ops::heavy_fence(w); }
  static void pause(where w = where::here()) { ops::pause(w); }
  static void futex_wait(atomic<std::uint32_t>& word, std::uint32_t expected,
                         where w = where::here()) {
    word.futex_wait(expected, w);
  }
  static void futex_wake(atomic<std::uint32_t>& word, std::size_t most, where w = where::here()) {
    word.futex_wake(most, w);
  }
};

struct no_fence_sync : sync {
  static void fence(std::memory_order, where = where::here()) {}
};
struct no_heavy_fence_sync : sync {
  static void heavy_fence(where = where::here()) {}
};
// membarrier replaced by an ordinary full fence of the caller.
struct local_heavy_fence_sync : sync {
  static void heavy_fence(where w = where::here()) { ops::fence(std::memory_order_seq_cst, w); }
};

}  // namespace weft::model
