// SPDX-License-Identifier: BSL-1.0
// flags: -m32
// expect: weft needs a 64-bit target
#include <weft/detail/requirements.hpp>

int main() {}
