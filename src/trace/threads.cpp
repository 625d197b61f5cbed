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
#include "trace/thread_entry.hpp"

extern "C" void* __dso_handle;

namespace weft::detail::trace {
namespace {

constexpr std::uint32_t most_rings = 1024;
static_assert(most_rings < most_threads);
constinit ring rings[most_rings] = {};
constinit thread_entry<thread_info> entries[most_threads];
// Since the process began. release by take_ring, acquire by readers, who then see the entry
// [TRACE-5]
constinit std::atomic<std::uint32_t> begun{0};
constinit base::ranked_futex_lock<base::lock_rank::leaf> lock;
constinit std::uint32_t oldest = 0;  // under the lock: where to look for an entry to use again

// The first entry that nobody has used; then that of a thread that has ended, round about. Fewer
// threads than there are entries have a ring, so there is one. Under the lock.
thread_entry<thread_info>& next_entry(std::uint32_t number) noexcept {
  if (number < most_threads) return entries[number];
  for (;; ++oldest) {
    thread_entry<thread_info>& entry = entries[oldest % most_threads];
    thread_info was{};
    if (!entry.read(was)) continue;
    const ring& r = rings[was.ring];
    if (r.taken && r.incarnation == was.incarnation) continue;
    ++oldest;
    return entry;
  }
}

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
    const std::uint32_t n = begun.load(std::memory_order_relaxed);
    thread_info info{i, r.incarnation, os::thread_id(), t.role, t.runtime, t.index, {}};
    pthread_getname_np(pthread_self(), info.name, sizeof info.name);
    next_entry(n).write(info);
    begun.store(n + 1, std::memory_order_release);  // [TRACE-5]
    t.own = &r;
    return &r;
  }
  return nullptr;
}

// [TRACE-5]
std::uint32_t threads_begun() noexcept { return begun.load(std::memory_order_acquire); }
bool read_thread(std::uint32_t i, thread_info& info) noexcept { return entries[i].read(info); }

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
