// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/weft.hpp - everything. Each header also stands alone.

#include <weft/channel.hpp>
#include <weft/fiber.hpp>
#include <weft/fiber_local.hpp>
#include <weft/net.hpp>
#include <weft/no_preempt.hpp>
#include <weft/offload.hpp>
#include <weft/options.hpp>
#include <weft/rate_limiter.hpp>
#include <weft/runtime.hpp>
#include <weft/scope.hpp>
#include <weft/select.hpp>
#include <weft/this_fiber.hpp>
#include <weft/timer.hpp>
#include <weft/version.hpp>
