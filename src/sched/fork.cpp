// SPDX-License-Identifier: BSL-1.0
// sched/fork.cpp - see the header.
#include "sched/fork.hpp"

#include <pthread.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <system_error>

#include "os/os.hpp"
#include "sched/worker.hpp"

namespace weft::detail {
namespace {

// relaxed: read by the forking thread, which owns these runtimes
constinit std::atomic<int> with_threads{0};
constinit std::atomic<bool> forked{false};  // relaxed: written when there is one thread

void in_child() noexcept {
  if (with_threads.load(std::memory_order_relaxed) == 0) return;
  forked.store(true, std::memory_order_relaxed);
  if (worker* w = this_worker()) w->gate.keep();
}

}  // namespace

void runtime_has_threads() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (const int error = pthread_atfork(nullptr, nullptr, &in_child))
      throw std::system_error(error, std::generic_category(), "weft: pthread_atfork");
  });
  with_threads.fetch_add(1, std::memory_order_relaxed);
}

void runtime_lost_threads() noexcept { with_threads.fetch_sub(1, std::memory_order_relaxed); }

bool is_forked_child() noexcept { return forked.load(std::memory_order_relaxed); }

void refuse_in_forked_child() noexcept {
  if (!is_forked_child()) [[likely]]
    return;
  os::write_stderr(
      "weft: this process was forked from one with a running runtime; its threads are not here, so "
      "nothing can run or "
      "wait. A forked child may only exec (or _exit); use posix_spawn to start programs, or fork "
      "before the first "
      "runtime is made; aborting\n");
  std::abort();
}

}  // namespace weft::detail
