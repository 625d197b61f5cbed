// SPDX-License-Identifier: BSL-1.0
// weft-trace ask - any question to a running process, as it is; "help" lists them.
#include <limits>
#include <memory>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "commands/commands.hpp"
#include "commands/inspect.hpp"

namespace weft::tools {

void add_ask(CLI::App& app) {
  CLI::App* c = app.add_subcommand("ask", "Asks a running weft program: weft-trace ask PID help");
  const auto what = std::make_shared<inspection>();
  const auto words = std::make_shared<std::vector<std::string>>();
  add_inspection_options(*c, *what);
  c->add_option("QUESTION", *words, "A verb and its arguments; \"help\" lists the verbs")
      ->required();
  c->callback([what, words] {
    what->question = fmt::format("{}", fmt::join(*words, " "));
    print(inspect(*what));
  });
}

void add_inspection_options(CLI::App& command, inspection& what) {
  command.add_option("PID", what.pid, "The process")->required();
  command.add_option("--signal", what.signal, "Its options::preempt_signal, a number")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  command
      .add_option_function<int>(
          "--timeout", [&what](int ms) { what.patience = std::chrono::milliseconds(ms); },
          fmt::format("How long to wait for it, in milliseconds ({})", what.patience.count()))
      ->check(CLI::Range(1, std::numeric_limits<int>::max()));
}

}  // namespace weft::tools
