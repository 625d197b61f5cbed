// SPDX-License-Identifier: BSL-1.0
#pragma once
// os/os.hpp - what the scheduler needs of the kernel: threads, futexes, clocks, signals, memory,
// CPUs. Sockets and epoll are src/net's, maps and unwinding src/debug's, files src/trace's.
// Functions return errors, never throw, and are safe from any thread. "AS-safe" marks those that
// may be called in a signal handler. Where the kernel is too old or a sandbox forbids a call, the
// function falls back and says so; test_hooks forces each fallback and failure.

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>

#include <pthread.h>
#include <sys/types.h>

#include <weft/detail/export.hpp>

#include "os/kept_descriptor.hpp"

namespace weft::os {

// --- test hooks: set before the functions they concern are used; production code never writes them
struct hooks {
  std::atomic<bool> no_membarrier{false};       // registration fails as if the kernel lacked it
  std::atomic<int> membarrier_error{0};         // membarrier() fails with this errno
  std::atomic<bool> no_proc{false};             // thread states cannot be read
  std::atomic<bool> no_guard_advice{false};     // no MADV_GUARD_INSTALL
  std::atomic<bool> no_userfaultfd{false};      // nor userfaultfd: mprotect guards
  std::atomic<std::size_t> most_guards{0};      // what mprotect guards may be made, if not 0
  std::atomic<bool> no_vectored_advice{false};  // no process_madvise on oneself
  std::atomic<int> reserve_error{0};            // reserve() fails with this errno
  std::atomic<int> guard_error{0};              // install_guards() fails with this errno
  std::atomic<int> thread_error{0};             // check_thread_limit() fails with this errno
  // signal_thread() and send_preempt_signal() fail with this errno
  std::atomic<int> signal_error{0};
  std::atomic<int> alternate_stack_error{0};  // alternate_stack has this error
  std::atomic<unsigned> usable_cpus{0};       // what usable_cpus() says, if not 0
};
extern constinit hooks test_hooks;

// --- futex: private to the process; a wait may return for no reason
/// AS-safe.
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected) noexcept;
/// False if the deadline passed. steady_clock is CLOCK_MONOTONIC here.
bool futex_wait_until(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                      std::chrono::steady_clock::time_point deadline) noexcept;
/// Wakes up to `count` waiters; returns how many. AS-safe; touches no memory behind the address, so
/// the word may already be gone.
int futex_wake(const std::atomic<std::uint32_t>& word, int count) noexcept;
inline constexpr int wake_all = 0x7fffffff;

// --- membarrier: the heavy half of an asymmetric fence (base/sync_policy.hpp)
/// Registers the process, once; true if membarrier() works. Call it before threads need it.
bool membarrier_register() noexcept;
[[nodiscard]] bool membarrier_available() noexcept;  // registered, and successfully
/// Every running thread of this process executes a full barrier. Needs membarrier_available(); if
/// the kernel refuses it all the same (a sandbox that came later), the process aborts with a
/// sentence [SYNC-1].
void membarrier() noexcept;                              // AS-safe
extern constinit std::atomic<bool> light_fence_is_weak;  // [SYNC-1]; written by membarrier_register

// --- memory
struct range {
  std::byte* begin;
  std::size_t size;
};
[[nodiscard]] std::size_t page_size() noexcept;  // AS-safe once called
/// Private anonymous address space, not reserved in swap, never huge pages; `alignment` a power of
/// two.
std::error_code reserve(std::size_t size, std::size_t alignment, std::byte*& out) noexcept;
/// The same without access, for memory that is needed piece by piece: only what is committed counts
/// where the kernel commits no more than it has (vm.overcommit_memory = 2), and for RLIMIT_DATA;
/// after mlockall(MCL_FUTURE) pages are locked when they are touched, not all at once. There
/// commit() refuses the last 16 MiB, which are the program's.
std::error_code reserve_bare(std::size_t size, std::byte*& out) noexcept;
std::error_code commit(range part) noexcept;
void release(std::byte* begin, std::size_t size) noexcept;
/// What RLIMIT_AS leaves to the process; SIZE_MAX without a limit.
[[nodiscard]] std::size_t address_space_left() noexcept;

