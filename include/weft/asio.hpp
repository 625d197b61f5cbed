// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/asio.hpp - Boost.Asio and Boost.Beast on fibers. Needs Boost's headers (1.74 or later), and
// nothing of theirs that is compiled.
//
//   asio::stream       weft's streams, as Asio's and Beast's blocking functions want them
//   use_fiber          waits for any async_* operation of any context, as a plain call
//   asio::context      an execution context that polls through weft, its handlers are fibers
//
// A plain io_context keeps a list of its callers per thread. So its run() and poll() belong on a
// plain thread, or in a fiber with attributes::own_thread; and a handler must not wait in a fiber
// that has no thread of its own. asio::context has no such rule.

#include <weft/asio/context.hpp>
#include <weft/asio/error.hpp>
#include <weft/asio/stream.hpp>
#include <weft/asio/use_fiber.hpp>
