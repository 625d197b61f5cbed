// SPDX-License-Identifier: BSL-1.0
// weft-trace flame - where fibers wait, as folded stacks.
#include <memory>

#include "commands/commands.hpp"
#include "reader/report.hpp"

namespace weft::tools {

void add_flame(CLI::App& app) {
  CLI::App* c = app.add_subcommand(
      "flame",
      "Writes the time fibers were parked as folded stacks (place, name, reason), in ns: "
      "for flamegraph.pl, speedscope, inferno");
  const auto file = std::make_shared<std::string>();
  const auto out = std::make_shared<std::string>("-");
  c->add_option("FILE", *file, "The trace")->required();
  c->add_option("-o,--output", *out, "Where to write; - is standard output")->capture_default_str();
  c->callback([=] {
    const model m = make_model(read_or_throw(*file));
    output o(*out);
    o.write(folded_waits(m));
    o.finish();
  });
}

}  // namespace weft::tools
