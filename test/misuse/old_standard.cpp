// SPDX-License-Identifier: BSL-1.0
// flags: -std=c++17
// expect: weft needs C++20: compile with -std=c++20
#include <weft/weft.hpp>

int main() {}
