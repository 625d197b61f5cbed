// SPDX-License-Identifier: BSL-1.0
// test/support/model_explorer.cpp - the explorer of test/model, as part of the test support
// library: the model tests link what this folder's glob compiles. test/model/CMakeLists.txt builds
// it as a library of its own for whoever adds that folder; a test linked with both takes it from
// there.
#include "model/coroutine.cpp"
#include "model/engine.cpp"
#include "model/explorer.cpp"
#include "model/memory.cpp"
#include "model/ops.cpp"
