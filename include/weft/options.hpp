// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/options.hpp - what can be set about a runtime and about one fiber.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include <weft/detail/requirements.hpp>

namespace weft {

/// What an unhandled-exception handler is told.
struct unhandled_exception {
  std::uint64_t fiber_id;
  std::string fiber_name;  // empty if it has none
  std::exception_ptr exception;
};

/// What keeps a fiber from calling weft.
enum class stall_kind : std::uint8_t {
  computing,  // it uses the CPU all the time
  blocked,    // it sleeps in the kernel
};

/// A fiber that has not called weft for options::stall_after.
struct stall_report {
  std::uint64_t fiber_id;
  std::string fiber_name;             // empty if it has none
  std::chrono::nanoseconds duration;  // CPU time for `computing`, time for `blocked`; so far
  stall_kind kind;
  /// Where it was when it was reported: the addresses of its calls, innermost first. Empty if it
  /// went on meanwhile, if its thread sleeps in a call that a signal would end, if
  /// options::preempt_signal is 0, and on processors other than x86-64.
  std::vector<const void*> calls;
  /// `calls` in words, a line each: function, file, line. Blocks: while it reads debug information,
  /// up to a second at first.
  [[nodiscard]] std::string stack() const;
};

/// What a runtime does with fibers that are still there when it has waited `shutdown_timeout`.
enum class straggler_policy : std::uint8_t {
  // name them on stderr (id, name, state, reason, stack) and leave them behind, never resumed
  report,
  abort,  // name them, then std::abort()
};

/// What a runtime does when fibers of it can never run again. See options::on_deadlock.
enum class deadlock_policy : std::uint8_t {
  ignore,  // it does not look
  report,  // say so on stderr, or to options::deadlock_hook, and go on waiting
  abort,   // say so, then std::abort()
};

/// What a runtime does when a stack is needed and there are as many guard pages as weft makes. See
/// options::stack_guard.
enum class stack_guard_policy : std::uint8_t {
  checked,  // stacks without a guard page are looked at instead
  page,     // none without a guard page: the fiber fails, and its join throws
};

/// How a runtime is set up. Every field has a working default.
struct options {
  /// Processors: how many fibers run at the same time. More than 1024 is an error. 0 means the CPUs
  /// this process may use, by affinity and cgroup v1/v2 quota (rounded up): both are read at the
  /// start and then about once a second while fibers run, and the runtime uses fewer or more
  /// processors, down to one and up to the CPUs that are online. The affinity that counts later is
  /// that of weft's own threads (`taskset -a`, cpusets). A number is your word: it stays.
  std::size_t workers = 0;
  /// Bytes of address space per fiber stack, guard page included; a multiple of the page size, 16
  /// KiB to
  /// 1 GiB. Only pages that were touched cost memory. Rounded up to a power of two. Plan with three
  ///   quarters of it: a fiber
  /// that is joined before it has started may run on its joiner's stack, and is promised that much
  /// there; on a stack of its own it has all but the guard page. (A pinned fiber always has its
  /// own.)
  std::size_t stack_size = 256 * 1024;
  /// Below each stack lies a guard page: who runs into it ends the process with a report. Guard
  /// pages cost nothing from Linux 6.4 on, unless a sandbox forbids userfaultfd(2) there (6.13: in
  /// any case). Elsewhere each takes two memory mappings, and weft makes so many that half of
  /// vm.max_map_count is left to the program: 16,382 by default. Stacks beyond are `checked`: the
  /// addresses below them, a quarter of the stack's size, are nobody's, and must not have been
  /// touched when the fiber parks deep or ends, or runs for a millisecond or more; the report is
  /// the same, but comes after the fact. stderr says so once. `page`: a fiber beyond fails, and its
  /// join throws std::errc::not_enough_memory.
  stack_guard_policy stack_guard = stack_guard_policy::checked;
  /// The most fibers alive at a time; a spawn beyond it throws
  /// std::errc::resource_unavailable_try_again.
  std::size_t max_fibers = std::size_t{1} << 25;
  /// The most OS threads this runtime may have. Those beyond `workers` are spares: they take over
  /// while a fiber blocks in the kernel or is preempted, and end after ten idle seconds. At least
  /// workers + 1. When all are taken, stderr says so once: from then on who blocks or computes
  /// gives its processor to a preempted fiber, or keeps it if there is none.
  std::size_t max_threads = 512;
  /// How long a fiber may run while others wait before its thread is made to give the processor up;
  /// 0 never does. Fibers whose timer or descriptor became ready wait for a quarter of it, not for
  ///   the whole. After a quarter of it, too, a
  /// fiber gives way by itself in the channel operations, selects and socket calls it makes, even
  /// if none has to wait.
  std::chrono::milliseconds time_slice{10};
  /// The signal that does it, sent to weft's own threads only, when a fiber computes without
  /// calling weft. Handlers that were there before still get the ones that are not weft's. 0: no
  /// signals, fibers are never preempted. weft-trace asks a running process by it, too (`weft-trace
  /// ask PID help`), so with 0 that cannot be done.
  int preempt_signal = 23;  // SIGURG: nobody uses it, and the default action is to ignore it
  /// Take the processor away from a fiber that blocks in the kernel without saying so.
  bool retake = true;
  /// Calls known to block run on threads of their own (weft::offload): at most so many, made when
  /// needed, and ended when they had nothing to do for ten seconds. Fibers beyond it wait in line.
  std::size_t offload_threads = 64;
  /// Told, once for each, of a fiber that keeps its thread for `stall_after` without calling weft.
  /// Runs on the service thread's thread, which makes no spare threads meanwhile: be quick, do not
  /// throw. The others go on in any case.
  std::function<void(const stall_report&)> on_stall{};
  std::chrono::milliseconds stall_after{100};
  /// When no fiber of the runtime has run for `deadlock_after`, it looks, once, whether any ever
  /// will. It is reported, with the fibers, what each waits for and its calls, if that is certain:
  /// if fibers wait for each other in a circle by mutexes, joins or scopes; or if no fiber of the
  /// process runs, waits for time, a descriptor, or an offloaded call, and every thread of the
  /// process is weft's own or waits itself in weft without a deadline. Anything else could still be
  /// woken by somebody, and is not told. weft::debug::find_deadlocks() looks at any time.
  deadlock_policy on_deadlock = deadlock_policy::report;
  std::chrono::milliseconds deadlock_after{1000};
  /// Gets the report instead of stderr, on a thread of the runtime's own: be quick, do not throw.
  std::function<void(const std::string& report)> deadlock_hook{};
  /// On this signal the process writes a dump of all its fibers (weft/debug.hpp) to stderr. 0:
  /// none. The environment's WEFT_DUMP_SIGNAL, a number, does the same without code.
  int dump_signal = 0;
  /// When a signal that means a crash (SIGABRT, so std::terminate, too; SIGSEGV, SIGBUS, SIGILL,
  /// SIGFPE) ends the process, another thread writes the dump to stderr first, as far as it gets in
  /// two seconds. Process-wide, if any runtime wants it; WEFT_DUMP_ON_CRASH=0 in the environment
  /// says no.
  bool dump_on_crash = true;
  /// Thread names are this, a dash and a number ("weft-3"). At most 10 characters are shown.
  std::string name = "weft";
  /// How long shutdown waits for remaining fibers after asking them to stop.
  std::chrono::milliseconds shutdown_timeout{5000};
  straggler_policy on_stragglers = straggler_policy::report;
  /// Called, on the fiber's worker, with an exception that nobody can observe any more: its fiber
  /// was detached. Default: report fiber and exception on stderr, then std::terminate().
  std::function<void(const unhandled_exception&)> on_unhandled_exception{};
};

/// Attributes of one fiber; the default of each field is the runtime's.
struct attributes {
  std::string name{};
  /// As options::stack_size, of which three quarters are promised; 0 is the runtime's.
  std::size_t stack_size = 0;
  /// Runs on an OS thread of its own, from its first step to its end: no other fiber runs there
  /// meanwhile, so nobody changes what the thread keeps between two calls of this one, and nobody
  /// who computes or blocks holds it up. Go's LockOSThread.
  ///
  /// For libraries with state per thread: OpenSSL (its error queue), OpenMP, oneTBB's arenas,
  /// errno-like results, uselocale, signal masks, setns and unshare, JNI, Python's thread states,
  /// GL contexts. Without it any `thread_local` may be another one after each call that can wait:
  /// the fiber may go on on another thread. Costs a thread of options::max_threads for as long as
  /// the fiber lives, and one or two thread switches per wait or yield. Its children are fibers as
  /// any, and never run inline on its thread. If there is no thread for it, join() throws
  /// std::system_error with resource_unavailable_try_again. When it has ended, the thread serves
  /// others: whoever changes the thread itself (its signal mask, namespaces, locale) puts it back
  /// first.
  /// Example: test/unit/examples_fibers_test.cpp [own_thread]
  /// ```
  ///   auto handshake = weft::spawn({.own_thread = true}, [&] {
  ///     counted_here = 1;              // a thread_local, as a library may have
  ///     weft::this_fiber::sleep_for(1ms);  // others run, elsewhere
  ///     return counted_here;           // the same one, and nobody has touched it
  ///   });
  /// ```
  bool own_thread = false;
  /// The same as own_thread. (Once: the same thread at each resume, but shared with others.)
  bool pinned = false;
  /// False: never preempted by the signal, however long it computes. See also weft::no_preempt.
  bool preemptible = true;
};

}  // namespace weft
