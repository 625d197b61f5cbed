// SPDX-License-Identifier: BSL-1.0
#pragma once
// support/seed.hpp - the seed of a stress test: printed, and set by WEFT_TEST_SEED to run the same
// choices again. The interleaving is the kernel's; the seed brings back what the test itself chose.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace weft::test {

inline std::uint64_t seed() {
  static const std::uint64_t value = [] {
    const char* given = std::getenv("WEFT_TEST_SEED");
    const std::uint64_t s =
        given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device{}();
    std::printf("seed %llu (WEFT_TEST_SEED=%llu repeats it)\n", static_cast<unsigned long long>(s),
                static_cast<unsigned long long>(s));
    std::fflush(stdout);
    return s;
  }();
  return value;
}

/// One stream of choices per execution agent of a test.
class choices {
 public:
  explicit choices(std::uint64_t stream) : engine_(seed() * 0x9e3779b97f4a7c15u + stream) {}
  std::uint64_t below(std::uint64_t n) { return engine_() % n; }

 private:
  std::mt19937_64 engine_;
};

}  // namespace weft::test
