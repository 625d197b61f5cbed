// SPDX-License-Identifier: BSL-1.0
#pragma once
// base/index_set.hpp - a set of small numbers: a bit each. Memory is had ahead, so adding cannot
// fail. Trivially destructible: a static one outlives every static object.

#include <cstddef>
#include <cstdint>

#include "os/try_new.hpp"

namespace weft::base {

class index_set {
 public:
  constexpr index_set() noexcept = default;

  /// Empty, with room for the numbers below `count`. False: there is no memory.
  [[nodiscard]] bool reset(std::size_t count) noexcept {
    free();
    words_ = os::try_new([count] { return new std::uint64_t[(count + 63) / 64](); });
    return words_ != nullptr;
  }
  void free() noexcept {
    delete[] words_;
    words_ = nullptr;
  }

  void add(std::uint32_t i) noexcept { words_[i / 64] |= std::uint64_t{1} << i % 64; }
  [[nodiscard]] bool has(std::uint32_t i) const noexcept {
    return (words_[i / 64] >> i % 64 & 1) != 0;
  }
  /// All of [first, first + count): `count` divides 64, and `first` is a multiple of it.
  [[nodiscard]] bool has_all(std::uint32_t first, std::uint32_t count) const noexcept {
    const std::uint64_t all = ~std::uint64_t{0} >> (64 - count);
    return (words_[first / 64] >> first % 64 & all) == all;
  }

 private:
  std::uint64_t* words_ = nullptr;
};

}  // namespace weft::base
