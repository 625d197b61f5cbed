// SPDX-License-Identifier: BSL-1.0
#pragma once
// test/model/coroutine.hpp - the threads of a modelled program: stacks on one OS thread, switched
// by name.
//   start:  give a (recycled) stack a body          jump:  from one coroutine straight into another
// The root coroutine (default-constructed, never started) stands for the OS thread's own stack.
// Rejected: ucontext (two system calls per switch; an exploration makes tens of millions),
// boost::context::fiber (its destructor unwinds by throwing, which a noexcept algorithm under test
// turns into terminate).
#include <cstddef>
#include <memory>

namespace weft::model {

class coroutine {
 public:
  coroutine() = default;
  coroutine(const coroutine&) = delete;
  coroutine& operator=(const coroutine&) = delete;

  // The body must never return: it ends by jumping away for good.
  void start(void (*body)(void*), void* argument);

  // Suspends `from`, which must be running, and continues `to`; returns when somebody jumps to
  // `from`.
  static void jump(coroutine& from, coroutine& to);

  static constexpr std::size_t stack_size = 128 * 1024;

 private:
  struct entry;
  std::unique_ptr<std::byte[]> stack_;
  void* context_ = nullptr;
  void (*body_)(void*) = nullptr;
  void* argument_ = nullptr;
  const void* bottom_ = nullptr;  // for AddressSanitizer: where the stack in use is
  std::size_t size_ = 0;
  void* fake_stack_ = nullptr;
};

}  // namespace weft::model