// --- guard pages (guards.cpp)
enum class guard_kind : std::uint8_t {
  page_table,     // MADV_GUARD_INSTALL (Linux 6.13): costs no mapping; a touch gets SIGSEGV
  write_protect,  // a userfaultfd marker (Linux 6.4): costs no mapping; a write gets SIGBUS
  mapping,        // mprotect(PROT_NONE): splits the mapping, so two mappings each, of a budget
};
/// The best that works here: tried, once, by doing. install_guards() may have to use a lesser one.
[[nodiscard]] guard_kind guard_support() noexcept;
/// Address space with pages to be guarded, as registered with the kernel. Never released.
struct guard_area {
  range all;
  std::atomic<std::uint32_t> registered{0};  // with the userfaultfd of that generation; 0: never
};
struct guards_made {
  std::size_t count;  // of the pages, from the front
  // not all of them; ENOMEM: the budget is used up, or vm.max_map_count reached
  std::error_code why;
};
/// Guards each of `pages`, a page each and all in `area`.
[[nodiscard]] guards_made install_guards(guard_area& area, std::span<const range> pages) noexcept;
/// False: the next one would find the budget used up. Of guards that cost a mapping no more are
/// made than take half of vm.max_map_count as it was at first use; the rest is the program's.
[[nodiscard]] bool guards_left() noexcept;
/// Changes in a forked child if guards are lost there: those of areas that are registered must be
/// installed again.
[[nodiscard]] std::uint32_t guard_generation() noexcept;
/// One guard outside every budget, for what there are few of.
std::error_code guard_page(range page) noexcept;
/// Makes the pages present and writable now. Advisory: after an error the first touch pays.
std::error_code populate(std::span<const range> ranges) noexcept;
/// Gives the pages back; they read as zero afterwards.
std::error_code discard(std::span<const range> ranges) noexcept;
/// Sets pages[i], one for each page, to an odd number if it is there. Reads page tables only.
[[nodiscard]] std::error_code resident_pages(range r, unsigned char* pages) noexcept;
/// vm.max_map_count, and how many mappings the process has now; 0 if unknown. The second reads a
/// line for each of them: tens of milliseconds where they are many.
[[nodiscard]] std::size_t max_map_count() noexcept;
[[nodiscard]] std::size_t current_map_count() noexcept;

// --- clocks
[[nodiscard]] std::int64_t now_ns() noexcept;  // CLOCK_MONOTONIC; AS-safe
/// CPU time of another thread of this process; negative if the thread is gone.
class thread_cpu_clock {
 public:
  void of(pthread_t thread) noexcept;  // until then it reads negative; others may read it meanwhile
  [[nodiscard]] std::int64_t now_ns() const noexcept;

 private:
  static constexpr std::int64_t none = INT64_MAX;  // every value of a clockid_t is some clock
  std::atomic<std::int64_t> id_{none};
};

/// What the kernel says of a thread of the process. unknown: /proc cannot be asked (not mounted, no
/// descriptor left).
enum class thread_activity : std::uint8_t {
  runs /* or would like to */,
  sleeps /* or waits for I/O */,
  unknown
};
[[nodiscard]] thread_activity look_at_thread(pid_t thread) noexcept;
[[nodiscard]] inline bool thread_sleeps(pid_t thread) noexcept {
  return look_at_thread(thread) == thread_activity::sleeps;
}
/// The same, through a descriptor that is kept: it needs none to be free. Opened and closed by one
/// thread at a time, asked by any. The last one that reads from a closed one closes it, so nobody
/// reads from a number that is another file's by then, and nobody waits.
class thread_stat {
 public:
  thread_stat() = default;
  ~thread_stat() { close(); }
  thread_stat(const thread_stat&) = delete;
  thread_stat& operator=(const thread_stat&) = delete;
  // If it can be, and nobody reads from the old one: else each look opens one.
  void open(pid_t thread) noexcept;
  void close() noexcept;
  [[nodiscard]] thread_activity look(pid_t thread) const noexcept;

 private:
  struct real {
    template <class T>
    using atomic = std::atomic<T>;
  };
  static void close_number(int number) noexcept;
  mutable basic_kept_descriptor<real> kept_;  // [STAT-1]
};

// --- processors
/// CPUs this process may use: affinity and cgroup v1/v2 quota (rounded up), at least 1.
[[nodiscard]] unsigned usable_cpus() noexcept;
/// CPUs that are online: the most usable_cpus() could ever say. At least 1.
[[nodiscard]] unsigned online_cpus() noexcept;
/// The quota alone under a root directory (tests pass their own; "" is the machine); 0: unlimited,
/// none: it could not be read.
[[nodiscard]] std::optional<unsigned> cgroup_cpu_limit(std::string_view root) noexcept;
/// The same, or what it said when it could be read last.
[[nodiscard]] unsigned latest_cpu_limit(std::string_view root,
                                        std::atomic<unsigned>& known) noexcept;
