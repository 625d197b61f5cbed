// SPDX-License-Identifier: BSL-1.0
// watch/compensator.cpp - see the header.
#include "watch/compensator.hpp"

#include <algorithm>
#include <cmath>

namespace weft::detail {
namespace {

constexpr std::int64_t sample_ns = 1'000'000, patience_ns = 250'000'000;
constexpr double weight = 1.0 / 32;        // of a look in the average
constexpr double quiet_weight = 1.0 / 64;  // of a sample without a look
constexpr double least_share = 0.04;

// Of n processors n * (1 - share) are left on average, give or take sqrt(n * (1 - share) * share).
// Three times that on the low side must still be `workers`, for blocks come in bursts.
std::size_t enough(double share, std::size_t workers, std::size_t most) noexcept {
  for (std::size_t extra = 0; extra < most; ++extra) {
    const double left = static_cast<double>(workers + extra) * (1 - share);
    if (left - 3 * std::sqrt(left * share) >= static_cast<double>(workers)) return extra;
  }
  return most;
}

}  // namespace

std::size_t compensator::end_round(std::int64_t now, std::size_t workers,
                                   std::size_t most) noexcept {
  if (now - sampled_ns_ < sample_ns) return wanted_;
  sampled_ns_ = now;
  const bool looked = looks_ > 0;
  // Nobody waits: there are enough, and perhaps too many that run.
  share_ += looked ? (blocked_ / looks_ - share_) * std::min(1.0, looks_ * weight)
                   : -share_ * quiet_weight;
  looks_ = blocked_ = 0;
  const std::size_t target = share_ < least_share ? 0 : enough(share_, workers, most);
  if (looked && target >= wanted_) missed_ns_ = now;
  if (wanted_ > most) {
    wanted_ = most;
  } else if (target > wanted_ && looked) {
    ++wanted_;
  } else if (wanted_ > 0 && now - missed_ns_ >= patience_ns) {
    missed_ns_ = now;
    --wanted_;
  }
  return wanted_;
}

}  // namespace weft::detail
