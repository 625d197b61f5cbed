// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/options.hpp - the settings of a runtime, and the attributes of one fiber.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include <weft/detail/export.hpp>
#include <weft/detail/requirements.hpp>

namespace WEFT_API weft {

/// What an unhandled-exception handler is told.
struct unhandled_exception {
  /// The fiber that threw.
  std::uint64_t fiber_id;
  /// Its name; empty if it has none.
  std::string fiber_name;
  /// What it threw.
  std::exception_ptr exception;
  /// The calls that led to the throw, as addresses, innermost first, 60 at most. Empty if there was
  /// no memory for them, and for an exception that weft itself made, such as that of a fiber
  /// without a stack.
  std::vector<const void*> calls{};
  /// Returns `calls` in words, a line each: function, file, line.
  ///
  /// Blocks: while it reads debug information, up to a second at first.
  [[nodiscard]] std::string stack() const;
};

/// What keeps a fiber from calling weft.
enum class stall_kind : std::uint8_t {
  /// It uses the CPU all the time.
  computing,
  /// It sleeps in the kernel.
  blocked,
};

/// Describes a fiber that has not called weft for options::stall_after.
struct stall_report {
  /// The fiber.
  std::uint64_t fiber_id;
  /// Its name; empty if it has none.
  std::string fiber_name;
  /// How long so far: CPU time for `computing`, elapsed time for `blocked`.
  std::chrono::nanoseconds duration;
  /// What it is doing.
  stall_kind kind;

  /// The addresses of its calls when it was reported, innermost first. Empty if it went on
  /// meanwhile, if its thread sleeps in a call that a signal would end, and if
  /// options::preempt_signal is 0.
  std::vector<const void*> calls;
  /// `calls` in words, one line each: function, file, line.
  /// Blocks: while it reads debug information, the first time up to a second.
  [[nodiscard]] std::string stack() const;
};

/// What a runtime does with fibers that are still alive after it has waited `shutdown_timeout`.
enum class straggler_policy : std::uint8_t {
  /// Names them on stderr (id, name, state, reason, stack) and leaves them behind. They never run
  /// again.
  report,
  /// Names them, then calls std::abort().
  abort,
};

/// What a runtime does if some of its fibers can never run again. See options::on_deadlock.
enum class deadlock_policy : std::uint8_t {
  /// It does not look.
  ignore,
  /// Reports it to stderr, or to options::deadlock_hook, and goes on.
  report,
  /// Reports it, then calls std::abort().
  abort,
};

/// What a runtime does if a stack is needed and no more guard pages can be made. See
/// options::stack_guard.
enum class stack_guard_policy : std::uint8_t {
  /// Stacks without a guard page are checked from time to time instead.
  checked,
  /// Every stack has a guard page: if none can be made the fiber fails, and its join throws.
  page,
};

/// The settings of a runtime. Every field has a working default.
struct options {
  /// Processors: how many fibers run at the same time; at most 1024.
  ///
  /// While fibers block in the kernel for moments, again and again, and others wait, up to three
  /// times as many serve (see retake). Fibers that share data need locks in any case, also on one
  /// worker: a fiber can be preempted or blocked at any instruction.
  ///
  /// 0 means the CPUs this process may use, by affinity and by cgroup v1 or v2 quota, rounded up,
  /// but at most max_threads - 1.
  /// Both are read at the start and then about once a second while fibers run. The runtime then
  /// uses fewer or more processors: at least one, at most the CPUs that were online when it was
  /// made. A quota that cannot be read any more counts as it was. The affinity that counts later is
  /// that of weft's own threads (`taskset -a`, cpusets). A number other than 0 does not follow the
  /// CPUs.
  std::size_t workers = 0;

  /// The size of a fiber's stack in bytes of address space, guard page included: a multiple of the
  /// page size, from 16 KiB to 1 GiB, rounded up to a power of two.
  ///
  /// Only touched pages cost memory. Plan with three quarters of the size: a fiber that is joined
  /// before it has started may run on its joiner's stack, where it is promised that much. On a
  /// stack of its own it has everything but the guard page. A fiber with own_thread always has a
  /// stack of its own.
  std::size_t stack_size = 256 * 1024;

