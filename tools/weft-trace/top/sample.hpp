// SPDX-License-Identifier: BSL-1.0
#pragma once
// tools/weft-trace/top/sample.hpp - what a process said of itself at one moment: its metrics, by
// name and labels, and who waits longest.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::tools {

using labels = std::map<std::string, std::string>;

struct series {
  labels with;
  double value;
};

class sample {
 public:
  /// Prometheus' text. Throws std::runtime_error if it is none.
  explicit sample(std::string_view text);

  /// All series of a name, in their order.
  [[nodiscard]] const std::vector<series>& all(const std::string& name) const;
  /// The sum of those that have these labels; 0 if there are none.
  [[nodiscard]] double sum(const std::string& name, const labels& with) const;

 private:
  std::map<std::string, std::vector<series>> series_;
};

/// From the buckets (le, cumulative count) of a histogram: what a share `q` did not exceed,
/// straight lines within a bucket. Negative: it is empty.
[[nodiscard]] double quantile(const std::vector<std::pair<double, double>>& buckets, double q);

struct waiting_fiber {
  double seconds;
  std::string reason, fiber, function;  // fiber: `fiber 12 "name"`; function: may be empty
  [[nodiscard]] std::uint64_t id() const noexcept;
};
/// The answer to "longest".
[[nodiscard]] std::vector<waiting_fiber> parse_longest(std::string_view text);

}  // namespace weft::tools
