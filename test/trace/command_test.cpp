// SPDX-License-Identifier: BSL-1.0
// test/trace/command_test.cpp - weft-trace from end to end: a program is recorded, and what the
// commands say is what the program says it did.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "base/sanitizers.hpp"
#include "trace/command.hpp"

using namespace weft::test;

namespace {

long number_before(const std::string& text, const std::string& word) {
  std::smatch m;
  return std::regex_search(text, m, std::regex("(\\d+) " + word)) ? std::stol(m[1]) : -1;
}
long number_after(const std::string& text, const std::string& word) {
  std::smatch m;
  return std::regex_search(text, m, std::regex(word + " *=? *(\\d+)")) ? std::stol(m[1]) : -1;
}

void check_report(const std::string& said, const std::string& trace_file) {
  const result r = run(tool + " report " + trace_file);
  CAPTURE(r.out);
  CHECK(r.status == 0);
  CHECK(number_before(r.out, "spawned") == number_after(said, "spawned"));
  CHECK(number_after(r.out, "\n  sleep") == number_after(said, "sleeps"));
  CHECK(number_before(r.out, "\n") != 0);
  CHECK(number_after(r.out, "offloaded calls") == number_after(said, "offloads"));
  CHECK(r.out.find("the \"receiver\"") != std::string::npos);
  CHECK(r.out.find("spawn_the_sleepers") != std::string::npos);
  CHECK(r.out.find("known_program.cpp:") != std::string::npos);
  CHECK(r.out.find("receiving") != std::string::npos);
  CHECK(std::regex_search(r.out, std::regex("weft-[01] .*%")));
}

}  // namespace

TEST_CASE("weft-trace: record, report, dump-events") {
  const directory d;
  const std::string t = d.file("a.trace");
  const result recorded = run(tool + " record -o " + t + " -- " + program);
  CAPTURE(recorded.out);
  REQUIRE(recorded.status == 0);
  check_report(recorded.out, t);
  const result events = run(tool + " dump-events " + t);
  CHECK(events.status == 0);
  std::map<std::string, long> counts;
  std::istringstream lines(events.out);
  for (std::string line, seconds, thread, name; std::getline(lines, line);) {
    std::istringstream words(line);
    words >> seconds >> thread >> name;
    ++counts[name];
  }
  const long spawned = number_after(recorded.out, "spawned");
  CHECK(counts["fiber_create"] == spawned);
  CHECK(counts["fiber_end"] + counts["inline_end"] == spawned);
  CHECK(counts["log"] == 1);
  CHECK(counts["offload_begin"] == number_after(recorded.out, "offloads"));
  CHECK(counts["fiber_name"] == 1);
}

TEST_CASE("weft-trace report: where a fiber was that did not let others run") {
  const directory d;
  const std::string t = d.file("a.trace");
  REQUIRE(run(tool + " record -o " + t + " -- " + program + " hog").status == 0);
  const result r = run(tool + " report --no-bars " + t);
  CAPTURE(r.out);
  CHECK(r.status == 0);
  const std::size_t longest = r.out.find("Longest stretches");
  REQUIRE(longest != std::string::npos);
  const std::string part = r.out.substr(longest);
  CHECK(part.find("was preempted") != std::string::npos);
  // the wrappers of the sanitizers are deeper than what is kept of the stack
  if (WEFT_ASAN || WEFT_TSAN) return;
  CHECK(std::regex_search(part, std::regex("spin_in_here\\(\\) \\(known_program.cpp:[0-9]+\\)")));
  CHECK(part.find("run_fibers") == std::string::npos);  // to the callable, and no further
}

TEST_CASE("weft-trace report: fibers that blocked, with a word and without") {
  const directory d;
  const std::string t = d.file("a.trace");
  REQUIRE(run(tool + " record -o " + t + " -- " + program + " block").status == 0);
  const result r = run(tool + " report --no-bars " + t);
  CAPTURE(r.out);
  CHECK(r.status == 0);
  const auto calls = [&](const char* what) {
    std::smatch m;
    const std::regex row("Blocked on a thread[^]*\n  " + std::string(what) + " +(\\d+)");
    return std::regex_search(r.out, m, row) ? std::stoi(m[1]) : 0;
  };
  CHECK(calls("in the kernel undeclared") >= 1);
  CHECK(calls("in block_in_place") == 1);
  CHECK(r.out.find("in the kernel undeclared, then") != std::string::npos);
}

