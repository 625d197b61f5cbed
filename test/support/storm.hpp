// SPDX-License-Identifier: BSL-1.0
#pragma once
// support/storm.hpp - what the tests of the monitor share: a look into a runtime, and its random
// storm.

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <string>

#include <unistd.h>

#include <weft/weft.hpp>

#include "api/runtime_access.hpp"
#include "base/sanitizers.hpp"
#include "support/emulator.hpp"
#include "support/runtimes.hpp"
#include "watch/runtime_watch.hpp"

namespace weft::detail {

struct watch_probe {
  static runtime_watch& of(scheduler& s) noexcept { return static_cast<runtime_watch&>(s.watch()); }
  static std::uint64_t blind_looks(scheduler& s) noexcept { return of(s).thawer_.blind_looks(); }
  static std::uint64_t retakes(scheduler& s) noexcept { return of(s).retaker_.count(); }
  static std::uint64_t preemptions(scheduler& s) noexcept { return of(s).preempter_.count(); }
  static void ask_for_cpus_every(scheduler& s, std::chrono::nanoseconds pause) noexcept {
    of(s).resizer_.every_ns_.store(pause.count(), std::memory_order_relaxed);
  }
  static void compensate(scheduler& s, std::size_t extra) noexcept {
    of(s).resizer_.compensate(extra);
  }
  static void stress(scheduler& s, std::uint32_t kinds) noexcept {
    of(s).monitor_.stress_.store(kinds, std::memory_order_relaxed);
    s.monitor_call().wake();
  }
};

struct scheduler_probe {
  static scheduler& of(const runtime& rt) noexcept { return runtime_access::scheduler_of(rt); }
  static std::uint64_t retakes(runtime& rt) noexcept { return watch_probe::retakes(of(rt)); }
  static std::uint64_t preemptions(runtime& rt) noexcept {
    return watch_probe::preemptions(of(rt));
  }
  static std::size_t threads(runtime& rt) noexcept { return of(rt).threads().made(); }
  static std::size_t threads_running(runtime& rt) noexcept { return of(rt).threads().running(); }
  static std::uint64_t blind_looks(runtime& rt) noexcept {
    return watch_probe::blind_looks(of(rt));
  }
  /// Those of workers that go to sleep from now on, and of offloads.
  static void end_idle_threads_after(runtime& rt, std::chrono::nanoseconds idle) noexcept {
    of(rt).idle_thread_ns_.store(idle.count(), std::memory_order_relaxed);
    of(rt).offloads_.end_idle_after(idle.count());
  }
  /// From now on it asks every so often how many CPUs it may use.
  static void ask_for_cpus_every(runtime& rt, std::chrono::nanoseconds pause) noexcept {
    watch_probe::ask_for_cpus_every(of(rt), pause);
  }
  /// So many more processors serve, until the monitor has another view.
  static void compensate(runtime& rt, std::size_t extra) noexcept {
    watch_probe::compensate(of(rt), extra);
  }
  static std::size_t processors_made(runtime& rt) noexcept { return of(rt).processors().size(); }
  static bool monitor_sleeps(runtime& rt) noexcept { return of(rt).monitor_call().is_asleep(); }
  static constexpr std::uint32_t preempts = monitor::stress_preempts,
                                 retake_all = monitor::stress_retakes;
  static void storm(runtime& rt, std::uint32_t kinds) noexcept {
    watch_probe::stress(of(rt), kinds);
  }
};

}  // namespace weft::detail

namespace weft::test {

using probe = detail::scheduler_probe;

/// ThreadSanitizer delivers signals at calls it intercepts only: a loop without one is never
/// preempted.
inline bool no_preemption_here() {
#if WEFT_TSAN
  MESSAGE("not under ThreadSanitizer: it holds signals back in code that calls nothing");
  return true;
#else
  return false;
#endif
}

/// What the calling thread has used of a CPU.
inline std::chrono::nanoseconds thread_cpu_time() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

/// Computes, without a call into weft, until the flag is set by somebody else.
inline void spin_until(const std::atomic<bool>& flag) {
  while (!flag.load(std::memory_order_acquire)) continue;  // the store that ends it
}

/// A pipe for calls that block in the kernel until somebody lets them go on.
class latch_pipe {
 public:
  latch_pipe() { REQUIRE(::pipe(ends_) == 0); }
  ~latch_pipe() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  latch_pipe(const latch_pipe&) = delete;
  latch_pipe& operator=(const latch_pipe&) = delete;
  /// Blocks, undeclared. What read(2) returned; with errno.
  ssize_t wait() {
    char c;
    return ::read(ends_[0], &c, 1);
  }
  void open(int times = 1) {
    for (int i = 0; i < times; ++i) REQUIRE(::write(ends_[1], "x", 1) == 1);
  }

 private:
  int ends_[2];
};

/// Seconds a soak runs: WEFT_SOAK_SECONDS, or a few.
inline std::chrono::milliseconds soak_time() {
  const char* text = std::getenv("WEFT_SOAK_SECONDS");
  return text != nullptr ? std::chrono::seconds(std::atoi(text)) : std::chrono::milliseconds(2000);
}

/// False under qemu, of which some counts, too, and does not go back.
inline bool resident_is_ours() {
  return !qemu_lacks("resident memory of the program alone in /proc");
}
inline std::size_t resident_kib() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}

}  // namespace weft::test
