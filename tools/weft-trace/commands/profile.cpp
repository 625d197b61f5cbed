// SPDX-License-Identifier: BSL-1.0
// weft-trace profile - where a program's CPU time goes, by fibers (weft/profile.hpp): of a program
// that is started, or of a running one.
#include <fmt/format.h>

#include "commands/launch.hpp"

namespace weft::tools {

void add_profile(CLI::App& app) {
  CLI::App* c = app.add_subcommand(
      "profile",
      "Samples the CPU time of a program, weft-trace profile -o FILE -- ./app arguments, or of a "
      "running one, --pid PID; writes folded stacks");
  const auto what = std::make_shared<recording>();
  const auto hertz = std::make_shared<int>(100);
  what->file = "weft.folded";
  add_recording_options(*c, what);
  c->add_option("--hertz", *hertz, "With --pid: samples in a second of CPU time, 1 to 1000")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000))
      ->needs(c->get_option("--pid"));
  c->callback([what, hertz] {
    check_recording(*what);
    if (what->process.pid == 0) launch(*what, "WEFT_PROFILE");
    attach(*what, fmt::format("profile {} {}", *hertz, what->file));
  });
}

}  // namespace weft::tools