  /// What happens if no more guard pages can be made. A guard page lies below each stack; a fiber
  /// that runs into it ends the process with a report.
  ///
  /// From Linux 6.4 on guard pages cost nothing, unless a sandbox forbids userfaultfd(2); from 6.13
  /// on they never do. On other kernels each costs two memory mappings, and weft makes so many that
  /// half of vm.max_map_count is left to the program: 16,382 by default.
  ///
  /// With `checked`, stacks beyond that have no guard page. Instead a quarter of the stack's size
  /// below each stays unused, and weft checks that nothing was written there when the fiber parks
  /// deep, when it ends, and when it has run for a millisecond or more. The report is the same but
  /// comes after the fact. A line on stderr says once that there are such stacks. With `page`, a
  /// fiber beyond the limit fails, and its join throws std::errc::not_enough_memory.
  stack_guard_policy stack_guard = stack_guard_policy::checked;
  /// The most fibers alive at a time. A spawn beyond it throws
  /// std::errc::resource_unavailable_try_again.
  std::size_t max_fibers = std::size_t{1} << 25;

  /// The most OS threads of this runtime; at least workers + 1 (2 if workers is 0), at most
  /// 4,194,304. It costs eight bytes of memory each, made or not.
  ///
  /// Threads beyond the processors are spares: they run fibers while another thread is blocked in
  /// the kernel or preempted, and end after ten idle seconds, except as many as there are
  /// processors. If all are taken, a line on stderr says so once. From then on a thread that blocks
  /// or computes gives its processor to a preempted fiber, or keeps it if there is none.
  std::size_t max_threads = 512;

  /// How long a fiber may run while others wait before it is preempted; 0 means for ever. It is
  /// CPU time: while its thread waits for a CPU, it does not run.
  ///
  /// Fibers whose timer or descriptor became ready wait for a quarter of it only. After a quarter
  /// of it a fiber also yields by itself in the channel operations, selects and socket calls it
  /// makes, even if none has to wait.
  std::chrono::milliseconds time_slice{10};

  /// The signal that preempts a fiber which computes without calling weft; sent to weft's own
  /// threads only. The default is 23, SIGURG, which programs rarely use and whose default action is
  /// to do nothing.
  ///
  /// Signals that are not weft's reach the handler that was installed before. With 0 no signal is
  /// sent: fibers are never preempted, and weft-trace cannot ask a running process (`weft-trace ask
  /// PID help`).
  int preempt_signal = 23;
  /// If true, a fiber that blocks in the kernel without declaring it loses its processor to another
  /// thread.
  ///
  /// If calls are over too soon for that (0.1 ms) and there are many, more processors serve: as
  /// many as leave `workers` of them to fibers that run, but at most twice `workers` more, and at
  /// most 64 more. None is added if the runtime would then need more than half of max_threads.
  /// They go, one every quarter of a second, when fibers block no longer.
  bool retake = true;
  /// The most threads that run offloaded calls (weft::offload). They are made when needed and end
  /// after ten idle seconds. Fibers beyond the limit wait in line.
  std::size_t offload_threads = 64;

  /// Called once for each fiber that keeps its thread for `stall_after` without calling weft. It
  /// runs on the runtime's service thread, which makes no spare threads meanwhile: be quick, and do
  /// not throw. Fibers go on in any case.
  std::function<void(const stall_report&)> on_stall{};
  /// When a fiber counts as stalled.
  std::chrono::milliseconds stall_after{100};

