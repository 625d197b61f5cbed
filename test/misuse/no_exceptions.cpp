// SPDX-License-Identifier: BSL-1.0
// flags: -fno-exceptions
// expect: weft needs exceptions, by which a join returns what its fiber threw: compile without
// -fno-exceptions
#include <weft/weft.hpp>

int main() {}