/// ceil(quota / period) of a "max 100000" / "150000 100000" line (v2, or v1's two files joined);
/// 0 for unlimited or unreadable text.
[[nodiscard]] unsigned parse_cpu_quota(std::string_view text) noexcept;

inline void cpu_relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");
#endif
}

// --- threads and signals
[[nodiscard]] pid_t thread_id() noexcept;  // gettid; AS-safe
// the caller's; cut to 15 bytes
void set_thread_name(std::string_view name, std::string_view more = {}) noexcept;
/// The caller wakes up often, for microseconds, and others wait for it: its timers end on time (the
/// default slack is
/// 50 us), and from Linux 6.12 on it asks for a short slice, which EEVDF rewards with a short
///    latency.
void prefer_short_waits() noexcept;
/// Asked before a thread is made; only test_hooks ever refuses here.
[[nodiscard]] std::error_code check_thread_limit() noexcept;
/// Sends `signal` to a thread of this process. AS-safe.
std::error_code signal_thread(pid_t thread, int signal) noexcept;
/// The same, marked as weft's own, so that handlers distinguish it from the signals of others, and
/// a late one of ours ends there. Of two that are pending for the same thread the kernel keeps the
/// first. AS-safe.
std::error_code send_preempt_signal(pid_t thread, int signal) noexcept;
[[nodiscard]] bool is_own_signal(const siginfo_t* info) noexcept;
/// Without its mark: the kernel drops it if the user has RLIMIT_SIGPENDING signals waiting.
[[nodiscard]] bool may_be_own_signal(const siginfo_t* info) noexcept;

/// Sends a thread of this process `signal`, si_code SI_TIMER and si_value `value`, each time it has
/// used `period_ns` of CPU.
class thread_timer {
 public:
  thread_timer() = default;
  ~thread_timer() { stop(); }
  thread_timer(const thread_timer&) = delete;
  thread_timer& operator=(const thread_timer&) = delete;
  /// Stopped. An error: the thread has ended, or the system has no timer left.
  std::error_code start(pid_t thread, int signal, std::int64_t period_ns, void* value) noexcept;
  void stop() noexcept;  // a signal may still be on its way

 private:
  timer_t timer_{};
  bool runs_ = false;
};

/// Blocks every signal but those of crashes (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP,
/// SIGSYS) for its lifetime, so that threads created inside start with none delivered.
class block_signals {
 public:
  block_signals() noexcept;
  ~block_signals();
  block_signals(const block_signals&) = delete;
  block_signals& operator=(const block_signals&) = delete;

 private:
  sigset_t before_;
};
void unblock_signal(int signal) noexcept;       // for the calling thread
[[nodiscard]] sigset_t signal_mask() noexcept;  // the calling thread's
/// The calling thread, made by weft, blocks what `creator` did: a program that blocks a signal
/// before it makes threads waits for it elsewhere. Not the signals of crashes, those weft has a
/// handler for, nor SIGPROF, the profiler's.
void inherit_signal_mask(const sigset_t& creator) noexcept;

/// The calling thread's alternate signal stack, mapped with a guard page; construct and destroy on
/// the same thread. A stack the thread already has is put back by the destructor.
class alternate_stack {
 public:
  alternate_stack() noexcept;
  ~alternate_stack();
  alternate_stack(const alternate_stack&) = delete;
  alternate_stack& operator=(const alternate_stack&) = delete;
  [[nodiscard]] std::error_code error() const noexcept { return error_; }
  [[nodiscard]] static std::size_t size() noexcept;  // usable bytes

 private:
  std::byte* base_ = nullptr;
  stack_t before_{};
  std::error_code error_;
};

/// True: handled, return to the interrupted code. False: not ours, ask the previous handler.
using signal_handler = bool (*)(int signal, siginfo_t* info, void* context);
/// Installs `handler` for the process with SA_SIGINFO | SA_ONSTACK | SA_RESTART (the last not if
/// the handler that was there lacks it), in front of what was installed before; idempotent for the
/// same handler. Up to four of weft's share a signal, asked in the order of their installation.
/// Never in front of a handler installed after weft's first: signals.cpp, SIG-2.
std::error_code install_signal_handler(int signal, signal_handler handler) noexcept;
[[nodiscard]] bool has_signal_handler(int signal) noexcept;  // 1..64
/// Takes all of weft's out and puts the previous action back, if weft's is still the installed one.
void restore_signal_handler(int signal) noexcept;

// one write(2) if the kernel takes it; AS-safe
WEFT_API void write_stderr(std::string_view text) noexcept;

}  // namespace weft::os
