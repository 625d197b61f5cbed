// SPDX-License-Identifier: BSL-1.0
#include "top/sample.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <stdexcept>

#include <fmt/format.h>

namespace weft::tools {
namespace {

[[noreturn]] void fail(std::string_view line) {
  throw std::runtime_error(
      fmt::format("its metrics are not understood at \"{}\"; is it of another version of weft?",
                  line.substr(0, 80)));
}

double number(std::string_view text, std::string_view line) {
  if (text == "+Inf") return std::numeric_limits<double>::infinity();
  double value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size()) fail(line);
  return value;
}

// {name="text",...}; `at` is behind the brace before, and after.
labels parse_labels(std::string_view line, std::size_t& at) {
  labels out;
  while (at < line.size() && line[at] != '}') {
    const std::size_t equals = line.find("=\"", at);
    if (equals == std::string_view::npos) fail(line);
    std::string& text = out[std::string(line.substr(at, equals - at))];
    for (at = equals + 2; at < line.size() && line[at] != '"'; ++at) {
      if (line[at] == '\\' && at + 1 < line.size()) {
        ++at;
        text += line[at] == 'n' ? '\n' : line[at];
      } else {
        text += line[at];
      }
    }
    if (++at < line.size() && line[at] == ',') ++at;
  }
  ++at;
  return out;
}

}  // namespace

sample::sample(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line[0] == '#') continue;
    std::size_t at = line.find_first_of("{ ");
    if (at == std::string_view::npos) fail(line);
    const std::string name(line.substr(0, at));
    series s{};
    if (line[at] == '{') s.with = parse_labels(line, ++at);
    if (at >= line.size() || line[at] != ' ') fail(line);
    s.value = number(line.substr(at + 1), line);
    series_[name].push_back(std::move(s));
  }
}

const std::vector<series>& sample::all(const std::string& name) const {
  static const std::vector<series> none;
  const auto found = series_.find(name);
  return found == series_.end() ? none : found->second;
}

double sample::sum(const std::string& name, const labels& with) const {
  double sum = 0;
  for (const series& s : all(name)) {
    bool has = true;
    for (const auto& [label, text] : with) {
      const auto found = s.with.find(label);
      has = has && found != s.with.end() && found->second == text;
    }
    if (has) sum += s.value;
  }
  return sum;
}

double quantile(const std::vector<std::pair<double, double>>& buckets, double q) {
  if (buckets.empty() || buckets.back().second <= 0) return -1;
  const double wanted = q * buckets.back().second;
  double from = 0, below = 0;
  for (const auto& [bound, count] : buckets) {
    if (count >= wanted && count > below) {
      if (bound == std::numeric_limits<double>::infinity()) return from;
      return from + (bound - from) * (wanted - below) / (count - below);
    }
    from = bound;
    below = count;
  }
  return from;
}

std::uint64_t waiting_fiber::id() const noexcept {
  const std::string_view number =
      std::string_view(fiber).substr(std::min(fiber.find(' '), fiber.size() - 1) + 1);
  std::uint64_t id = 0;
  static_cast<void>(std::from_chars(number.data(), number.data() + number.size(), id));
  return id;
}

std::vector<waiting_fiber> parse_longest(std::string_view text) {
  std::vector<waiting_fiber> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t first = line.find('\t'), second = line.find('\t', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) fail(line);
    const std::size_t third = std::min(line.find('\t', second + 1), line.size());  // since 0.2
    out.push_back({number(line.substr(0, first), line) / 1e9,
                   std::string(line.substr(first + 1, second - first - 1)),
                   std::string(line.substr(second + 1, third - second - 1)),
                   std::string(line.substr(std::min(third + 1, line.size())))});
  }
  return out;
}

}  // namespace weft::tools
