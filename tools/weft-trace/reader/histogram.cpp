// SPDX-License-Identifier: BSL-1.0
// tools/weft-trace/reader/histogram.cpp - see the header.
#include "reader/histogram.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace weft::tools {

std::string duration_text(std::int64_t ns) {
  const double v = static_cast<double>(ns);
  if (ns < 1000) return fmt::format("{} ns", ns);
  if (ns < 1'000'000) return fmt::format("{:.3g} us", v / 1e3);
  if (ns < 1'000'000'000) return fmt::format("{:.3g} ms", v / 1e6);
  return fmt::format("{:.2f} s", v / 1e9);
}

void histogram::sort() {
  if (!sorted_) std::sort(all_.begin(), all_.end());
  sorted_ = true;
}

std::int64_t histogram::total() const {
  std::int64_t sum = 0;
  for (const std::int64_t ns : all_) add_time(sum, ns);
  return sum;
}

std::int64_t histogram::percentile(double p) {
  if (all_.empty()) return 0;
  sort();
  const auto at = static_cast<std::size_t>(p * static_cast<double>(all_.size()));
  return all_[std::min(at, all_.size() - 1)];
}

std::string histogram::summary() {
  return fmt::format("{:>10} {:>10} {:>10} {:>10} {:>10} {:>10}", count(), duration_text(total()),
                     duration_text(percentile(0.5)), duration_text(percentile(0.9)),
                     duration_text(percentile(0.99)), duration_text(percentile(1.0)));
}

std::string histogram::bars() {
  sort();
  std::string out;
  std::size_t most = 0;
  struct step {
    std::int64_t from, to;
    std::size_t n;
  };
  std::vector<step> steps;
  std::size_t at = 0;
  std::int64_t from = 0;
  constexpr int factors[] = {2, 5, 10};
  std::int64_t decade = 100;
  for (int i = 0; at < all_.size(); ++i) {
    std::int64_t to = i == 0 ? decade : decade * factors[(i - 1) % 3];
    if (i > 0 && (i - 1) % 3 == 2) decade *= 10;
    if (decade > 1'000'000'000'000'000) to = INT64_MAX;
    std::size_t n = 0;
    while (at < all_.size() && (all_[at] < to || to == INT64_MAX)) ++at, ++n;
    if (n > 0) steps.push_back({from, to, n});
    most = std::max(most, n);
    from = to;
  }
  for (const step& s : steps)
    out += fmt::format("    {:>8} - {:>8} {:>10} {}\n", duration_text(s.from), duration_text(s.to),
                       s.n, std::string(std::max<std::size_t>(1, s.n * 50 / most), '#'));
  return out;
}

}  // namespace weft::tools
