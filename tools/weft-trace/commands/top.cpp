// SPDX-License-Identifier: BSL-1.0
// weft-trace top - a running process, seen again and again: on a terminal, or as text.
#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
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
    print(text);
    before = std::move(now);
  }
}

// The whole view, or one fiber of it.
class screen {
 public:
  screen(const top_options& o, observer& process)
      // a process that is none, or no weft program, is told of on the screen that was there
      : options_(o), process_(process), before_(process.look()), now_(before_) {
    view_.has_keys = true;
  }

  void show_until_told() {
    terminal_.emplace();
    for (int n = 0;;) {
      draw();
      // The first view follows soon: it has no rates yet.
      const int ms = n == 0 ? std::min(options_.interval_ms, 250) : options_.interval_ms;
      if (!wait_for(clock::now() + std::chrono::milliseconds(ms))) return;
      if (options_.count != 0 && n == options_.count) return;
      ++n;
      before_ = std::move(now_);
      now_ = process_.look();
      if (fiber_ != 0) ask_for_fiber();
    }
  }

 private:
  void draw() {
    const auto size = terminal_->now();
    view_.rows = size.rows;
    const std::vector<std::string> lines =
        fiber_ != 0 ? render_fiber(options_.process.pid, program_, text_)
                    : render_top(options_.process.pid, program_, before_, now_, view_);
    terminal_->show(cut_to(lines, size.columns, size.rows));
  }
  // False: told to end.
  bool wait_for(clock::time_point next) {
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - clock::now());
      switch (terminal_->wait(std::max(left, std::chrono::milliseconds(0)))) {
        case terminal::event::quit:
          return false;
        case terminal::event::timeout:
          return true;
        case terminal::event::key:
          on_key(terminal_->key());
          break;
        case terminal::event::redraw:
          break;
      }
      draw();
    }
  }

  void on_key(char key) {
    if (fiber_ != 0) {
      if (key == terminal::escape || key == terminal::enter_key || key == 'b') fiber_ = 0;
      return;
    }
    const std::size_t waits = now_.longest.size();
    if (key == 's') view_.waits = next(view_.waits, wait_order::function);
    if (key == 'p') view_.processors = next(view_.processors, processor_order::steps);
    if ((key == terminal::down || key == 'j') && view_.selected + 1 < waits) ++view_.selected;
    if ((key == terminal::up || key == 'k') && view_.selected > 0) --view_.selected;
    if (key != terminal::enter_key || waits == 0) return;
    std::vector<waiting_fiber> shown = now_.longest;
    sort_waits(shown, view_.waits);
    fiber_ = shown[std::min(view_.selected, waits - 1)].id();
    ask_for_fiber();
  }
  template <class Order>
  static Order next(Order now, Order last) {
    return now == last ? Order{} : static_cast<Order>(static_cast<int>(now) + 1);
  }

  void ask_for_fiber() {
    inspection ask = options_.process;
    ask.question = fmt::format("fiber {}", fiber_);
    try {
      text_ = with_lines(inspect(ask));
    } catch (const std::runtime_error& e) {  // it has ended, perhaps
      text_ = e.what();
    }
  }

  const top_options& options_;
  observer& process_;
  moment before_, now_;
  const std::string program_ = program_of(options_.process.pid);
  view_options view_;
  std::uint64_t fiber_ = 0;  // 0: the whole view
  std::string text_;
  std::optional<terminal> terminal_;
};

}  // namespace

void add_top(CLI::App& app) {
  CLI::App* c = app.add_subcommand("top",
                                   "Shows what a running weft program does, again and again: "
                                   "fibers, queues, rates, latencies, longest waits and, by Enter, "
                                   "the stack of one of them; q quits");
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
      screen(*o, process).show_until_told();
  });
}

}  // namespace weft::tools
