// SPDX-License-Identifier: BSL-1.0
// debug/dump_trigger.cpp - see the header.
#include "debug/dump_trigger.hpp"

#include <atomic>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>

#include <weft/debug.hpp>

#include "base/sanitizers.hpp"
#include "os/crash_turn.hpp"
#include "os/fault_signals.hpp"
#include "os/os.hpp"
#include "sched/fork.hpp"
#include "sched/wake_word.hpp"
#include "sched/worker.hpp"

namespace weft::detail {
namespace {

constinit std::atomic<std::uint32_t> asked{0};    // dumps so far
constinit std::atomic<std::uint32_t> written{0};  // futex: of them
constinit os::crash_turn turn;
constinit std::atomic<pid_t> writer{0};  // the thread that writes a dump; relaxed: its own mark
constinit std::atomic<const worker*> crashed{nullptr};

void ask() noexcept {
  asked.fetch_add(1, std::memory_order_release);  // write_dump_if_asked
  wake_all_service_threads();
}

bool on_dump_signal(int, siginfo_t*, void*) {
  ask();
  return true;
}

bool on_crash(int, siginfo_t*, void* context) {
  constexpr std::chrono::seconds patience{2};
  if (is_forked_child() || !any_wake_word_registered() ||
      writer.load(std::memory_order_relaxed) == os::thread_id() || !turn.begin(patience))
    return false;
  worker* const w = this_worker();
  std::optional<frozen_context::stay> here;
  if (w != nullptr) {
    here.emplace(w->frozen_at, registers::of(context));
    // same thread: registers::of reads the context and waits for nothing
    crashed.store(w, std::memory_order_release);
  }
  const auto until = std::chrono::steady_clock::now() + patience;
  os::write_stderr("weft: the process crashes; its fibers:\n");
  const std::uint32_t before = written.load(std::memory_order_acquire);
  ask();
  while (written.load(std::memory_order_acquire) == before)
    if (!os::futex_wait_until(written, before, until)) break;
  turn.end();
  return false;
}

// What it says is a user's wish: a wrong one does not end the program.
bool install_by_environment() {
  const char* const text = std::getenv("WEFT_DUMP_SIGNAL");
  if (text == nullptr || *text == '\0') return false;
  int number = 0;
  const std::string_view all(text);
  const auto read = std::from_chars(all.data(), all.data() + all.size(), number);
  const bool is_number = read.ec == std::errc() && read.ptr == all.data() + all.size() &&
                         number > 0 && number <= SIGRTMAX;
  const char* why = "no signal's number";
  if (is_number && os::is_fault_signal(number))
    why = "the signal of a crash";
  else if (is_number && !os::install_signal_handler(number, &on_dump_signal))
    return true;
  else if (is_number)  // SIGKILL, SIGSTOP, or one of the C library's own
    why = "a signal that no program can handle";
  os::write_stderr("weft: WEFT_DUMP_SIGNAL is \"" + std::string(all) + "\", which is " + why +
                   "; there will be no dumps\n");
  return false;
}

bool environment_allows_crash_dumps() {
  const char* const text = std::getenv("WEFT_DUMP_ON_CRASH");
  return text == nullptr || std::string_view(text) != "0";
}

}  // namespace

const worker* crashed_worker() noexcept { return crashed.load(std::memory_order_acquire); }

void forget_crash_dump() noexcept {
  if (turn.begin(std::chrono::seconds(0))) turn.end();
}

void write_dump_if_asked() noexcept {
  static constinit std::atomic<std::uint32_t> taken{0};
  const std::uint32_t now = asked.load(std::memory_order_acquire);
  // another runtime's service thread was quicker
  if (taken.exchange(now, std::memory_order_relaxed) == now) return;
  try {
    const os::block_signals blocked;
    std::thread([] {
      os::set_thread_name("weft-dump");
      writer.store(os::thread_id(), std::memory_order_relaxed);
      try {
        os::write_stderr(debug::dump_fibers());
      } catch (const std::exception&) {  // no memory
      }
      written.fetch_add(1, std::memory_order_release);
      os::futex_wake(written, os::wake_all);
    }).detach();
  } catch (const std::exception&) {  // no thread
  }
}

void install_dump_triggers(const options& o) {
  [[maybe_unused]] static const bool by_environment = install_by_environment();
  if (o.dump_signal != 0)
    if (const auto ec = os::install_signal_handler(o.dump_signal, &on_dump_signal))
      throw std::system_error(ec, "weft: no handler for options::dump_signal " +
                                      std::to_string(o.dump_signal) + " could be installed");
  static const bool allowed = environment_allows_crash_dumps();
  // the sanitizers report crashes themselves
  if (WEFT_ASAN || WEFT_TSAN || !allowed || !o.dump_on_crash) return;
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE})
    static_cast<void>(os::install_signal_handler(signal, &on_crash));
}

}  // namespace weft::detail
