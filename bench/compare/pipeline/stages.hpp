// SPDX-License-Identifier: BSL-1.0
// pipeline/stages.hpp - what the ten stages do to an item, and the answer: a hash of all items in
// the order in which they came out, so that a lost, a doubled or an overtaking one shows.
#pragma once

#include <cstdint>

namespace bench {

inline constexpr std::int64_t stages = 10;

inline std::int64_t through(std::int64_t stage, std::int64_t item) { return item * 3 + stage; }

class ordered_hash {
 public:
  void add(std::int64_t item) { value_ = (value_ * 31 + std::uint64_t(item)) % 1'000'000'007; }
  std::int64_t value() const { return std::int64_t(value_); }

 private:
  std::uint64_t value_ = 0;
};

}  // namespace bench
