// SPDX-License-Identifier: BSL-1.0
// test/trace/excerpt_test.cpp - the timeline of traces in which little happens: none but parked
// fibers, or nothing at all.
#include <weft/weft.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include <unistd.h>

#include "reader/reader.hpp"
#include "reader/report.hpp"
#include "timeline/timeline.hpp"

using namespace weft;

namespace {

// Of a process without a runtime.
tools::model idle_model() {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("weft-idle-" + std::to_string(getpid()))).string();
  trace::start(path);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  trace::stop();
  tools::trace t = tools::read_trace_file(path);
  std::filesystem::remove(path);
  return tools::make_model(std::move(t));
}

}  // namespace

TEST_CASE("a trace without events is as long as the recording was") {
  const tools::model m = idle_model();
  REQUIRE(m.source.events.empty());
  CHECK(m.source.complete);
  CHECK(m.end - m.begin >= 20'000'000);
  CHECK(tools::report(m).find("0 ns of process") == std::string::npos);
}

TEST_CASE("the timeline's data names no threads, but has the list of them") {
  const tools::model m = idle_model();
  const tools::page_data page = tools::make_page_data(m, tools::make_excerpt(m, {}), {});
  CHECK(page.json.find("\"threads\":[]") != std::string::npos);
}

TEST_CASE("--limit counts what begins in the timeline, not what was parked before") {
  tools::model m;
  m.end = 1000;
  const auto wait = [&](std::int64_t begin, std::int64_t end) {
    tools::wait w;
    w.fiber = static_cast<std::uint32_t>(m.fibers.size());
    w.begin = begin;
    w.end = end;
    m.fibers.emplace_back();
    m.waits.push_back(w);
  };
  for (int i = 0; i < 50; ++i) wait(0, 1000);
  for (int i = 1; i <= 20; ++i) wait(i * 10, i * 10 + 1);
  tools::timeline_options o;
  o.limit = 10;
  const tools::excerpt x = tools::make_excerpt(m, o);
  CHECK(x.cut_by_limit);
  CHECK(x.end == 110);
  CHECK(x.waits.size() == 50 + 11);
  o.limit = 20;
  CHECK_FALSE(tools::make_excerpt(m, o).cut_by_limit);
  o.from = 500;  // nothing begins any more
  o.limit = 1;
  CHECK(tools::make_excerpt(m, o).end == 1000);
}
