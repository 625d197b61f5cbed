// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/tls.hpp - TLS over any stream. A library of its own, weft::tls, that needs OpenSSL 3.

#include <weft/tls/context.hpp>
#include <weft/tls/error.hpp>
#include <weft/tls/session.hpp>
#include <weft/tls/stream.hpp>
