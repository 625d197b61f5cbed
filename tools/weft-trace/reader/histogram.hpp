// SPDX-License-Identifier: BSL-1.0
#pragma once
// tools/weft-trace/reader/histogram.hpp - durations: exact percentiles, and bars by powers of ten
// in thirds (1, 2, 5).

#include <cstdint>
#include <string>
#include <vector>

namespace weft::tools {

/// Sums of times out of a damaged file stay where they are instead of overflowing.
inline void add_time(std::int64_t& sum, std::int64_t ns) {
  if (std::int64_t more = 0; !__builtin_add_overflow(sum, ns, &more)) sum = more;
}

/// "431 ns", "1.20 us", "35.0 ms", "2.41 s"
[[nodiscard]] std::string duration_text(std::int64_t ns);

class histogram {
 public:
  void add(std::int64_t ns) {
    all_.push_back(ns);
    sorted_ = false;
  }
  [[nodiscard]] std::size_t count() const { return all_.size(); }
  [[nodiscard]] std::int64_t total() const;
  /// 0 <= p <= 1; 0 if there is nothing.
  [[nodiscard]] std::int64_t percentile(double p);
  /// "count, total, p50, p90, p99, max" in columns.
  [[nodiscard]] std::string summary();
  /// A line per step that has something: "   10 us -   20 us   123 ####"
  [[nodiscard]] std::string bars();

 private:
  void sort();
  std::vector<std::int64_t> all_;
  bool sorted_ = false;
};

}  // namespace weft::tools