TEST_CASE("weft-trace lines: a profile says where its fibers were spawned") {
  const directory d;
  const std::string folded = d.file("a.folded");
  const std::regex line(
      "\\(unnamed\\);spawned by [^;]* \\([^;()]*known_program.cpp:[0-9]+\\);.*spin_in_here");
  result r;
  // on a busy machine it may end before it is sampled
  for (int i = 0; i < 50 && !std::regex_search(r.out, line); ++i) {
    REQUIRE(run("WEFT_PROFILE=" + folded + " " + program + " hog").status == 0);
    r = run(tool + " lines " + folded);
    CHECK(r.status == 0);
  }
  CAPTURE(r.out);
  CHECK(std::regex_search(r.out, line));
  // a frame without a symbol, such as libc's return from a signal handler, is not in this form
  CHECK_FALSE(std::regex_search(r.out, std::regex("\\([^();]*\\+0x")));
  CHECK(run(tool + " lines " + folded + " -o " + folded + ".lines").status == 0);
  CHECK(run("diff " + folded + ".lines - <<'END'\n" + r.out + "END\n").status == 0);
  CHECK(run(tool + " lines " + d.file("none")).out ==
        "weft-trace: " + d.file("none") + ": No such file or directory\n");
  CHECK(run("echo 'f (/nothing/here+0x12) g (x+0x1)' | " + tool + " lines -").out ==
        "f (/nothing/here+0x12) g (x+0x1)\n");
}

TEST_CASE("weft-trace report: what was waited for, and what its holder did meanwhile") {
  const directory d;
  const std::string t = d.file("a.trace");
  REQUIRE(run(tool + " record -o " + t + " -- " + program + " convoy").status == 0);
  const result r = run(tool + " report --no-bars " + t);
  CAPTURE(r.out);
  std::smatch m;
  REQUIRE(std::regex_search(
      r.out, m,
      std::regex("\n  mutex 0x[0-9a-f]+ +(\\d+) .* m?s +(\\d+) +0   .*known_program.cpp.*\n +"
                 "its owner meanwhile was  parked for sleep \\((\\d+) %\\)")));
  CHECK(std::stoi(m[1]) == 7);
  CHECK(std::stoi(m[2]) == 7);
  CHECK(std::stoi(m[3]) > 50);
}

TEST_CASE("weft-trace convert --perfetto: valid JSON with tracks, stretches and arrows") {
  const directory d;
  const std::string t = d.file("a.trace"), json = d.file("a.json");
  REQUIRE(run(tool + " record -o " + t + " -- " + program).status == 0);
  REQUIRE(run(tool + " convert --perfetto " + t + " -o " + json).status == 0);
  std::ifstream in(json);
  const auto all = nlohmann::json::parse(in);
  std::map<std::string, int> phases;
  std::map<long, int> starts, ends;
  std::set<std::string> tracks;
  for (const auto& e : all["traceEvents"]) {
    const std::string phase = e["ph"];
    ++phases[phase];
    if (phase == "M") tracks.insert(e["args"]["name"]);
    if (phase == "X") {
      CHECK(e["dur"].get<double>() >= 0);
      CHECK(e["name"].is_string());
    }
    if (phase == "s") ++starts[e["id"]];
    if (phase == "f") ++ends[e["id"]];
  }
  CHECK(phases["X"] > 100);
  CHECK(starts == ends);
  CHECK(!starts.empty());
  CHECK((tracks.contains("weft-0") || tracks.contains("weft-1")));
  CHECK(std::count_if(tracks.begin(), tracks.end(), [](const std::string& s) {
          return s.find("the \"receiver\"") != std::string::npos;
        }) == 1);
}

