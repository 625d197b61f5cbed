// SPDX-License-Identifier: BSL-1.0
// tools/weft-trace/reader/perfetto.cpp - Chrome's JSON: "X" a stretch, "s"/"f" the two ends of an
// arrow, "i" an instant, "M" a name. Process 1 is the threads, process 2 the fibers; times in
// microseconds.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "reader/report.hpp"
#include "reader/symbols.hpp"

namespace weft::tools {
namespace {

constexpr int thread_process = 1, fiber_process = 2;

// UTF-8 stays what it is; bytes that are none become U+FFFD. Strings only go through the library:
// as one document, a trace of a gigabyte would need several.
std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

class converter {
 public:
  explicit converter(const model& m) : m_(m), symbols_(m.source.modules) {}

  std::string all() {
    out_ = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[";
    names();
    for (const slice& s : m_.slices) show(s);
    for (const thread_row& r : m_.threads)
      stretches(r, static_cast<std::uint32_t>(&r - m_.threads.data()));
    for (std::size_t i = 0; i < m_.waits.size(); ++i) show(m_.waits[i], i);
    for (const region& r : m_.regions)
      stretch(r.fiber == none ? thread_process : fiber_process,
              r.fiber == none ? r.thread : r.fiber, r.begin, r.end, r.name, "region");
    for (const offload_run& r : m_.offloads)
      stretch(thread_process, r.thread, r.begin, r.end, m_.fiber_label(r.fiber), "offload");
    for (const marker& l : m_.logs) instant(l, "log");
    for (const marker& s : m_.stalls) instant(s, "stall");
    return out_ + "\n]}\n";
  }

 private:
  void event(const std::string& fields) {
    if (!first_) out_ += ',';
    first_ = false;
    out_ += "\n{" + fields + "}";
  }
  [[nodiscard]] std::string at(std::int64_t ns) const {
    return fmt::format("{:.3f}", static_cast<double>(ns - m_.begin) / 1e3);
  }

  void meta(int process, std::uint32_t track, const char* what, const std::string& name) {
    event(fmt::format(R"("ph":"M","pid":{},"tid":{},"name":"{}","args":{{"name":{}}})", process,
                      track, what, quoted(name)));
  }
  void names() {
    meta(thread_process, 0, "process_name", fmt::format("threads of process {}", m_.source.pid));
    meta(fiber_process, 0, "process_name", "fibers");
    for (std::uint32_t i = 0; i < m_.threads.size(); ++i)
      meta(thread_process, i, "thread_name", m_.thread_label(i));
    for (std::uint32_t i = 0; i < m_.fibers.size(); ++i)
      meta(fiber_process, i, "thread_name", m_.fiber_label(i));
  }
  void stretch(int process, std::uint32_t track, std::int64_t begin, std::int64_t end,
               const std::string& name, const char* category, const std::string& arguments = {}) {
    event(fmt::format(
        R"("ph":"X","pid":{},"tid":{},"ts":{},"dur":{:.3f},"name":{},"cat":"{}","args":{{{}}})",
        process, track, at(begin), static_cast<double>(end - begin) / 1e3, quoted(name), category,
        arguments));
  }
  void instant(const marker& m, const char* category) {
    const bool on_fiber = m.fiber != none;
    event(fmt::format(R"("ph":"i","s":"t","pid":{},"tid":{},"ts":{},"name":{},"cat":"{}")",
                      on_fiber ? fiber_process : thread_process, on_fiber ? m.fiber : m.thread,
                      at(m.at), quoted(m.text), category));
  }
  void show(const slice& s) {
    const char* const category = s.in_kernel ? "blocked" : "running";
    const fiber& f = m_.fibers[s.fiber];
    std::string spawned;
    if (f.spawned_at != 0) spawned = "\"spawned\":" + quoted(symbols_.at(f.spawned_at).text());
    stretch(thread_process, s.thread, s.begin, s.end, m_.fiber_label(s.fiber), category, spawned);
    stretch(fiber_process, s.fiber, s.begin, s.end,
            s.in_kernel ? "blocked in the kernel" : "on " + m_.thread_label(s.thread), category);
  }
  void stretches(const thread_row& r, std::uint32_t thread) {
    for (const tools::stretch& s : r.stretches) {
      if (s.what == doing::idle) stretch(thread_process, thread, s.begin, s.end, "idle", "idle");
      if (s.what == doing::searching && s.end - s.begin > 1000)
        stretch(thread_process, thread, s.begin, s.end, "searching", "searching");
    }
  }
  void show(const wait& w, std::size_t number) {
    stretch(fiber_process, w.fiber, w.begin, w.end, "waits: " + m_.source.reason(w.reason),
            "parked", fmt::format(R"("object":"{:#x}")", w.object));
    if (!w.over || w.resumed == 0 || w.waker == none) return;
    // From the waker's track, at the wake, to where the woken one runs again.
    event(fmt::format(R"("ph":"s","pid":{},"tid":{},"ts":{},"id":{},"name":"wake","cat":"wake")",
                      fiber_process, w.waker, at(w.end), number));
    event(fmt::format(
        R"("ph":"f","bp":"e","pid":{},"tid":{},"ts":{},"id":{},"name":"wake","cat":"wake")",
        fiber_process, w.fiber, at(w.resumed), number));
  }

  const model& m_;
  symbols symbols_;
  std::string out_;
  bool first_ = true;
};

}  // namespace

std::string to_perfetto(const model& m) { return converter(m).all(); }

}  // namespace weft::tools
