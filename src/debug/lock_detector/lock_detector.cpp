// SPDX-License-Identifier: BSL-1.0
// debug/lock_detector/lock_detector.cpp - weft::lock_detector: names each fiber once that parks
// while it holds a pthread mutex.
//
//   lock, trylock, timedlock, clocklock   the real call; if it succeeded on a fiber, the mutex has
//                                         a holder
//   unlock                                the holder is forgotten, whichever thread unlocks; then
//                                         the real call
//   park                                  if this fiber holds any: its name, the mutexes and its
//                                         stack, on stderr
//
// It is not part of the library: an application links the target weft::lock_detector, say in its
// debug builds. The functions here stand in front of glibc's; calls of std::mutex and of every
// shared library come by, because the executable is searched first. Parking with a lock is legal,
// and weft copes (a contender's thread blocks, its processor goes on), but each contender costs a
// thread meanwhile, and the fiber may unlock on another thread than it locked.
//
// It does not see glibc's own calls. So a mutex that pthread_cond_wait gives back and takes again
// stays held here, as it does for the caller: the thread sleeps there, no fiber parks. Nor does it
// see rwlocks and spin locks, or inlined locks of others. It allocates nothing on the way, because
// malloc locks, too. A table that is full forgets, and then reports nothing. It works with a static
// and a shared weft, with g++ and clang, and under AddressSanitizer. Under ThreadSanitizer the file
// is empty: TSan must see the calls itself, and it knows the fibers. A static glibc has these
// functions in the executable already: the link fails there and says so.
// Rejected: a counter per thread (locked here, unlocked there); one per fiber (the unlocker may be
// another fiber); LD_PRELOAD (it would have to find the weft inside a statically linked program).
#include "base/sanitizers.hpp"

extern "C" {
extern const int weft_lock_detector_linked;  // the target asks the linker for it
const int weft_lock_detector_linked = 1;
}

#if !WEFT_TSAN

#include <dlfcn.h>
#include <pthread.h>
#include <unwind.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>

#include "base/one_line.hpp"
#include "debug/code_location.hpp"
#include "os/os.hpp"
#include "sched/park.hpp"
#include "sched/worker.hpp"

namespace weft::detail {
namespace {

struct holding {
  const void* mutex = nullptr;  // null: free
  std::uint64_t fiber = 0;
  std::uint32_t depth = 0;  // of a recursive one
};

// A shard for each few mutexes, under a spin lock: a handful of loads each, and the real lock is
// taken outside. `held` lets a park look into those only that hold something.
struct shard {
  std::atomic_flag lock;
  std::atomic<std::uint32_t> held{0};  // under the lock; relaxed reads: a fiber sees its own
  std::array<holding, 16> all;         // under the lock
};
constinit std::array<shard, 256> shards{};

class shard_guard {
 public:
  // The holder is not stopped for long: a preemption inside would make all others spin until its
  // turn.
  explicit shard_guard(shard& s) noexcept : s_(s) {
    base::begin_lock_section();
    while (s_.lock.test_and_set(std::memory_order_acquire)) os::cpu_relax();  // [LOCK-1]
  }
  ~shard_guard() {
    s_.lock.clear(std::memory_order_release);  // [LOCK-1]
    base::end_lock_section();
  }
  shard_guard(const shard_guard&) = delete;
  shard_guard& operator=(const shard_guard&) = delete;

