// SPDX-License-Identifier: BSL-1.0
// trace/event.cpp - the listener.
#include "trace/event.hpp"

namespace weft::detail::trace {

constinit std::atomic<sink> listener{nullptr};

}  // namespace weft::detail::trace