TEST_CASE("weft-trace timeline: one file, which says what it leaves out") {
  const directory d;
  const std::string t = d.file("a.trace"), page = d.file("a.html");
  REQUIRE(run(tool + " record -o " + t + " -- " + program).status == 0);
  const auto data_of = [&](const std::string& path) {
    std::ifstream in(path);
    const std::string all((std::istreambuf_iterator<char>(in)), {});
    CHECK(all.find("{{") == std::string::npos);  // every mark was replaced
    const std::string mark = "id=\"data-json\">";
    const std::size_t at = all.find(mark) + mark.size();
    return nlohmann::json::parse(all.substr(at, all.find("</script>", at) - at));
  };
  result r = run(tool + " timeline " + t + " -o " + page);
  CAPTURE(r.out);
  CHECK(r.status == 0);
  CHECK(r.out.find("42 fibers") != std::string::npos);
  auto data = data_of(page);
  CHECK(data["counts"]["fibers"] == 42);
  CHECK(data["leftOut"] == "");
  CHECK(data["dropped"] == 0);
  // A page that is cut says so, on the terminal and in itself.
  r = run(tool + " timeline --limit 50 " + t + " -o " + page);
  CHECK(r.status == 0);
  CHECK(r.out.find("are left out: --limit cut it") != std::string::npos);
  data = data_of(page);
  CHECK(data["leftOut"].get<std::string>().find("are left out") != std::string::npos);
  CHECK(data["counts"]["slices"].get<int>() + data["counts"]["waits"].get<int>() < 70);
  CHECK(run(tool + " timeline --from 0.1ms --to 1ms " + t + " -o " + page).out.find("left out") !=
        std::string::npos);
  CHECK(data_of(page)["length"].get<long>() <= 900'000);
  r = run(tool + " timeline --from 100s " + t + " -o " + page);
  CHECK(r.status == 1);
  CHECK(r.out.find("nothing of the trace") != std::string::npos);
}

TEST_CASE("weft-trace flame: folded stacks") {
  const directory d;
  const std::string t = d.file("a.trace");
  REQUIRE(run(tool + " record -o " + t + " -- " + program).status == 0);
  const result r = run(tool + " flame " + t);
  CHECK(r.status == 0);
  std::istringstream lines(r.out);
  const std::regex form("[^;]+(;[^;]+)+ [0-9]+");
  long slept = 0;
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    CHECK(std::regex_match(line, form));
    if (line.find(";sleep ") != std::string::npos)
      slept += std::stol(line.substr(line.rfind(' ') + 1));
  }
  CHECK(slept >= 40 * 2'000'000L);  // 40 fibers of 2 ms
}

TEST_CASE("WEFT_TRACE: without code, and through every way to end") {
  const directory d;
  for (const auto& [name, status] :
       std::map<std::string, int>{{"", 0}, {"exit", 3}, {"abort", 134}, {"segv", 139}}) {
    const std::string& how = name;             // clang 14 captures no structured binding
    if (WEFT_ASAN && how == "segv") continue;  // ASan's handler is in front of ours
    CAPTURE(how);
    const std::string t = d.file("end" + how);
    const result r = run("WEFT_TRACE=" + t + " " + program + " " + how);
    CAPTURE(r.out);
    if (!WEFT_TSAN) CHECK(r.status == status);
    check_report(r.out, t);
  }
}

TEST_CASE("WEFT_FLIGHT_RECORDER: the last moments of a crash") {
  const directory d;
  const std::string t = d.file("flight");
  const result r = run("WEFT_FLIGHT_RECORDER=1:" + t + " " + program + " abort");
  CAPTURE(r.out);
  CHECK(r.out.find("last moments are in " + t) != std::string::npos);
  check_report(r.out, t);
  CHECK(run("WEFT_FLIGHT_RECORDER=lots " + program).out.find("\"lots\" is no number") !=
        std::string::npos);
}

TEST_CASE("a crash says which file could not be written, and why") {
  const directory d;
  const std::string lost = "weft: the flight recorder's last moments could not be written to ";
  for (const auto& [setting, text] : std::map<std::string, std::string>{
           {"WEFT_FLIGHT_RECORDER=1:/dev/full", lost + "/dev/full: No space left on device\n"},
           {"WEFT_FLIGHT_RECORDER=1:" + d.file("none/a"),
            lost + d.file("none/a") + ": No such file or directory\n"},
           {"WEFT_TRACE=/dev/full",
            "weft: the trace could not be written to /dev/full: No space left on device\n"}}) {
    const result r = run(setting + " " + program + " abort");
    CAPTURE(r.out);
    CHECK(r.out.find(text) != std::string::npos);
    CHECK(r.out.find("last moments are in") == std::string::npos);
  }
}

