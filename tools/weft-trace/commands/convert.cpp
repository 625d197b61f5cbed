// SPDX-License-Identifier: BSL-1.0
// weft-trace convert - the trace for other tools.
#include <memory>

#include "commands/commands.hpp"
#include "reader/report.hpp"

namespace weft::tools {

void add_convert(CLI::App& app) {
  CLI::App* c = app.add_subcommand("convert",
                                   "Writes the trace for ui.perfetto.dev: --pftrace in its own "
                                   "form, --perfetto as Chrome's JSON");
  const auto file = std::make_shared<std::string>();
  const auto out = std::make_shared<std::string>("-");
  const auto binary = std::make_shared<bool>(false), json = std::make_shared<bool>(false);
  CLI::Option_group* form = c->add_option_group("Form");
  form->add_flag("--pftrace", *binary, "Perfetto's binary form, a tenth of the size");
  form->add_flag("--perfetto", *json, "Chrome's trace format, JSON, for chrome://tracing, too");
  form->require_option(1);
  c->add_option("FILE", *file, "The trace")->required();
  c->add_option("-o,--output", *out, "Where to write; - is standard output")->capture_default_str();
  c->callback([file, out, binary, json] {
    static_cast<void>(json);  // parsed into: lives as long as this
    const model m = make_model(read_or_throw(*file));
    output o(*out);
    o.write(*binary ? to_pftrace(m) : to_perfetto(m));
    o.finish();
  });
}

}  // namespace weft::tools
