// SPDX-License-Identifier: BSL-1.0
// tools/weft-trace/reader/folded.cpp - folded stacks: a line of frames, outermost first, with a
// number.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "reader/histogram.hpp"
#include "reader/report.hpp"
#include "reader/symbols.hpp"

namespace weft::tools {
namespace {

class folded {
 public:
  explicit folded(const model& m) : m_(m), symbols_(m.source.modules) {}

  // A frame may hold neither of the two characters that the format needs.
  static std::string frame(std::string text) {
    std::replace(text.begin(), text.end(), ';', ',');
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
  }
  std::string root(const fiber& f) {
    std::string stack =
        f.spawned_at != 0 ? frame(symbols_.at(f.spawned_at).text()) : "(spawned before the trace)";
    if (!f.name.empty()) stack += ";" + frame(f.name);
    return stack;
  }
  // Of a stretch that was preempted: equal samples are looked up once.
  const std::string& calls(std::uint32_t sample) {
    const auto [at, added] = calls_.try_emplace(sample);
    if (added) {
      std::vector<std::string> all = symbols_.calls(m_.source.texts[sample]);
      for (auto call = all.rbegin(); call != all.rend(); ++call) at->second += ";" + frame(*call);
    }
    return at->second;
  }
  void add(const std::string& stack, std::int64_t ns) { add_time(stacks_[stack], ns); }
  [[nodiscard]] std::string text() const {
    std::string out;
    for (const auto& [stack, ns] : stacks_)
      if (ns > 0) out += fmt::format("{} {}\n", stack, ns);
    return out;
  }

 private:
  const model& m_;
  symbols symbols_;
  std::map<std::uint32_t, std::string> calls_;
  std::map<std::string, std::int64_t> stacks_;
};

}  // namespace

std::string folded_waits(const model& m) {
  folded out(m);
  for (const wait& w : m.waits)
    out.add(out.root(m.fibers[w.fiber]) + ";" + folded::frame(m.source.reason(w.reason)),
            w.end - w.begin);
  return out.text();
}

std::string folded_runs(const model& m) {
  folded out(m);
  for (const slice& s : m.slices) {
    if (s.in_kernel) continue;  // no CPU time
    std::string stack = out.root(m.fibers[s.fiber]);
    if (s.stack != 0) stack += out.calls(s.stack);
    out.add(stack, s.end - s.begin);
  }
  return out.text();
}

}  // namespace weft::tools
