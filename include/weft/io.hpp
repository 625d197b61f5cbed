// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/io.hpp - descriptors that weft did not open, files and pipes.

#include <weft/io/descriptor.hpp>
#include <weft/io/file.hpp>
#include <weft/io/pipe.hpp>
