// SPDX-License-Identifier: BSL-1.0
// trace/session.cpp - start, stop, the collector thread, generations, snapshots.
//
//   file     the collector writes full blocks as they come. Every generation it writes the tables,
//            changes the epoch - then each thread closes its block at its next event - and copies
//            what is in blocks that are still being written.
//   flight   nothing is written; full blocks are overwritten, oldest first. A snapshot writes all
//            of them and keeps them.
#include "trace/session.hpp"

#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

#include <pthread.h>
#include <unistd.h>

#include <weft/detail/deadline.hpp>

#include "base/lock_guard.hpp"
#include "os/fault_signals.hpp"
#include "os/os.hpp"
#include "os/try_new.hpp"
#include "trace/clock.hpp"
#include "trace/file.hpp"
#include "trace/recorder.hpp"
#include "trace/session_state.hpp"

namespace weft::detail::trace {

constinit session_words words;

session_data& session() noexcept {
  // outlives every static object, and needs no memory
  alignas(session_data) static std::byte place[sizeof(session_data)];
  static session_data& s = *::new (static_cast<void*>(place)) session_data;
  return s;
}

namespace {

constexpr std::uint32_t fewest_blocks = 16;
constexpr std::int64_t collect_every_ns = 50'000'000;

// More blocks, if there have not been so many yet. They are never given back: a thread may be late
// with its last event.
std::error_code need_blocks(std::uint32_t wanted) {
  const std::uint32_t there = shared.blocks.count();
  if (there >= wanted) return {};
  const std::uint32_t n = wanted - there;
  std::byte* memory = nullptr;
  if (const auto ec = os::reserve(std::size_t{n} * block_bytes, os::page_size(), memory)) return ec;
  auto* blocks = os::try_new([n] { return new block[n]; });
  if (blocks == nullptr) {
    os::release(memory, std::size_t{n} * block_bytes);
    return std::make_error_code(std::errc::not_enough_memory);
  }
  for (std::uint32_t i = 0; i < n; ++i) {
    blocks[i].data = memory + std::size_t{i} * block_bytes;
    shared.blocks.add(blocks[i]);
  }
  return {};
}

void write_tables(session_data& s, trace_file& file) noexcept {
  s.threads_written = threads_begun();
  file.threads();
  file.places();
}

// The walk over the records may cost a hundredth of the time.
void write_fibers(session_data& s, trace_file& file) noexcept {
  if (s.fibers == nullptr) return;
  if (os::now_ns() < s.fibers_not_before) return s.fibers(file, snapshot_mode::running_only);
  const std::int64_t began = os::now_ns();
  s.fibers(file, snapshot_mode::usual);
  const std::int64_t now = os::now_ns();
  s.fibers_not_before = now + 100 * (now - began);
}

void write_current(session_data& s, trace_file& file) noexcept {
  batch_header head{};
  published there{};
  shared.blocks.peek(
      [&](const block& b, std::uint32_t used) {
        head = b.head;
        there = unpack(used);
        std::memcpy(s.copy, b.data, there.bytes);
      },
      [&] { file.batch(head, {s.copy, there.bytes}, there.more); });
}

void begin_epoch() noexcept {
  shared.epoch.fetch_add(1, std::memory_order_relaxed);
  time_has_passed();  // a creation that is counted only looks for that alone
}

std::uint64_t begin_generation() noexcept {
  const std::uint64_t number = shared.generation.load(std::memory_order_relaxed) + 1;
  shared.generation.store(number, std::memory_order_relaxed);
  begin_epoch();
  return number;
}

void write_generation(session_data& s, std::uint64_t number) noexcept {
  s.file.generation(number);
  s.file.dictionary();
  s.file.modules();
  write_tables(s, s.file);
  write_fibers(s, s.file);
}

void drain(session_data& s) noexcept {
  while (block* b = shared.blocks.take()) {
    const std::uint32_t used = b->used.load(std::memory_order_relaxed);  // take's lock orders it
    if (used != b->peeked) write_block(s.file, *b, used);
    shared.blocks.give_back(*b, block_owner::free);
    if (words.last.wanted()) return;
  }
  if (threads_begun() != s.threads_written) write_tables(s, s.file);
}

// The handler of a crash waits for the end of a piece, and none begins after it. Only one thread is
// in one: the collector, or who writes a snapshot (`snapshots`).
template <class Work>
bool piece(Work&& work) noexcept {
  return words.last.piece(std::forward<Work>(work));  // [TRACE-6]
}

void collect_into_file(session_data& s) noexcept {
  std::int64_t next_generation = os::now_ns() + span_ns(s.options.generation);
  piece([&] { write_generation(s, shared.generation.load(std::memory_order_relaxed)); });
  while (!s.ends.load(std::memory_order_acquire)) {
    const std::int64_t now = os::now_ns();
    piece([&] {
      drain(s);
      if (now < next_generation) return;
      next_generation = now + span_ns(s.options.generation);
      const std::uint64_t number = begin_generation();
      write_current(s, s.file);
      write_generation(s, number);
    });
    if (s.ends.load(std::memory_order_acquire)) break;
    const std::int64_t until = std::min(now + collect_every_ns, next_generation);
    static_cast<void>(shared.collector.park_until(until));  // [WAKE-1] wake_collector, stop_session
  }
  piece([&] {
    drain(s);
    write_current(s, s.file);
    write_tables(s, s.file);
    if (s.fibers != nullptr) s.fibers(s.file, snapshot_mode::running_only);
    s.file.end();
  });
}

std::error_code write_flight(session_data& s, trace_file& file, const char* path) noexcept {
  if (const int error = file.open(path)) return {error, std::generic_category()};
  file.header(flag_flight);
  const std::uint64_t number = begin_generation();
  refresh_modules();
  file.generation(number);
  file.dictionary();
  file.modules();
  // Those that are full now, and what the threads close on the way. New ones come behind them, for
  // ever.
  for (std::uint32_t n = shared.blocks.full() + 64; n > 0 && !words.last.wanted(); --n) {
    block* b = shared.blocks.take();
    if (b == nullptr) break;
    write_block(file, *b, b->used.load(std::memory_order_relaxed));
    shared.blocks.give_back(*b, block_owner::saved);
  }
  if (words.last.wanted()) {
    static_cast<void>(file.close());
    return std::make_error_code(std::errc::operation_canceled);
  }
  shared.blocks.forget_peeks();
  write_current(s, file);
  shared.blocks.keep_saved();
  write_tables(s, file);
  if (s.fibers != nullptr) s.fibers(file, snapshot_mode::usual);
  file.generation(number);  // complete since: now it is known
  file.end();
  words.written.store(file.size(), std::memory_order_relaxed);
  return {file.close(), std::generic_category()};
}

// A line, without memory.
template <class... Texts>
void say(const char* format, Texts... texts) noexcept {
  char line[PATH_MAX + 256];
  std::snprintf(line, sizeof line, format, texts...);
  os::write_stderr(line);
}
const char* reason(const std::error_code& why) noexcept {
  const char* const text = strerrordesc_np(why.value());
  return text != nullptr ? text : "unknown error";
}

void wait_for_requests(session_data& s) noexcept {
  while (!s.ends.load(std::memory_order_acquire)) {
    shared.collector.park();  // [WAKE-1] request_snapshot, stop_session
    if (!words.snapshot_wanted.exchange(false, std::memory_order_acq_rel)) continue;
    if (const auto ec = write_snapshot(s.options.path.c_str()))
      say("weft: the flight recorder's snapshot %s: %s\n", s.options.path.c_str(), reason(ec));
    else
      say("weft: the flight recorder's last moments are in %s\n", s.options.path.c_str());
  }
}

void in_child() noexcept {
  set_listener(nullptr);
  words.kind.store(session_kind::none, std::memory_order_relaxed);
  ::new (static_cast<void*>(&session().collector)) std::thread;  // it is not here
}

void at_exit() {
  if (const auto ec = stop_session()) say("weft: the trace could not be written: %s\n", reason(ec));
}

void prepare_process() {
  static std::once_flag once;
  std::call_once(once, [] {
    static_cast<void>(session());
    std::atexit(&at_exit);
    pthread_atfork(nullptr, nullptr, &in_child);
  });
}

// What is opened later: the process may have changed its directory then. As it is, if that has no
// name.
std::string absolute(const std::string& path) {
  char here[PATH_MAX];
  if (path.starts_with('/') || path.empty() || getcwd(here, sizeof here) == nullptr) return path;
  return std::string(here) + "/" + path;
}

bool on_snapshot_signal(int, siginfo_t*, void*) {
  if (words.kind.load(std::memory_order_relaxed) != session_kind::flight) return false;
  request_snapshot();
  return true;
}

}  // namespace

void wake_collector() noexcept {
  if (!shared.streams.load(std::memory_order_relaxed)) return;
  shared.collector.unpark();
}

session_kind session_now() noexcept { return words.kind.load(std::memory_order_relaxed); }

std::error_code start_session(const session_options& o, fiber_table fibers, std::string& what) {
  prepare_process();
  session_data& s = session();
  const base::lock_guard control(s.control);
  if (words.kind.load(std::memory_order_relaxed) != session_kind::none) {
    what = "recording already, into " + s.options.path + "; stop that first";
    return std::make_error_code(std::errc::device_or_resource_busy);
  }
  if (o.memory > most_memory) {
    what = std::to_string(o.memory) + " bytes of memory; the most is 1 TiB";
    return std::make_error_code(std::errc::invalid_argument);
  }
  prepare_clock();
  const auto wanted = std::max(fewest_blocks, static_cast<std::uint32_t>(o.memory / block_bytes));
  if (const auto ec = need_blocks(wanted)) {
    what = "no memory for " + std::to_string(o.memory) + " bytes of rings";
    return ec;
  }
  const bool flight = o.kind == session_kind::flight;
  session_options kept = o;  // while nothing is open yet: it may find no memory
  kept.path = absolute(o.path);
  if (!flight) {
    if (const int error = s.file.open(o.path.c_str())) {
      what = "cannot write " + o.path + (error == EBUSY ? ", as another process does" : "");
      return {error, std::generic_category()};
    }
    s.file.header(0);
  }
  if (flight && os::is_fault_signal(o.signal)) {
    what =
        "signal " + std::to_string(o.signal) + " is that of a crash; on_crash writes the file then";
    return std::make_error_code(std::errc::invalid_argument);
  }
  if (flight && o.signal != 0)
    if (const auto ec = os::install_signal_handler(o.signal, &on_snapshot_signal)) {
      what = "no handler for signal " + std::to_string(o.signal) + " could be installed";
      return ec;
    }
  s.options = std::move(kept);
  std::snprintf(words.path, sizeof words.path, "%s", s.options.path.c_str());
  s.fibers = fibers;
  s.fibers_not_before = 0;
  s.ends.store(false, std::memory_order_relaxed);
  refresh_modules();
  shared.dropped.store(0, std::memory_order_relaxed);
  shared.overwritten.store(0, std::memory_order_relaxed);
  shared.complete_since.store(ticks_now(), std::memory_order_relaxed);
  shared.generation.store(1, std::memory_order_relaxed);
  shared.blocks.begin(++s.number, flight ? when_none::overwrite : when_none::refuse, wanted);
  begin_epoch();
  shared.streams.store(!flight, std::memory_order_relaxed);
  if (o.on_crash) install_crash_handlers();
  words.fibers.store(fibers, std::memory_order_relaxed);
  try {
    const os::block_signals blocked;
    s.collector = std::thread([&s, flight] {
      os::set_thread_name("weft-trace");
      flight ? wait_for_requests(s) : collect_into_file(s);
    });
  } catch (const std::system_error& e) {
    shared.blocks.close();
    static_cast<void>(s.file.close());
    what = "no thread for the recorder";
    return e.code();
  } catch (...) {  // no memory for one
    shared.blocks.close();
    static_cast<void>(s.file.close());
    throw;
  }
  words.snapshot_on_stall.store(o.on_stall, std::memory_order_relaxed);
  words.kind.store(o.kind, std::memory_order_seq_cst);
  set_listener(&record);
  return {};
}

std::error_code stop_session() noexcept {
  session_data& s = session();
  const base::lock_guard control(s.control);
  if (words.kind.load(std::memory_order_relaxed) == session_kind::none) return {};
  set_listener(nullptr);
  shared.blocks.close();
  s.ends.store(true, std::memory_order_release);
  shared.collector.unpark();
  s.collector.join();
  // A snapshot that somebody else writes uses what the next session writes: it ends first, and no
  // other one begins.
  const base::lock_guard none(s.snapshots);
  const session_kind was = words.kind.exchange(session_kind::none, std::memory_order_seq_cst);
  if (was != session_kind::file) return {};
  words.written.store(s.file.size(), std::memory_order_relaxed);
  return {s.file.close(), std::generic_category()};
}

std::error_code write_snapshot(const char* path) {
  session_data& s = session();
  const base::lock_guard one(s.snapshots);
  // acquire: what start_session wrote before
  if (words.kind.load(std::memory_order_acquire) != session_kind::flight)
    return std::make_error_code(std::errc::operation_not_permitted);
  // under the lock; needs no memory, which may be why somebody wants a snapshot
  alignas(trace_file) static std::byte place[sizeof(trace_file)];
  static trace_file& file = *::new (static_cast<void*>(place)) trace_file;
  // after a crash, which writes all of this itself
  std::error_code result = std::make_error_code(std::errc::operation_canceled);
  piece([&] { result = write_flight(s, file, path); });
  return result;
}

void request_snapshot() noexcept {
  if (words.kind.load(std::memory_order_relaxed) != session_kind::flight) return;
  words.snapshot_wanted.store(true, std::memory_order_release);
  shared.collector.unpark();
}

bool wants_stalls() noexcept {
  return words.kind.load(std::memory_order_relaxed) != session_kind::none;
}

void note_stall(std::uint64_t fiber, std::uint64_t kind, std::uint64_t worker) noexcept {
  emit(event::stall, fiber, kind, worker);
  if (words.kind.load(std::memory_order_relaxed) == session_kind::flight &&
      words.snapshot_on_stall.load(std::memory_order_relaxed))
    request_snapshot();
}

counters look() noexcept {
  return {shared.dropped.load(std::memory_order_relaxed),
          shared.overwritten.load(std::memory_order_relaxed),
          words.written.load(std::memory_order_relaxed)};
}

}  // namespace weft::detail::trace
