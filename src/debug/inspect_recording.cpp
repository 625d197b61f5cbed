// SPDX-License-Identifier: BSL-1.0
// debug/inspect_recording.cpp - the questions of the diagnostics port that last until the tool ends
// them (DIAG-4). The process writes the file, with its own rights, where the tool says.
#include <charconv>
#include <string>
#include <string_view>
#include <system_error>

#include <weft/profile.hpp>
#include <weft/trace.hpp>

#include "debug/inspect.hpp"

namespace weft::detail {
namespace {

std::string end_trace() {
  trace::stop();
  const trace::statistics s = trace::look();
  return std::to_string(s.file_bytes) + " bytes were written, " + std::to_string(s.dropped) +
         " events dropped";
}

std::string end_profile() {
  const profile::statistics s = profile::stop();
  return std::to_string(s.samples) + " samples of " + std::to_string(s.threads) +
         " threads were written, " + std::to_string(s.dropped) + " dropped";
}

bool is_absolute(std::string_view path) { return path.starts_with('/'); }

}  // namespace

answer answer_trace(std::string_view path) {
  if (!is_absolute(path)) return {false, "trace takes the file, from / on"};
  if (trace::is_recording()) return {false, "it records already"};
  trace::start(std::string(path));
  return {true, "it records into " + std::string(path), &end_trace};
}

answer answer_profile(std::string_view arguments) {
  profile::options o;
  const char* const last = arguments.data() + arguments.size();
  const auto [end, ec] = std::from_chars(arguments.data(), last, o.hertz);
  const std::string_view path(end, static_cast<std::size_t>(last - end));
  if (ec != std::errc() || !path.starts_with(' ') || !is_absolute(path.substr(1)))
    return {false, "profile takes how many samples a second, and the file, from / on"};
  o.path = path.substr(1);
  profile::start(o);
  return {true, "it is profiled into " + o.path, &end_profile};
}

}  // namespace weft::detail
