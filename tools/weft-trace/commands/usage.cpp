// SPDX-License-Identifier: BSL-1.0
// tools/weft-trace/commands/usage.cpp - see the header.
#include "commands/usage.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "commands/commands.hpp"

namespace weft::tools {
namespace {

// Letters put in, taken out or replaced; two neighbours that changed places are one change.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      now[j] =
          std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        now[j] = std::min(now[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(now);
  }
  return last[b.size()];
}

std::string suggestion(std::string_view word, const std::vector<std::string>& names) {
  const std::string near = nearest(word, names);
  return near.empty() ? "" : fmt::format("; did you mean '{}'?", near);
}

const CLI::App* command_of(const CLI::App& app, std::string_view name) {
  for (const CLI::App* c : app.get_subcommands({}))
    if (c->get_name() == name) return c;
  return nullptr;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* c : app.get_subcommands({})) names.push_back(c->get_name());
  return names;
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* o : command.get_options())
    for (const std::string& name : o->get_lnames()) names.push_back("--" + name);
  return names;
}

// What was meant, if a word is unknown; else CLI11's own text.
std::string what_is_wrong(const CLI::App& app, const CLI::ParseError& e,
                          std::span<char* const> arguments) {
  const CLI::App* command = nullptr;
  for (const char* const argument : arguments.subspan(std::min<std::size_t>(1, arguments.size()))) {
    const std::string_view word = argument;
    if (word == "--") break;  // a program and its own arguments
    if (word.starts_with("--")) {
      const std::string option(word.substr(0, word.find('=')));
      const CLI::App& of = command != nullptr ? *command : app;
      if (of.get_option_no_throw(option) == nullptr)
        return fmt::format("there is no option {}{}", option, suggestion(option, option_names(of)));
    } else if (command == nullptr && !word.starts_with("-")) {
      command = command_of(app, word);
      if (command == nullptr)
        return fmt::format("there is no command '{}'{}", word,
                           suggestion(word, command_names(app)));
    }
  }
  return command == nullptr && arguments.size() <= 1 ? "which command?" : e.what();
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& names) {
  std::string best;
  std::size_t least = std::min<std::size_t>(2, word.size() / 2) + 1;
  for (const std::string& name : names) {
    const std::size_t changes = distance(word, name);
    if (changes >= least) continue;
    least = changes;
    best = name;
  }
  return best;
}

int finish_usage(const CLI::App& app, const CLI::ParseError& e, std::span<char* const> arguments) {
  if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
  std::string help = "weft-trace";
  const auto chosen = app.get_subcommands();
  if (!chosen.empty()) help += " " + chosen.front()->get_name();
  complain(
      fmt::format("{}\n{} --help shows how it is used.", what_is_wrong(app, e, arguments), help));
  return usage_error;
}

}  // namespace weft::tools
