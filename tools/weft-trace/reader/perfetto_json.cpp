// SPDX-License-Identifier: BSL-1.0
// tools/weft-trace/reader/perfetto_json.cpp - Chrome's JSON: "X" a stretch, "s"/"f" the two ends of
// an arrow, "i" an instant, "M" a name. Process 1 is the threads, process 2 the fibers; times in
// microseconds.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "reader/report.hpp"
#include "reader/tracks.hpp"

namespace weft::tools {
namespace {

constexpr int thread_process = 1, fiber_process = 2;

class json_writer final : public track_writer {
 public:
  explicit json_writer(const model& m) : begin_(m.begin) {
    out_ = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[";
    meta(thread_process, 0, "process_name", fmt::format("threads of process {}", m.source.pid));
    meta(fiber_process, 0, "process_name", "fibers");
  }
  std::string finish() { return out_ + "\n]}\n"; }

  void name(track t, const std::string& name) override {
    meta(process_of(t), t.index, "thread_name", name);
  }
  void stretch(track t, std::int64_t begin, std::int64_t end, const std::string& name,
               std::string_view category, const argument& a) override {
    std::string arguments;
    if (!a.name.empty()) arguments = fmt::format(R"("{}":{})", a.name, quoted(a.text));
    event(fmt::format(
        R"("ph":"X","pid":{},"tid":{},"ts":{},"dur":{:.3f},"name":{},"cat":"{}","args":{{{}}})",
        process_of(t), t.index, at(begin), static_cast<double>(end - begin) / 1e3, quoted(name),
        category, arguments));
  }
  void region(track t, std::int64_t begin, std::int64_t end, const std::string& name) override {
    stretch(t, begin, end, name, "region", {});
  }
  void instant(track t, std::int64_t when, const std::string& text,
               std::string_view category) override {
    event(fmt::format(R"("ph":"i","s":"t","pid":{},"tid":{},"ts":{},"name":{},"cat":"{}")",
                      process_of(t), t.index, at(when), quoted(text), category));
  }
  void arrow(track from, std::int64_t begin, track to, std::int64_t end) override {
    const std::size_t id = arrows_++;
    event(fmt::format(R"("ph":"s","pid":{},"tid":{},"ts":{},"id":{},"name":"wake","cat":"wake")",
                      process_of(from), from.index, at(begin), id));
    event(fmt::format(
        R"("ph":"f","bp":"e","pid":{},"tid":{},"ts":{},"id":{},"name":"wake","cat":"wake")",
        process_of(to), to.index, at(end), id));
  }

 private:
  static int process_of(track t) {
    return t.kind == track::of::thread ? thread_process : fiber_process;
  }
  void event(const std::string& fields) {
    if (!first_) out_ += ',';
    first_ = false;
    out_ += "\n{" + fields + "}";
  }
  [[nodiscard]] std::string at(std::int64_t ns) const {
    return fmt::format("{:.3f}", static_cast<double>(ns - begin_) / 1e3);
  }
  void meta(int process, std::uint32_t number, const char* what, const std::string& name) {
    event(fmt::format(R"("ph":"M","pid":{},"tid":{},"name":"{}","args":{{"name":{}}})", process,
                      number, what, quoted(name)));
  }

  const std::int64_t begin_;
  std::string out_;
  std::size_t arrows_ = 0;
  bool first_ = true;
};

}  // namespace

// Strings only go through the library: as one document, a trace of a gigabyte would need several.
std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string to_perfetto(const model& m) {
  json_writer w(m);
  write_tracks(m, w);
  return w.finish();
}

}  // namespace weft::tools
