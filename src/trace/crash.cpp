// SPDX-License-Identifier: BSL-1.0
// trace/crash.cpp - the last words: what the rings hold when a fatal signal strikes.
//
//   1 recording ends (listener)
//   2 the collector's piece of work ends, or 0.2 s pass [TRACE-6]
//   3 every block that holds something is written, to the trace's file or the flight recorder's
//   4 the signal goes on to the handler that was there before
//
// No lock is taken and nothing is allocated. Other threads run on; what they change meanwhile fails
// its checksum.
#include <chrono>
#include <cstring>
#include <ctime>

#include "os/crash_turn.hpp"
#include "os/os.hpp"
#include "trace/recorder.hpp"
#include "trace/session_state.hpp"

namespace weft::detail::trace {
namespace {

constinit trace_file own_file;

void write_all(trace_file& file) noexcept {
  file.generation(shared.generation.load(std::memory_order_relaxed) + 1);
  file.dictionary();
  file.modules();
  shared.blocks.look_anyway(
      [&](const block& b, std::uint32_t used) { write_block(file, b, used); });
  file.threads();
  file.places();
  if (const fiber_table fibers = words.fibers.load(std::memory_order_relaxed))
    fibers(file, snapshot_mode::in_crash);
  file.end();
}

// strerror may allocate.
void tell_lost(const char* what, int error) noexcept {
  os::write_stderr(what);
  os::write_stderr(words.path);
  os::write_stderr(": ");
  const char* const text = strerrordesc_np(error);
  os::write_stderr(text != nullptr ? text : "unknown error");
  os::write_stderr("\n");
}

void write_now(session_kind kind) noexcept {
  set_listener(nullptr);
  const std::int64_t patience = os::now_ns() + 200'000'000;
  const timespec moment{0, 1'000'000};
  words.last.await([&] {
    if (os::now_ns() >= patience) return false;
    nanosleep(&moment, nullptr);
    return true;
  });
  if (kind == session_kind::file) {
    trace_file& file = session().file;
    write_all(file);
    if (file.error() != 0) tell_lost("weft: the trace could not be written to ", file.error());
    return;
  }
  int error = own_file.open(words.path);
  if (error == 0) {
    own_file.header(flag_flight | flag_crash);
    write_all(own_file);
    error = own_file.close();
  }
  if (error != 0)
    return tell_lost("weft: the flight recorder's last moments could not be written to ", error);
  os::write_stderr("weft: the flight recorder's last moments are in ");
  os::write_stderr(words.path);
  os::write_stderr("\n");
}

bool on_crash(int, siginfo_t*, void*) {
  write_last_words();
  return false;
}

}  // namespace

void write_last_words() noexcept {
  static constinit os::crash_turn turn;
  constexpr std::chrono::seconds patience{10};  // a disk may be slow
  const session_kind kind = words.kind.load(std::memory_order_relaxed);
  if (kind == session_kind::none || !turn.begin(patience)) return;
  if (words.last.begin()) write_now(kind);  // [TRACE-6]
  turn.end();
}

void install_crash_handlers() noexcept {
  for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT})
    static_cast<void>(os::install_signal_handler(signal, &on_crash));
}

}  // namespace weft::detail::trace
