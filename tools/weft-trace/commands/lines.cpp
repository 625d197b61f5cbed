// SPDX-License-Identifier: BSL-1.0
// weft-trace lines - what a program wrote without debug information gets its files and lines:
// (module+0x12ab) becomes (file.cpp:12). For profiles (weft/profile.hpp), and for dumps that a
// signal or a crash brought to stderr.
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <memory>
#include <regex>

#include <fmt/format.h>

#include "commands/commands.hpp"
#include "reader/symbols.hpp"

namespace weft::tools {
namespace {

// 1: the module  2: where in it
const std::regex& place_form() {
  static const std::regex form("\\((/[^();]*)\\+0x([0-9a-f]{1,15})\\)");
  return form;
}

std::string read_all(const std::string& path) {
  std::ifstream file;
  if (path != "-") {
    file.open(path, std::ios::binary);
    if (!file) throw std::runtime_error(path + ": " + std::strerror(errno));
  }
  std::istream& in = path == "-" ? std::cin : file;
  try {
    return {std::istreambuf_iterator<char>(in), {}};
  } catch (const std::ios_base::failure&) {
    throw std::runtime_error(path + ": " + std::strerror(errno));
  }
}

std::string with_lines_in_place(const std::string& text) {
  // Each module at an address of its own: where it was, the text does not say.
  std::map<std::string, trace_module> modules;
  const auto all_places = [&](auto&& use) {
    for (std::sregex_iterator m(text.begin(), text.end(), place_form()), end; m != end; ++m)
      use(*m, std::stoull((*m)[2], nullptr, 16));
  };
  all_places([&](const std::smatch& m, std::uint64_t offset) {
    const auto [module, added] = modules.try_emplace(m[1]);
    if (added) {
      module->second.path = m[1];
      module->second.begin = static_cast<std::uint64_t>(modules.size()) << 40U;
    }
    module->second.end = std::max(module->second.end, module->second.begin + offset + 1);
  });
  std::vector<trace_module> list;
  for (const auto& [path, module] : modules) list.push_back(module);
  symbols known(list);
  std::string out;
  std::size_t done = 0;
  all_places([&](const std::smatch& m, std::uint64_t offset) {
    const source_line& place = known.at(modules[m[1]].begin + offset + 1);
    const auto at = static_cast<std::size_t>(m.position());
    out.append(text, done, at - done);
    out += place.file.empty() ? m.str() : fmt::format("({}:{})", place.file, place.line);
    done = at + static_cast<std::size_t>(m.length());
  });
  return out.append(text, done);
}

}  // namespace

void add_lines(CLI::App& app) {
  CLI::App* c = app.add_subcommand(
      "lines", "Adds files and lines to a profile (WEFT_PROFILE) or a dump from stderr");
  const auto file = std::make_shared<std::string>();
  const auto out = std::make_shared<std::string>("-");
  c->add_option("FILE", *file, "The text; - is standard input")->required();
  c->add_option("-o,--output", *out, "Where to write; - is standard output")->capture_default_str();
  c->callback([=] {
    // before the output is opened, which may be the same file
    const std::string text = with_lines_in_place(read_all(*file));
    output o(*out);
    o.write(text);
    o.finish();
  });
}

}  // namespace weft::tools
