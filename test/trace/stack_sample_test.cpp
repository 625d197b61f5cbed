// SPDX-License-Identifier: BSL-1.0
// test/trace/stack_sample_test.cpp - the calls of a preempted fiber, as the tool reads them from a
// trace; and what it says of a trace that another kind of machine has made.
#include <weft/weft.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include "base/sanitizers.hpp"
#include "reader/reader.hpp"
#include "reader/symbols.hpp"
#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

struct temporary_file {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("weft-stack-sample-" + std::to_string(getpid())))
          .string();
  ~temporary_file() { std::filesystem::remove(path); }
};

std::atomic<int> returned{0};
// Calls nothing: on aarch64 it has no frame, and its return address stands in a register only.
[[gnu::noinline]] void spins_in_here(const std::atomic<bool>& go_on) {
  while (go_on.load(std::memory_order_relaxed)) {
  }
}
#if defined(__aarch64__)
[[gnu::target("branch-protection=pac-ret")]]
#endif
[[gnu::noinline]] void
inner_call(const std::atomic<bool>& go_on) {
  spins_in_here(go_on);
  ++returned;
}
[[gnu::noinline]] void outer_call(const std::atomic<bool>& go_on) {
  inner_call(go_on);
  ++returned;
}

/// Fibers that compute, on one worker, until some were preempted; the trace is in `path`. In
/// rounds: one whose thread seemed to sleep has lost its processor, and is not preempted any more.
void record(const std::string& path) {
  weft::options o = workers(1);
  o.time_slice = 2ms;
  with_runtime(o, [&](weft::runtime& rt) {
    weft::trace::start(path);
    until([&] {
      std::atomic<bool> go_on{true};
      std::vector<weft::fiber<void>> all;
      for (int i = 0; i < 3; ++i) all.push_back(rt.spawn([&] { outer_call(go_on); }));
      std::this_thread::sleep_for(50ms);
      go_on = false;
      for (auto& f : all) f.join();
      return weft::metrics(rt).preemptions >= 6;
    });
    weft::trace::stop();
  });
}

}  // namespace

TEST_CASE("a preempted fiber's calls, each once and in order") {
  // the wrappers of the sanitizers are deeper than what is kept of the stack
  if (WEFT_ASAN || WEFT_TSAN) return;
  const temporary_file file;
  record(file.path);
  const weft::tools::trace t = weft::tools::read_trace_file(file.path);
  CHECK(t.error == "");
  CHECK(t.machine == weft::detail::trace::this_machine);
  weft::tools::symbols names(t.modules);
  int samples = 0, whole = 0;
  std::string last;
  for (const weft::tools::trace_event& e : t.events) {
    if (e.what() != weft::tools::event::fiber_stack) continue;
    ++samples;
    last.clear();
    std::vector<std::string> functions;
    for (const std::string& call : names.calls(t.texts[e.text])) {
      last += call + "\n";
      for (const char* name : {"spins_in_here", "inner_call", "outer_call"})
        if (call.find(name) != std::string::npos) functions.emplace_back(name);
    }
    whole += functions == std::vector<std::string>{"spins_in_here", "inner_call", "outer_call"};
  }
  CAPTURE(last);
  CHECK(samples >= 6);
  CHECK(whole > samples / 2);  // some may have been on their way there
}

TEST_CASE("a trace from another kind of machine: names of this one's files are not taken for it") {
  using namespace weft::detail::trace;
  const temporary_file file;
  record(file.path);
  {
    std::fstream trace(file.path, std::ios::in | std::ios::out | std::ios::binary);
    file_header h{};
    trace.read(reinterpret_cast<char*>(&h), sizeof h);
    const machine other = this_machine == machine::x86_64 ? machine::aarch64 : machine::x86_64;
    h.flags = (h.flags & 0xffU) | static_cast<std::uint32_t>(other) << machine_shift;
    h.checksum = checksum_of(h);
    trace.seekp(0);
    trace.write(reinterpret_cast<const char*>(&h), sizeof h);
  }
  const weft::tools::trace t = weft::tools::read_trace_file(file.path);
  CHECK(t.error == "");
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string here = this_machine == machine::x86_64 ? "x86-64" : "aarch64",
                    there = this_machine == machine::x86_64 ? "aarch64" : "x86-64";
  CHECK(std::count(t.problems.begin(), t.problems.end(),
                   self + " is for " + here + " here, and the trace was made on " + there +
                       ": its functions are shown as addresses") == 1);
  weft::tools::symbols names(t.modules);
  for (const weft::tools::trace_event& e : t.events)
    if (e.what() == weft::tools::event::fiber_stack)
      for (const std::string& call : names.calls(t.texts[e.text]))
        CHECK(call.find("_call") == std::string::npos);
}
