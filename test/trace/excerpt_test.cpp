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