 private:
  shard& s_;
};

shard& shard_of(const void* mutex) noexcept {
  return shards[(reinterpret_cast<std::uintptr_t>(mutex) >> 4) * 0x9e3779b97f4a7c15U >> 56];
}

void locked(const void* mutex) noexcept {
  const worker* w = this_worker();
  const fiber_record* f = w != nullptr ? w->current : nullptr;
  if (f == nullptr) return;
  shard& s = shard_of(mutex);
  const shard_guard guard(s);
  holding* room = nullptr;
  for (holding& h : s.all) {
    if (h.mutex == mutex) {
      if (h.fiber == f->id) {
        ++h.depth;
      } else {
        h = {mutex, f->id, 1};  // it was unlocked behind our back
      }
      return;
    }
    if (h.mutex == nullptr && room == nullptr) room = &h;
  }
  if (room == nullptr) return;
  *room = {mutex, f->id, 1};
  s.held.fetch_add(1, std::memory_order_relaxed);
}

void unlocked(const void* mutex) noexcept {
  shard& s = shard_of(mutex);
  if (s.held.load(std::memory_order_relaxed) == 0) return;
  const shard_guard guard(s);
  for (holding& h : s.all) {
    if (h.mutex != mutex) continue;
    if (--h.depth > 0) return;
    h = {};
    s.held.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
}

_Unwind_Reason_Code add_frame(_Unwind_Context* c, void* to) {
  auto& text = *static_cast<std::string*>(to);
  const auto at = static_cast<std::uintptr_t>(_Unwind_GetIP(c));
  if (at != 0) text += "      " + describe_code(reinterpret_cast<const void*>(at)) + "\n";
  return _URC_NO_REASON;
}

void report(fiber_record& f, const std::array<const void*, 8>& mutexes, std::size_t n) {
  std::string text = "weft: fiber " + std::to_string(f.id);
  if (const fiber_extras* x = f.extras.load(std::memory_order_acquire))
    if (!x->name.empty()) text += " \"" + one_line(x->name) + "\"";
  text +=
      std::string(" parks (") + to_text(f.reason.load(std::memory_order_relaxed)) + ") and holds ";
  text += n == 1 ? "a pthread mutex," : std::to_string(n) + " pthread mutexes,";
  for (std::size_t i = 0; i < n; ++i) {
    char at[32];
    std::snprintf(at, sizeof at, " %p", mutexes[i]);
    text += at;
  }
  text +=
      ". A fiber that locks it meanwhile blocks a whole thread; with weft::mutex it would park. "
      "Reported once for this fiber:\n";
  _Unwind_Backtrace(&add_frame, &text);
  os::write_stderr(text);
}

void check_before_park(fiber_record& f) noexcept try {
  if (f.told_of_locks.load(std::memory_order_relaxed) == f.id) return;
  std::array<const void*, 8> mutexes{};
  std::size_t n = 0;
  for (shard& s : shards) {
    if (s.held.load(std::memory_order_relaxed) == 0) continue;
    const shard_guard guard(s);
    for (const holding& h : s.all)
      if (h.mutex != nullptr && h.fiber == f.id && n < mutexes.size()) mutexes[n++] = h.mutex;
  }
  if (n == 0) return;
  f.told_of_locks.store(f.id, std::memory_order_relaxed);
  report(f, mutexes, n);
} catch (...) {
  // Without memory there is no report.
}

[[gnu::constructor]] void watch_parks() noexcept {
  before_park.store(&check_before_park, std::memory_order_release);  // [PARK-4] switch_to_park
}

// The next function of that name behind this one: glibc's, or a sanitizer's. Found at the first
// call, which may come before any constructor.
template <class F>
F* next(std::atomic<F*>& known, const char* name) noexcept {
  F* f = known.load(std::memory_order_relaxed);  // all callers find the same
  if (f == nullptr) {
    f = reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
    known.store(f, std::memory_order_relaxed);
  }
  return f;
}

using plain_call = int(pthread_mutex_t*);
using timed_call = int(pthread_mutex_t*, const timespec*);
using clock_call = int(pthread_mutex_t*, clockid_t, const timespec*);
constinit std::atomic<plain_call*> next_lock{nullptr}, next_trylock{nullptr}, next_unlock{nullptr};
constinit std::atomic<timed_call*> next_timedlock{nullptr};
constinit std::atomic<clock_call*> next_clocklock{nullptr};

int taken(pthread_mutex_t* m, int result) noexcept {
  if (result == 0) locked(m);
  return result;
}

}  // namespace
}  // namespace weft::detail

extern "C" {

int pthread_mutex_lock(pthread_mutex_t* m) noexcept {
  using namespace weft::detail;
  return taken(m, next(next_lock, "pthread_mutex_lock")(m));
}
int pthread_mutex_trylock(pthread_mutex_t* m) noexcept {
  using namespace weft::detail;
  return taken(m, next(next_trylock, "pthread_mutex_trylock")(m));
}
int pthread_mutex_timedlock(pthread_mutex_t* m, const timespec* until) noexcept {
  using namespace weft::detail;
  return taken(m, next(next_timedlock, "pthread_mutex_timedlock")(m, until));
}
int pthread_mutex_clocklock(pthread_mutex_t* m, clockid_t clock, const timespec* until) noexcept {
  using namespace weft::detail;
  return taken(m, next(next_clocklock, "pthread_mutex_clocklock")(m, clock, until));
}
int pthread_mutex_unlock(pthread_mutex_t* m) noexcept {
  using namespace weft::detail;
  unlocked(m);
  return next(next_unlock, "pthread_mutex_unlock")(m);
}

}  // extern "C"

#endif
