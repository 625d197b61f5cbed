// SPDX-License-Identifier: BSL-1.0
// A wait until a moment needs a clock that says what time it is now.
// expect: of a type that is no clock
#include <weft/weft.hpp>

void misuse() { static_cast<void>(weft::this_fiber::sleep_until(std::chrono::local_seconds())); }
