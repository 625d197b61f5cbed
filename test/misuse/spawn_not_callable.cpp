// SPDX-License-Identifier: BSL-1.0
// What is spawned must be callable with the arguments given.
// expect: their number or their types differ
#include <weft/weft.hpp>

void misuse() {
  weft::spawn([](int) {}, "not an int").detach();
}
