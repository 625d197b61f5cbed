// SPDX-License-Identifier: BSL-1.0
#pragma once
// tools/weft-trace/commands/usage.hpp - a command line that is wrong: what is, and what was
// probably meant.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

namespace weft::tools {

inline constexpr int usage_error = 2;

/// Prints what `--help` and `--version` ask for, or what is wrong. Returns the exit status: 0 or
/// usage_error.
[[nodiscard]] int finish_usage(const CLI::App& app, const CLI::ParseError& e,
                               std::span<char* const> arguments);

/// The one of `names` that takes the fewest changes of a letter, two at most; empty if none is
/// near.
[[nodiscard]] std::string nearest(std::string_view word, const std::vector<std::string>& names);

}  // namespace weft::tools
