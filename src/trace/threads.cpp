// SPDX-License-Identifier: BSL-1.0
// trace/threads.cpp - a ring for each thread that records, and a table of the threads.
//
// All of it stands ready in static memory (untouched pages cost nothing): a thread gets its ring at
// its first event, which may happen in a signal handler (watch/preempter.cpp), where nothing may be
// allocated.
#include <cxxabi.h>

#include <cstring>

#include <pthread.h>

#include "base/lock_guard.hpp"
#include "trace/recorder.hpp"

extern "C" void* __dso_handle;

namespace weft::detail::trace {
namespace {

constexpr std::uint32_t most_rings = 1024, most_threads = 4096;
constinit ring rings[most_rings] = {};
constinit thread_info infos[most_threads] = {};
// release by take_ring, acquire by readers [TRACE-5]
constinit std::atomic<std::uint32_t> info_count{0};
constinit base::ranked_futex_lock<base::lock_rank::leaf> lock;

void give_ring(ring& r) noexcept {
  if (r.current != nullptr) {
    close_block(r);
    shared.blocks.release(*r.current);
  }
  r.current = nullptr;
  r.at = r.room = nullptr;
  const base::lock_guard guard(lock);
  r.taken = false;
}

void end_of_thread(void*) noexcept { thread_ends(); }

}  // namespace

[[gnu::tls_model("initial-exec")]] thread_local constinit thread_slot slot_of_thread;

ring* take_ring(thread_slot& t) noexcept {
  if (!t.known && !t.ends) {  // not one of weft's: nothing else will say when it ends
    t.ends = true;
    abi::__cxa_thread_atexit(&end_of_thread, nullptr, &__dso_handle);
  }
  const base::lock_guard guard(lock);
  for (std::uint32_t i = 0; i < most_rings; ++i) {
    ring& r = rings[i];
    if (r.taken) continue;
    r.taken = true;
    r.number = i;
    ++r.incarnation;
    r.sequence = 0;
    r.lost = 0;
    const std::uint32_t n = info_count.load(std::memory_order_relaxed);
    if (n < most_threads) {
      thread_info& info = infos[n];
      info = {i, r.incarnation, os::thread_id(), t.role, t.runtime, t.index, {}};
      pthread_getname_np(pthread_self(), info.name, sizeof info.name);
      info_count.store(n + 1, std::memory_order_release);  // [TRACE-5]
    }
    t.own = &r;
    return &r;
  }
  return nullptr;
}

// [TRACE-5]
std::uint32_t thread_count() noexcept { return info_count.load(std::memory_order_acquire); }
const thread_info& thread_at(std::uint32_t i) noexcept { return infos[i]; }

void thread_begins(thread_role role, std::uint32_t runtime, std::uint32_t index) noexcept {
  thread_slot& t = slot_of_thread;
  t.known = true;
  t.role = role;
  t.runtime = runtime;
  t.index = index;
}

void thread_ends() noexcept {
  thread_slot& t = slot_of_thread;
  ring* const r = t.own;
  t.own = nullptr;
  t.ends = false;
  if (r != nullptr) give_ring(*r);
}

}  // namespace weft::detail::trace
