// SPDX-License-Identifier: BSL-1.0
// weft-trace dump - all fibers of a running process, with the lines of their calls.
//
// The process says where each call is: its function by the symbol table, and `(module+0x1234)` at
// the end of the line. What needs debug information - the file and line - is added here, so that no
// application has to link a reader for it.
#include <map>
#include <memory>
#include <regex>
#include <sstream>

#include <fmt/format.h>

#include "commands/commands.hpp"
#include "commands/inspect.hpp"
#include "reader/symbols.hpp"

namespace weft::tools {
namespace {

// 1: the address  2: the module  3: where in it
const std::regex& call_line() {
  static const std::regex form("^    (?:runs )?(0x[0-9a-f]+) .*\\((/.*)\\+(0x[0-9a-f]+)\\)$");
  return form;
}

}  // namespace

std::string with_lines(const std::string& dump) {
  std::map<std::string, trace_module> modules;
  std::istringstream lines(dump);
  std::smatch m;
  for (std::string line; std::getline(lines, line);) {
    if (!std::regex_match(line, m, call_line())) continue;
    const std::uint64_t at = std::stoull(m[1], nullptr, 16),
                        offset = std::stoull(m[3], nullptr, 16);
    trace_module& module = modules[m[2]];
    module.path = m[2];
    module.begin = at - offset;
    module.end = std::max(module.end, at + 1);
  }
  std::vector<trace_module> all;
  for (const auto& [path, module] : modules) all.push_back(module);
  symbols known(all);
  std::istringstream again(dump);
  std::string out;
  for (std::string line; std::getline(again, line); out += line + "\n") {
    if (!std::regex_match(line, m, call_line())) continue;
    const source_line& place = known.at(std::stoull(m[1], nullptr, 16) + 1);
    if (!place.file.empty()) line += fmt::format("\n        {}:{}", place.file, place.line);
  }
  return out;
}

void add_dump(CLI::App& app) {
  CLI::App* c =
      app.add_subcommand("dump", "Shows all fibers of a running weft program: weft-trace dump PID");
  const auto what = std::make_shared<inspection>();
  const auto raw = std::make_shared<bool>(false);
  add_inspection_options(*c, *what);
  c->add_flag("--no-lines", *raw,
              "Without files and lines, which take debug information to be read");
  what->question = "dump";
  c->callback([what, raw] {
    std::string text = inspect(*what);
    if (!*raw) text = with_lines(text);
    print(text);
  });
}

}  // namespace weft::tools
