// SPDX-License-Identifier: BSL-1.0
// test/trace/timeline_test.cpp - the timeline page in a real browser: it loads without a word on
// the console and without asking anybody for anything, shows what the trace has, finds fibers,
// zooms, and says what is clicked.
//
// Takes screenshots, into WEFT_SCREENSHOTS or the directory it runs in: look at them.
#include <weft/trace.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <fstream>

#include "base/sanitizers.hpp"
#include "browser.hpp"
#include "trace/command.hpp"

namespace {

using weft::test::browser;
using json = nlohmann::json;

struct directory {
  directory()
      : path(
            (std::filesystem::temp_directory_path() / ("weft-timeline-" + std::to_string(getpid())))
                .string()) {
    std::filesystem::create_directories(path + "/browser");
  }
  ~directory() {
    std::error_code ignored;  // the browser's last processes may still write
    std::filesystem::remove_all(path, ignored);
  }
  const std::string path;
};

/// The timeline of the known program.
std::string page_in(const directory& d, const std::string& how) {
  using weft::test::run, weft::test::tool;
  const std::string trace = d.path + "/known.trace", page = d.path + "/known.html";
  const std::string program = weft::test::program + " " + how;
  REQUIRE(run(tool + " record -o " + trace + " -- " + program).status == 0);
  REQUIRE(run(tool + " timeline " + trace + " -o " + page).status == 0);
  return page;
}

void save_screenshot(browser& b, const std::string& name) {
  const char* const where = std::getenv("WEFT_SCREENSHOTS");
  const std::string file = std::string(where != nullptr ? where : ".") + "/" + name;
  const std::string base64 = b.screenshot();
  std::string png;
  unsigned bits = 0, count = 0;
  for (const char c : base64) {
    const std::string_view letters =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const std::size_t at = letters.find(c);
    if (at == std::string_view::npos) break;
    bits = bits << 6U | static_cast<unsigned>(at);
    if (++count % 4 != 1) png += static_cast<char>(bits >> (6 - 2 * ((count - 1) % 4)) & 0xff);
  }
  CHECK(png.substr(1, 3) == "PNG");
  CHECK(png.size() > 20'000);  // an empty page is a quarter of that
  std::ofstream(file, std::ios::binary) << png;
  MESSAGE("screenshot: " << file);
}

// How many pixels of a pane have the colour of a kind of segment.
long pixels(browser& b, const std::string& pane, const std::string& kind) {
  return b.evaluate(
      "(() => { const c = panes." + pane +
      ".canvas, copy = new OffscreenCanvas(c.width, c.height).getContext('2d', { "
      "willReadFrequently: true });"
      "copy.drawImage(c, 0, 0); const d = copy.getImageData(0, 0, c.width, c.height).data;"
      "const want = colours.kinds[kindNumber." +
      kind +
      "].match(/[0-9a-f]{2}/g).map(x => parseInt(x, 16)); let n = 0;"
      "for (let i = 0; i < d.length; i += 4) if (d[i] === want[0] && d[i + 1] === want[1] && d[i + "
      "2] === want[2]) ++n;"
      "return n; })()");
}

// Shows the longest stretch of a kind that the first fiber with one has, from edge to edge. How
// many pixels that is does not depend on how long the program took.
void show_longest(browser& b, const std::string& kind) {
  b.evaluate(
      "(kind => { const f = [...Array(fiberCount).keys()].find(f => "
      "fiberRow(f).kind.includes(kind)), row = fiberRow(f);"
      "const length = i => row.kind[i] === kind ? row.end[i] - row.begin[i] : -1; let longest = 0;"
      "for (let i = 0; i < row.length; ++i) if (length(i) > length(longest)) longest = i;"
      "show(row.begin[longest], row.end[longest]); scrollToFiber(f); })(kindNumber." +
      kind + ")");
  b.frame();
}

}  // namespace

TEST_CASE("weft-trace timeline: the page in Chromium") {
  const std::string program = browser::find();
  if (program.empty()) {
    // ctest looks for this line
    std::printf("SKIPPED: there is no Chromium; apt-get install chromium\n");
    return;
  }
  const directory d;
  const std::string page = page_in(d, "");
  browser b(program, d.path + "/browser", 1500, 900);
  b.open(page);

  // What the program did: a main fiber, a receiver, 40 that sleep.
  const json counts = b.evaluate("weftTimeline.counts");
  CHECK(counts["fibers"] == 42);
  CHECK(counts["waits"].get<int>() >= 40 + 5);
  CHECK(counts["arrows"].get<int>() >= 40 + 40 + 5);  // spawns, sleeps' ends, offloaded calls' ends
  json drawn = b.evaluate("weftTimeline.drawn");
  CAPTURE(drawn.dump());
  CHECK(drawn["threadRows"].get<int>() >= 3);  // two workers, a thread of the pool
  CHECK(drawn["fiberRows"].get<int>() >= 20);
  CHECK(drawn["arrows"].get<int>() > 0);
  CHECK(pixels(b, "threads", "offload") > 0);
  CHECK(pixels(b, "threads", "idle") > 0);
  save_screenshot(b, "timeline.png");
  for (const char* kind : {"sleep", "runnable"}) {
    show_longest(b, kind);
    CHECK(pixels(b, "fibers", kind) > 10'000);
  }
  b.press("0");

  // Search, by keys: the receiver is found, selected, and the panel speaks of it.
  b.press("/");
  b.type("the \"rec");
  CHECK(b.evaluate("document.getElementById('found').textContent") == "1");
  b.press("Enter");
  CHECK(b.evaluate("weftTimeline.selected().name") == "the \"receiver\"");
  CHECK(b.evaluate("document.getElementById('details').textContent")
            .get<std::string>()
            .find("receiving") != std::string::npos);
  CHECK(b.evaluate("document.getElementById('details').textContent")
            .get<std::string>()
            .find("known_program.cpp:") != std::string::npos);
  CHECK(b.evaluate("weftTimeline.search('nobody has this name')") == 0);
  CHECK(b.evaluate("weftTimeline.search('known_program.cpp')").get<int>() >= 41);
  b.press("Escape");

  // Zoom: by key, by wheel around the pointer; and back.
  const auto length = [&] {
    return b.evaluate("weftTimeline.view.end - weftTimeline.view.begin").get<double>();
  };
  b.press("0");
  const double all = length();
  b.press("w");
  CHECK(length() < all * 0.8);
  CHECK(length() > all * 0.5);
  b.press("s");
  CHECK(std::abs(length() - all) < all * 0.15);
  const double under_pointer = b.evaluate("panes.fibers.timeAt(700)").get<double>();
  b.wheel(700, 500, -400, true);
  CHECK(length() < all * 0.8);
  CHECK(std::abs(b.evaluate("panes.fibers.timeAt(700)").get<double>() - under_pointer) <
        all * 0.01);
  CHECK(b.evaluate("weftTimeline.drawn.rects").get<int>() > 0);

  // The channel's hand-overs: zoomed in, each is a run of its own with an arrow from who sent.
  b.evaluate("searchFor('receiver'), goToMatch(0), zoomToSelection()");
  b.frame();
  drawn = b.evaluate("weftTimeline.drawn");
  CHECK(drawn["arrows"].get<int>() > 5);
  CHECK(drawn["regions"].get<int>() >= 1);
  save_screenshot(b, "timeline-zoomed.png");

  // A click on the receiver's second wait: what it waited for, and who woke it; k goes there.
  const json at = b.evaluate(
      "(() => { const f = search.matches[0], row = fiberRow(f); let i = -1; for (let k = 0; k < "
      "row.length; ++k) if (row.refTo[k] === refTo.wait "
      "&& trace.waits.waker[row.ref[k]] >= 0) { i = k; break; } const box = "
      "panes.fibers.root.getBoundingClientRect();"
      "show(row.begin[i] - 1000, row.end[i] + 1000); return [box.left + "
      "panes.fibers.x((row.begin[i] + row.end[i]) / 2), box.top + weftTimeline.fiberTop(f) + 9]; "
      "})()");
  b.frame();
  CHECK(pixels(b, "fibers", "channel") > 500);
  b.hover(at[0], at[1]);
  CHECK(b.evaluate("document.getElementById('tooltip').textContent")
            .get<std::string>()
            .find("channel receive") != std::string::npos);
  b.click(at[0], at[1]);
  const std::string words = b.evaluate("document.getElementById('details').textContent");
  CAPTURE(words);
  CHECK(words.find("parked: channel receive") != std::string::npos);
  CHECK(words.find("woken byfiber 1 on weft-") != std::string::npos);
  b.press("k");
  CHECK(b.evaluate("weftTimeline.selected().id") == 1);

  // With a fiber that is not alive in view hidden, a search still goes to it.
  const double ended = b.evaluate("fiberSums.last[search.matches[0]]").get<double>();
  b.evaluate("element('only-view').checked = true, show(" + std::to_string(ended) +
             " + 1, weftTimeline.length), orderFibers()");
  const int alive = b.evaluate("fiberOrder.length").get<int>();
  CHECK(alive < 42);
  b.evaluate("searchFor('receiver'), goToMatch(0)");
  b.frame();
  CHECK(b.evaluate("weftTimeline.fiberTop(search.matches[0])").get<double>() >= 0);
  CHECK(b.evaluate("weftTimeline.view.begin").get<double>() < ended);
  b.evaluate("element('only-view').checked = false, orderFibers()");

  // Dark, too.
  b.evaluate("weftTimeline.setTheme(true), showAll()");
  b.frame();
  save_screenshot(b, "timeline-dark.png");
  show_longest(b, "sleep");
  CHECK(pixels(b, "fibers", "sleep") > 10'000);

  for (const std::string& c : b.complaints) FAIL_CHECK(c);
}

TEST_CASE("weft-trace timeline: where a preempted fiber was") {
  const std::string program = browser::find();
  if (program.empty()) return;
  const directory d;
  const std::string page = page_in(d, "hog");
  browser b(program, d.path + "/browser", 1200, 700);
  b.open(page);
  REQUIRE(b.evaluate("weftTimeline.counts.stacks").get<int>() > 0);
  b.evaluate(
      "(() => { const ref = trace.stacks.slice[0], f = trace.slices.fiber[ref], row = fiberRow(f);"
      "selectSegment(row, row.after(trace.slices.begin[ref]), f, -1, { jump: true }); })()");
  b.frame();
  const std::string words = b.evaluate("document.getElementById('details').textContent");
  CAPTURE(words);
  CHECK(words.find("was preempted") != std::string::npos);
  if (!WEFT_ASAN && !WEFT_TSAN) CHECK(words.find("spin_in_here") != std::string::npos);
  CHECK(pixels(b, "threads", "frozen") > 0);
  save_screenshot(b, "timeline-preempted.png");
  for (const std::string& c : b.complaints) FAIL_CHECK(c);
}

TEST_CASE("weft-trace timeline: the page of a process in which nothing happened") {
  const std::string program = browser::find();
  if (program.empty()) return;
  const directory d;
  const std::string trace = d.path + "/idle.trace", page = d.path + "/idle.html";
  weft::trace::start(trace);  // no runtime, so no events
  weft::trace::stop();
  REQUIRE(weft::test::run(weft::test::tool + " timeline " + trace + " -o " + page).status == 0);
  browser b(program, d.path + "/browser", 1200, 700);
  b.open(page);
  CHECK(b.evaluate("weftTimeline.counts.fibers") == 0);
  CHECK(b.evaluate("weftTimeline.drawn.threadRows") == 0);
  for (const std::string& c : b.complaints) FAIL_CHECK(c);
}
