// SPDX-License-Identifier: BSL-1.0
// flags: -U__linux__
// expect: weft runs on Linux only
#include <weft/detail/requirements.hpp>

int main() {}
