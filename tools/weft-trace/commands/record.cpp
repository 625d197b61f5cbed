// SPDX-License-Identifier: BSL-1.0
// weft-trace record - runs a program with WEFT_TRACE set, or has a running one record itself.
#include "commands/launch.hpp"

namespace weft::tools {

void add_record(CLI::App& app) {
  CLI::App* c = app.add_subcommand("record",
                                   "Records a program, weft-trace record -o FILE -- ./app "
                                   "arguments, or a running one, --pid PID");
  const auto what = std::make_shared<recording>();
  what->file = "weft.trace";
  add_recording_options(*c, what);
  c->callback([what] {
    check_recording(*what);
    if (what->process.pid == 0) launch(*what, "WEFT_TRACE");
    attach(*what, "trace " + what->file);
  });
}

}  // namespace weft::tools
