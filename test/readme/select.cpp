// SPDX-License-Identifier: BSL-1.0
// README's channels, scope and select, as they are written there: the sum is right.
#include <chrono>
#include <cstdio>
#include <optional>

#include <weft/weft.hpp>

using namespace std::chrono_literals;

int main() {
  return weft::run([] {
#include "readme_select.hpp"
    std::printf("the sum is %d\n", sum);
    return sum == 42925 ? 0 : 1;
  });
}
