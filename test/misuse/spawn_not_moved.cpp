// SPDX-License-Identifier: BSL-1.0
// What can only be moved must be moved.
// expect: std::move what can only be moved
#include <memory>

#include <weft/weft.hpp>

void misuse() {
  auto p = std::make_unique<int>(1);
  weft::spawn([](std::unique_ptr<int>) {}, p).detach();
}
