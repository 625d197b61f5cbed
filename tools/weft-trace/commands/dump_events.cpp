// SPDX-License-Identifier: BSL-1.0
// weft-trace dump-events - every event as a line of text.
#include <memory>

#include "commands/commands.hpp"
#include "reader/dump.hpp"

namespace weft::tools {

void add_dump_events(CLI::App& app) {
  CLI::App* c = app.add_subcommand(
      "dump-events", "Prints every event, a line each: seconds, thread, event, values");
  const auto file = std::make_shared<std::string>();
  c->add_option("FILE", *file, "The trace")->required();
  c->callback([file] {
    const trace t = read_or_throw(*file);
    output out("-");
    for (const trace_event& e : t.events) out.write(describe(t, e) + "\n");
    out.finish();
  });
}

}  // namespace weft::tools
