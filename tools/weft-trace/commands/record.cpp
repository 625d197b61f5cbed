// SPDX-License-Identifier: BSL-1.0
// weft-trace record - runs a program with WEFT_TRACE set, in the place of this one, so that
// signals, the terminal and the exit status are the program's own.
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include <unistd.h>

#include "commands/commands.hpp"

namespace weft::tools {

void add_record(CLI::App& app) {
  CLI::App* c = app.add_subcommand(
      "record", "Runs a program and records it: weft-trace record -o FILE -- ./app arguments");
  const auto file = std::make_shared<std::string>("weft.trace");
  const auto command = std::make_shared<std::vector<std::string>>();
  c->add_option("-o,--output", *file, "The trace")->capture_default_str();
  c->add_option("COMMAND", *command, "The program and its arguments, after --")->required();
  c->positionals_at_end();
  c->callback([file, command] {
    // The program may change its directory before its first runtime.
    std::string path = *file;
    if (path[0] != '/') {
      char here[4096];
      if (getcwd(here, sizeof here) != nullptr) path = std::string(here) + "/" + path;
    }
    setenv("WEFT_TRACE", path.c_str(), 1);
    std::vector<char*> arguments;
    for (std::string& a : *command) arguments.push_back(a.data());
    arguments.push_back(nullptr);
    execvp(arguments[0], arguments.data());
    throw std::runtime_error("cannot run " + command->front() + ": " + std::strerror(errno));
  });
}

}  // namespace weft::tools
