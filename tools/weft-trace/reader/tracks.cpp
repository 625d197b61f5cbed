// SPDX-License-Identifier: BSL-1.0
// tools/weft-trace/reader/tracks.cpp - goes through a model for a track_writer.
#include "reader/tracks.hpp"

#include <fmt/format.h>

#include "reader/symbols.hpp"

namespace weft::tools {
namespace {

track thread_track(std::uint32_t t) { return {track::of::thread, t}; }
track fiber_track(std::uint32_t f) { return {track::of::fiber, f}; }

class walk {
 public:
  walk(const model& m, track_writer& to) : m_(m), to_(to), symbols_(m.source.modules) {}

  void all() {
    for (std::uint32_t i = 0; i < m_.threads.size(); ++i)
      to_.name(thread_track(i), m_.thread_label(i));
    for (std::uint32_t i = 0; i < m_.fibers.size(); ++i)
      to_.name(fiber_track(i), m_.fiber_label(i));
    for (const slice& s : m_.slices) show(s);
    for (std::uint32_t i = 0; i < m_.threads.size(); ++i) stretches(i);
    for (const wait& w : m_.waits) show(w);
    for (const region& r : m_.regions)
      to_.region(r.fiber == none ? thread_track(r.thread) : fiber_track(r.fiber), r.begin, r.end,
                 r.name);
    for (const offload_run& r : m_.offloads)
      to_.stretch(thread_track(r.thread), r.begin, r.end, m_.fiber_label(r.fiber), "offload", {});
    for (const marker& l : m_.logs) show(l, "log");
    for (const marker& s : m_.stalls) show(s, "stall");
  }

 private:
  void show(const slice& s) {
    const char* const category = s.in_kernel ? "blocked" : "running";
    const fiber& f = m_.fibers[s.fiber];
    argument spawned;
    if (f.spawned_at != 0) spawned = {"spawned", symbols_.at(f.spawned_at).text()};
    to_.stretch(thread_track(s.thread), s.begin, s.end, m_.fiber_label(s.fiber), category, spawned);
    to_.stretch(fiber_track(s.fiber), s.begin, s.end,
                s.in_kernel ? "blocked in the kernel" : "on " + m_.thread_label(s.thread), category,
                {});
  }
  void stretches(std::uint32_t thread) {
    for (const stretch& s : m_.threads[thread].stretches) {
      if (s.what == doing::idle)
        to_.stretch(thread_track(thread), s.begin, s.end, "idle", "idle", {});
      if (s.what == doing::searching && s.end - s.begin > 1000)
        to_.stretch(thread_track(thread), s.begin, s.end, "searching", "searching", {});
    }
  }
  void show(const wait& w) {
    to_.stretch(fiber_track(w.fiber), w.begin, w.end, "waits: " + m_.source.reason(w.reason),
                "parked", {"object", fmt::format("{:#x}", w.object)});
    if (!w.over || w.resumed == 0 || w.waker == none) return;
    // From the waker's track, at the wake, to where the woken one runs again.
    to_.arrow(fiber_track(w.waker), w.end, fiber_track(w.fiber), w.resumed);
  }
  void show(const marker& m, std::string_view category) {
    to_.instant(m.fiber != none ? fiber_track(m.fiber) : thread_track(m.thread), m.at, m.text,
                category);
  }

  const model& m_;
  track_writer& to_;
  symbols symbols_;
};

}  // namespace

void write_tracks(const model& m, track_writer& to) { walk(m, to).all(); }

}  // namespace weft::tools
