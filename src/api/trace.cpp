// SPDX-License-Identifier: BSL-1.0
// api/trace.cpp - the entry points of weft/trace.hpp, the environment, and the table of fibers for
// the recorder.
#include <weft/trace.hpp>

#include <charconv>
#include <cstdlib>
#include <mutex>
#include <system_error>

#include "base/lock_guard.hpp"
#include "base/zero_byte.hpp"
#include "debug/peek.hpp"
#include "os/os.hpp"
#include "sched/runtime_entry.hpp"
#include "trace/clock.hpp"
#include "trace/file.hpp"
#include "trace/session.hpp"

namespace weft::trace {
namespace {

namespace recorder = weft::detail::trace;

void write_alive(recorder::trace_file& file, recorder::snapshot_mode how) {
  using namespace weft::detail;
  file.begin_table(recorder::chunk_kind::fibers);
  for_each_record([&](fiber_record& f) {
    const fiber_state state = f.word.state();
    if (state == fiber_state::unused || state == fiber_state::dead ||
        f.has(fiber_record::is_thread))
      return;
    file.entry();
    file.varint(peek(f.id));
    file.byte(static_cast<std::uint8_t>(state));
    file.byte(static_cast<std::uint8_t>(f.reason.load(std::memory_order_relaxed)));
    file.varint(reinterpret_cast<std::uintptr_t>(f.wait_object.load(std::memory_order_relaxed)));
    file.varint(0);
    if (how == recorder::snapshot_mode::in_crash) {
      file.text({});
      return;
    }
    const base::lock_guard guard(f.lock);
    const fiber_extras* x = f.extras.load(std::memory_order_acquire);  // [REC-2]
    file.text(x != nullptr ? std::string_view(x->name) : std::string_view());
  });
  file.end_table();
}

void write_running(recorder::trace_file& file, recorder::snapshot_mode how) {
  using namespace weft::detail;
  file.begin_table(recorder::chunk_kind::running);
  const auto tell = [&](const worker& w) {
    const fiber_record* f = peek(w.current);
    if (f == nullptr) return;
    file.entry();
    file.varint(recorder::ticks_now());
    file.varint(peek(f->id));
    file.varint(static_cast<std::uint64_t>(w.thread_id()));
  };
  if (how == recorder::snapshot_mode::in_crash) {
    if (const worker* w = this_worker()) tell(*w);
  } else {
    const runtimes_held runtimes;
    for (const scheduler* s : runtimes.all())
      s->for_each_worker([&](const worker& w) {
        if (w.started.load(std::memory_order_acquire) != 0) tell(w);  // [MON-2]
      });
  }
  file.end_table();
}

// The fibers alive, read while they run: what they wait for, which ones run. At worst an entry is
// torn.
void write_fibers(recorder::trace_file& file, recorder::snapshot_mode how) {
  if (how != recorder::snapshot_mode::running_only) write_alive(file, how);
  write_running(file, how);
}

void begin(const recorder::session_options& o) {
  weft::detail::refuse_zero_byte(o.path, "weft::trace: the path");
  std::string what;
  if (const auto ec = recorder::start_session(o, &write_fibers, what))
    throw std::system_error(ec, "weft::trace: " + what);
}

std::uint64_t id_of_caller() {
  const weft::detail::worker* w = weft::detail::this_worker();
  return w != nullptr && w->current != nullptr ? w->current->id : 0;
}

// Inside weft: the thread's own preemption, which records, too, must not strike in the middle.
template <class Tell>
void tell(Tell&& t) noexcept {
  if (!recorder::listened_to()) return;
  weft::detail::worker* w = weft::detail::enter();
  t(id_of_caller());
  if (w != nullptr) weft::detail::leave(*w);
}

[[noreturn]] void refuse(const std::string& text) {
  throw std::system_error(std::make_error_code(std::errc::invalid_argument), text);
}

// "16", "16:path", "16:path:12"
flight_options parse_flight(std::string_view text) {
  flight_options o;
  const auto number = [&](std::string_view digits, auto& to) {
    const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), to);
    if (ec != std::errc() || end != digits.data() + digits.size())
      refuse("\"" + std::string(digits) + "\" is no number");
  };
  const std::size_t colon = text.find(':');
  std::size_t mib = 0;
  number(text.substr(0, colon), mib);
  if (mib == 0 || mib > recorder::most_memory >> 20)
    refuse("the size must be between 1 and 1048576 MiB");
  o.memory = mib << 20;
  if (colon == std::string_view::npos) return o;
  text.remove_prefix(colon + 1);
  const std::size_t last = text.rfind(':');
  if (last != std::string_view::npos) {
    number(text.substr(last + 1), o.signal);
    text = text.substr(0, last);
  }
  if (!text.empty()) o.path = text;
  return o;
}

}  // namespace

void start(const options& o) {
  begin({.kind = recorder::session_kind::file,
         .path = o.path,
         .memory = o.memory,
         .on_crash = o.on_crash});
}
void start(const std::string& path) {
  options o;
  o.path = path;
  start(o);
}
void start_flight_recorder(const flight_options& o) {
  begin({.kind = recorder::session_kind::flight,
         .path = o.path,
         .memory = o.memory,
         .signal = o.signal,
         .on_stall = o.on_stall,
         .on_crash = o.on_crash});
}

void snapshot(const std::string& path) {
  weft::detail::refuse_zero_byte(path, "weft::trace::snapshot: the path");
  if (const auto ec = recorder::write_snapshot(path.c_str()))
    throw std::system_error(ec, "weft::trace::snapshot: " + path);
}
void stop() {
  if (const auto ec = recorder::stop_session())
    throw std::system_error(ec, "weft::trace::stop: not everything could be written");
}
bool is_recording() noexcept { return recorder::session_now() != recorder::session_kind::none; }

statistics look() noexcept {
  const recorder::counters c = recorder::look();
  return {c.dropped, c.overwritten, c.written_bytes};
}

void start_from_environment() noexcept {
  static std::once_flag once;
  std::call_once(once, [] {
    for (const char* name : {"WEFT_TRACE", "WEFT_FLIGHT_RECORDER"}) {
      const char* const value = std::getenv(name);
      if (value == nullptr || *value == '\0') continue;
      try {
        if (name[5] == 'T')
          start(value);
        else
          start_flight_recorder(parse_flight(value));
      } catch (const std::exception& e) {
        os::write_stderr(std::string("weft: ") + name + "=" + value + ": " + e.what() +
                         "; nothing is recorded\n");
      }
    }
  });
}

void detail::begin_region(std::string_view name) noexcept {
  tell([&](std::uint64_t f) { recorder::emit_text(recorder::event::region_begin, f, name); });
}
void detail::end_region() noexcept {
  tell([](std::uint64_t f) { recorder::emit(recorder::event::region_end, f); });
}
void log(std::string_view text) noexcept {
  tell([&](std::uint64_t f) { recorder::emit_text(recorder::event::log, f, text); });
}

}  // namespace weft::trace
