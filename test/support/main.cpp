// SPDX-License-Identifier: BSL-1.0
// test/support/main.cpp - doctest's main, compiled once for every test executable.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
