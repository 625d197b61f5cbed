// SPDX-License-Identifier: BSL-1.0
#pragma once
// base/rng.hpp - the small generator behind steal order, jitter and seeded stress tests.
// xoshiro256** seeded through splitmix64 (Blackman and Vigna): 32 bytes of state, about a
// nanosecond, the same sequence for the same seed everywhere. Not for secrets.
// Rejected: std::mt19937_64 (2.5 KiB of state per worker), std distributions (differ by library).

#include <bit>
#include <cstdint>
#include <limits>

namespace weft::base {

/// Spreads a seed (0, 1, 2 …) over 64 bits; also a good integer hash.
constexpr std::uint64_t splitmix64(std::uint64_t& state) noexcept {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15U);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

/// A uniform random bit generator in the sense of <random>.
class rng {
 public:
  using result_type = std::uint64_t;

  explicit constexpr rng(std::uint64_t seed = 0) noexcept {
    for (auto& word : state_) word = splitmix64(seed);
  }

  static constexpr result_type min() noexcept { return 0; }
  static constexpr result_type max() noexcept { return std::numeric_limits<result_type>::max(); }

  constexpr result_type operator()() noexcept {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  /// A number in [0, bound); 0 for bound 0. A multiply instead of a division; the bias is below
  /// bound / 2^32, which no scheduling decision can see.
  constexpr std::uint32_t below(std::uint32_t bound) noexcept {
    return static_cast<std::uint32_t>((((*this)() >> 32) * bound) >> 32);
  }

 private:
  std::uint64_t state_[4]{};
};

}  // namespace weft::base