TEST_CASE("threads that crash together: the recording is whole, and so is the dump") {
  const directory d;
  const std::string t = d.file("a");
  for (const char* variable : {"WEFT_FLIGHT_RECORDER=8:", "WEFT_TRACE="})
    for (int round = 0; round < 4; ++round) {
      const result r = run(variable + t + " " + program + " 'abort together'");
      CAPTURE(r.out);
      check_report(r.out, t);
      CHECK(run(tool + " report " + t).out.find("the end is missing") == std::string::npos);
      if (WEFT_ASAN || WEFT_TSAN) continue;  // which report crashes themselves
      CHECK(r.out.find("its fibers:\nweft: ") != std::string::npos);
    }
}

TEST_CASE("a crash while the flight recorder's snapshot is written: the file is whole") {
  const directory d;
  const std::string t = d.file("a");
  for (int round = 0; round < 4; ++round) {
    std::filesystem::remove(t);
    const result r =
        run("WEFT_FLIGHT_RECORDER=64:" + t + " " + program + " 'abort in snapshot' " + t);
    CAPTURE(r.out);
    CHECK(r.out.find("last moments are in " + t) != std::string::npos);
    const result report = run(tool + " report --no-bars " + t);
    CAPTURE(report.out);
    CHECK(report.status == 0);
    for (const char* problem : {"damaged", "cut off", "the end is missing"})
      CHECK(report.out.find(problem) == std::string::npos);
  }
}

TEST_CASE("WEFT_TRACE, WEFT_PROFILE: one process at a time writes a file, the first") {
  const directory d;
  const std::string t = d.file("a"), p = d.file("b"), ends = d.file("end");
  const std::string settings = "WEFT_TRACE=" + t + " WEFT_PROFILE=" + p + " ";
  // it starts the other one, which finds the same environment
  const result r = run(settings + program + " twice '" + program + " hog'");
  CAPTURE(r.out);
  CHECK(r.status == 0);
  CHECK(r.out.find("cannot write " + t + ", as another process does: ") != std::string::npos);
  CHECK(r.out.find(p + ", which another process writes: ") != std::string::npos);
  check_report(r.out, t);
  CHECK(run(tool + " report " + t).out.find("damaged") == std::string::npos);
  CHECK(run("grep -c spin_in_here " + p).out == "0\n");
  CHECK(run(settings + program).out.find("another") == std::string::npos);  // it has ended
}

TEST_CASE("WEFT_FLIGHT_RECORDER: the directory is that of the start, not of the crash") {
  const directory d;
  const result r =
      run("cd " + d.path + " && WEFT_FLIGHT_RECORDER=1:flight " + program + " 'abort elsewhere'");
  CAPTURE(r.out);
  CHECK(r.out.find("last moments are in " + d.file("flight")) != std::string::npos);
  check_report(r.out, d.file("flight"));
}

TEST_CASE("WEFT_TRACE, WEFT_PROFILE: what is said on a closed stream does not end in the file") {
  const directory d;
  const std::string t = d.file("a"), p = d.file("b");
  run("{ WEFT_TRACE=" + t + " " + program + " abort 0<&- 2>&-; }");
  const result r = run(tool + " report " + t);
  CHECK(r.status == 0);
  CHECK(r.out.find("damaged") == std::string::npos);
  run("{ WEFT_PROFILE=" + p + " WEFT_SCHEDTRACE=10 " + program + " hog 0<&- 2>&-; }");
  CHECK(run("grep -c weft-sched " + p).out == "0\n");
}

TEST_CASE("weft-trace: errors that help") {
  const directory d;
  result r = run(tool + " report " + d.file("missing"));
  CHECK(r.status == 1);
  CHECK(r.out.find("missing: No such file") != std::string::npos);
  std::ofstream(d.file("foreign")) << "not a trace";
  r = run(tool + " report " + d.file("foreign"));
  CHECK(r.status == 1);
  CHECK(r.out.find("no weft trace") != std::string::npos);
  r = run(tool + " record -- /no/such/program");
  CHECK(r.status == 1);
  CHECK(r.out.find("cannot run /no/such/program") != std::string::npos);
  CHECK(run(tool).status != 0);
  r = run(tool + " --help");
  CHECK(r.status == 0);
  for (const char* command : {"record", "report", "timeline", "convert", "flame", "dump-events"})
    CHECK(r.out.find(command) != std::string::npos);
  r = run("WEFT_TRACE=/nowhere/x " + program);
  CHECK(r.status == 0);
  CHECK(r.out.find("cannot write /nowhere/x") != std::string::npos);
}