  /// What to do if fibers can never run again. When no fiber of the runtime has run for
  /// `deadlock_after`, the runtime checks once.
  ///
  /// It reports the fibers, what each waits for and its calls, but only if it is certain: if fibers
  /// wait for each other in a cycle of mutexes, joins or scopes; or if no fiber of the process runs
  /// or waits for time, a descriptor or an offloaded call, and every thread of the process is
  /// weft's own or waits in weft without a deadline. Anything else could still be woken and is not
  /// reported. weft::debug::find_deadlocks() checks at any time.
  deadlock_policy on_deadlock = deadlock_policy::report;
  /// How long a runtime must be idle before it looks for deadlocks.
  std::chrono::milliseconds deadlock_after{1000};
  /// Gets the report instead of stderr, on a thread of the runtime: be quick, and do not throw.
  std::function<void(const std::string& report)> deadlock_hook{};
  /// On this signal the process writes a dump of all its fibers (weft/debug.hpp) to stderr; 0 means
  /// no signal. The environment variable WEFT_DUMP_SIGNAL, a number, does the same without code. A
  /// signal of a crash (SIGSEGV, SIGABRT, ...) is refused; see dump_on_crash.
  int dump_signal = 0;

  /// If true and a fatal signal (SIGABRT, and so std::terminate, SIGSEGV, SIGBUS, SIGILL, SIGFPE)
  /// ends the process, another thread first writes the dump to stderr, within two seconds. This is
  /// process-wide: one runtime that wants it is enough. WEFT_DUMP_ON_CRASH=0 in the environment
  /// turns it off.
  bool dump_on_crash = true;
  /// Threads are named with this, a dash and a number ("weft-3"). At most 10 characters are shown.
  std::string name = "weft";
  /// How long shutdown waits for remaining fibers after it has requested their stop.
  std::chrono::milliseconds shutdown_timeout{5000};
  /// What shutdown does with fibers that remain after that.
  straggler_policy on_stragglers = straggler_policy::report;

  /// Called with an exception that can no longer be observed because the fiber was detached: on the
  /// fiber's worker, or where the handle of a fiber that has ended is destroyed. The destructor of
  /// the runtime waits for its return. The default reports fiber and exception on stderr, then
  /// calls std::terminate().
  std::function<void(const unhandled_exception&)> on_unhandled_exception{};
};

/// The attributes of one fiber.
struct attributes {
  /// The fiber's name in reports, traces and dumps.
  std::string name{};
  /// As options::stack_size, of which three quarters are promised; 0 means the runtime's.
  std::size_t stack_size = 0;

  /// If true, the fiber runs on an OS thread of its own from its first step to its end. No other
  /// fiber runs on that thread meanwhile, so what the thread keeps stays as it is between two
  /// calls, and no other fiber can delay this one there. Go's LockOSThread.
  ///
  /// Use it for libraries with state per thread: OpenSSL (its error queue), OpenMP, oneTBB's
  /// arenas, errno-like results, uselocale, signal masks, setns and unshare, JNI, Python's thread
  /// states, GL contexts. Without it the fiber may continue on another thread after each call of
  /// weft, and so see another `thread_local`.
  ///
  /// Its children are ordinary fibers and never run inline on its thread. When the fiber has ended,
  /// the thread serves others: if you change the thread itself (signal mask, namespaces, locale),
  /// restore it first. If no thread can be had, join() throws std::system_error with
  /// resource_unavailable_try_again.
  /// Costs: one of options::max_threads for as long as the fiber lives, and one or two thread
  /// switches per wait or yield.
  /// Example: test/unit/examples_fibers_test.cpp [own_thread]
  /// ```
  ///   auto handshake = weft::spawn({.own_thread = true}, [&] {
  ///     counted_here = 1;              // a thread_local, as a library may have
  ///     weft::this_fiber::sleep_for(1ms);  // others run, elsewhere
  ///     return counted_here;           // the same one, and nobody has touched it
  ///   });
  /// ```
  bool own_thread = false;
  /// The same as own_thread. (An earlier version gave such a fiber the same thread at each resume,
  /// but shared with others.)
  bool pinned = false;
  /// If false, the signal never preempts the fiber, however long it computes. See also
  /// weft::no_preempt.
  bool preemptible = true;
};

}  // namespace WEFT_API weft
