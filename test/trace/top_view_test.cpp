// SPDX-License-Identifier: BSL-1.0
// test/trace/top_view_test.cpp - what weft-trace top shows of a process with many processors, on
// screens of several heights.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "top/view.hpp"

using namespace weft::tools;

namespace {

moment process(int runtimes, int processors, int waits) {
  std::string metrics;
  for (int r = 1; r <= runtimes; ++r) {
    const std::string labels = "number=\"" + std::to_string(r) + "\",runtime=\"weft\"";
    metrics += "weft_uptime_seconds{" + labels + "} 5\n";
    for (int p = 0; p < processors; ++p)
      metrics += "weft_queue_length{" + labels + ",processor=\"" + std::to_string(p) + "\"} 1\n";
  }
  moment m{sample(metrics), {}};
  for (int i = 0; i < waits; ++i)
    m.longest.push_back({1.0, "sleep", "fiber " + std::to_string(i + 1), ""});
  return m;
}

std::vector<std::string> screen(const moment& m, std::size_t rows) {
  view_options o;
  o.has_keys = true;
  o.rows = rows;
  return cut_to(render_top(1, "program", m, m, o), 200, rows);
}
std::size_t count(const std::vector<std::string>& lines, const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(lines.begin(), lines.end(),
                    [&](const std::string& line) { return line.find(text) != std::string::npos; }));
}

}  // namespace

TEST_CASE("top: with many processors the longest waits are on the screen") {
  for (const std::size_t rows : {24U, 25U, 40U, 60U}) {
    CAPTURE(rows);
    const std::vector<std::string> lines = screen(process(1, 64, 8), rows);
    CHECK(lines.size() == rows);
    CHECK(count(lines, "LONGEST WAITS") == 1);
    CHECK(count(lines, " sleep ") == 8);
    // title, keys, eleven of the runtime, the line itself, nine of the waits
    const std::size_t shown = rows - 23;
    CHECK(count(lines, "and " + std::to_string(64 - shown) + " more") == 1);
    CHECK(count(lines, " % ") == shown);
  }
}

TEST_CASE("top: all processors, where they fit or the text has no end") {
  for (const std::size_t rows : {std::size_t{0}, std::size_t{86}}) {
    view_options o;
    o.has_keys = true;
    o.rows = rows;
    const moment m = process(1, 64, 8);
    const std::vector<std::string> lines = render_top(1, "program", m, m, o);
    CHECK(lines.size() == 86);
    CHECK(count(lines, " more") == 0);
  }
  CHECK(count(screen(process(1, 64, 8), 85), "and 2 more") == 1);
  CHECK(count(screen(process(1, 2, 100), 20), " more") == 0);  // the line is no shorter
}

TEST_CASE("top: several runtimes, and a screen too low for anything") {
  const std::vector<std::string> lines = screen(process(2, 64, 8), 50);
  CHECK(count(lines, "LONGEST WAITS") == 1);
  CHECK(count(lines, "and ") == 2);
  CHECK(screen(process(1, 64, 8), 3).size() == 3);
}
