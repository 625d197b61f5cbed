// SPDX-License-Identifier: BSL-1.0
// weft-trace flame - where fibers wait, or what they run, as folded stacks.
#include <memory>

#include "commands/commands.hpp"
#include "reader/report.hpp"

namespace weft::tools {

void add_flame(CLI::App& app) {
  CLI::App* c = app.add_subcommand(
      "flame",
      "Writes the time fibers were parked (place, name, reason), or ran, as folded stacks, in ns: "
      "for flamegraph.pl, speedscope, inferno");
  const auto file = std::make_shared<std::string>();
  const auto out = std::make_shared<std::string>("-");
  const auto cpu = std::make_shared<bool>(false);
  c->add_flag("--cpu", *cpu,
              "The time they ran: place, name, and where they were preempted; for samples of what "
              "runs, see weft-trace profile");
  c->add_option("FILE", *file, "The trace")->required();
  c->add_option("-o,--output", *out, "Where to write; - is standard output")->capture_default_str();
  c->callback([=] {
    const model m = make_model(read_or_throw(*file));
    output o(*out);
    o.write(*cpu ? folded_runs(m) : folded_waits(m));
    o.finish();
  });
}

}  // namespace weft::tools
