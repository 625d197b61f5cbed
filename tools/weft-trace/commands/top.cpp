// SPDX-License-Identifier: BSL-1.0
// weft-trace top - a running process, seen again and again: on a terminal, or as text.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "commands/commands.hpp"
#include "commands/inspect.hpp"
#include "top/terminal.hpp"
#include "top/view.hpp"

namespace weft::tools {
namespace {

using clock = std::chrono::steady_clock;

struct top_options {
  inspection process;
  int interval_ms = 1000;
  int count = 0;  // 0: until told to end
  std::size_t longest = 8;
  bool once = false, batch = false;
};

// Asks a process; who waits longest costs it a walk over all fibers, and so at most a twentieth of
// the time.
class observer {
 public:
  explicit observer(const top_options& o) : options_(o) {}

  moment look() {
    inspection ask = options_.process;
    ask.question = "metrics";
    moment m{sample(inspect(ask)), {}};
    if (options_.longest == 0) return m;
    const auto begin = clock::now();
    if (begin >= again_) {
      ask.question = fmt::format("longest {}", options_.longest);
      longest_ = parse_longest(inspect(ask));
      again_ = clock::now() + 20 * (clock::now() - begin);
      seen_ = begin;
    }
    m.longest = longest_;
    for (waiting_fiber& f : m.longest)
      f.seconds += std::chrono::duration<double>(begin - seen_).count();
    return m;
  }

 private:
  const top_options& options_;
  clock::time_point again_{}, seen_{};
  std::vector<waiting_fiber> longest_;
};

std::string program_of(pid_t pid) {
  std::string name;
  std::getline(std::ifstream(fmt::format("/proc/{}/comm", pid)) >> std::ws, name);
  return name.empty() ? "?" : name;
}

void print_as_text(const top_options& o, observer& process) {
  moment before = process.look();
  const std::string program = program_of(o.process.pid);
  for (int n = 0; o.once ? n < 1 : o.count == 0 || n < o.count; ++n) {
    std::this_thread::sleep_for(std::chrono::milliseconds(o.interval_ms));
    moment now = process.look();
    std::string text;
    for (const std::string& line :
         cut_to(render_top(o.process.pid, program, before, now), 1000, 10'000))
      text += line + "\n";
    if (!o.once) text += "\n";
    // nobody reads
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
      return;
    before = std::move(now);
  }
}

void show_on_terminal(const top_options& o, observer& process) {
  // a process that is none, or no weft program, is told of on the screen that was there
  moment before = process.look();
  moment now = before;
  const std::string program = program_of(o.process.pid);
  terminal screen;
  for (int n = 0;;) {
    const auto size = screen.now();
    screen.show(cut_to(render_top(o.process.pid, program, before, now), size.columns, size.rows));
    // The first view follows soon: it has no rates yet.
    const auto next = clock::now() + std::chrono::milliseconds(n == 0 ? std::min(o.interval_ms, 250)
                                                                      : o.interval_ms);
    for (bool waits = true; waits;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - clock::now());
      switch (screen.wait(std::max(left, std::chrono::milliseconds(0)))) {
        case terminal::event::quit:
          return;
        case terminal::event::timeout:
          waits = false;
          break;
        case terminal::event::redraw: {
          const auto changed = screen.now();
          screen.show(cut_to(render_top(o.process.pid, program, before, now), changed.columns,
                             changed.rows));
        }
      }
    }
    if (o.count != 0 && n == o.count) return;
    ++n;
    before = std::move(now);
    now = process.look();
  }
}

}  // namespace

void add_top(CLI::App& app) {
  CLI::App* c = app.add_subcommand("top",
                                   "Shows what a running weft program does, again and again: "
                                   "fibers, queues, rates, latencies, longest waits; q quits");
  const auto o = std::make_shared<top_options>();
  o->process.patience = std::chrono::milliseconds(2000);
  add_inspection_options(*c, o->process);
  c->add_option("-i,--interval", o->interval_ms, "Milliseconds from one view to the next")
      ->capture_default_str()
      ->check(CLI::Range(10, 3'600'000));
  c->add_option("-n,--count", o->count, "So many views, then end; 0: until told to")
      ->check(CLI::Range(0, 1'000'000'000));
  c->add_option("-l,--longest", o->longest, "How many of the longest waits; 0: none")
      ->capture_default_str()
      ->check(CLI::Range(0, 10'000));
  CLI::Option* once = c->add_flag("--once", o->once, "One view as text, of one interval");
  c->add_flag("--batch", o->batch, "Views as text, one after the other")->excludes(once);
  c->callback([o] {
    observer process(*o);
    if (o->once || o->batch)
      print_as_text(*o, process);
    else
      show_on_terminal(*o, process);
  });
}

}  // namespace weft::tools
