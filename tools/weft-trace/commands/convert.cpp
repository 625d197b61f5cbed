// SPDX-License-Identifier: BSL-1.0
// weft-trace convert - the trace for other tools.
#include <memory>

#include "commands/commands.hpp"
#include "reader/report.hpp"

namespace weft::tools {

void add_convert(CLI::App& app) {
  CLI::App* c = app.add_subcommand(
      "convert",
      "Writes the trace for another tool: --perfetto for ui.perfetto.dev and chrome://tracing");
  const auto file = std::make_shared<std::string>();
  const auto out = std::make_shared<std::string>("-");
  const auto perfetto = std::make_shared<bool>(false);
  c->add_flag("--perfetto", *perfetto, "Chrome's trace format, JSON")->required();
  c->add_option("FILE", *file, "The trace")->required();
  c->add_option("-o,--output", *out, "Where to write; - is standard output")->capture_default_str();
  c->callback([file, out, perfetto] {
    static_cast<void>(perfetto);  // parsed into: lives as long as this
    const model m = make_model(read_or_throw(*file));
    output o(*out);
    o.write(to_perfetto(m));
    o.finish();
  });
}

}  // namespace weft::tools
