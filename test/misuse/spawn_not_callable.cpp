// SPDX-License-Identifier: BSL-1.0
// What is spawned must be callable with the arguments given.
// expect: no matching function for call to
#include <weft/weft.hpp>

void misuse() {
  weft::spawn([](int) {}, "not an int").detach();
}
