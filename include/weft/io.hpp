// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/io.hpp - descriptors that weft did not open.

#include <weft/io/descriptor.hpp>
