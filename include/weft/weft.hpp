// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/weft.hpp - everything. Each header also stands alone.

#include <weft/detail/requirements.hpp>

#include <weft/barrier.hpp>
#include <weft/channel.hpp>
#include <weft/condition_variable.hpp>
#include <weft/debug.hpp>
#include <weft/event.hpp>
#include <weft/fiber.hpp>
#include <weft/fiber_local.hpp>
#include <weft/future.hpp>
#include <weft/io.hpp>
#include <weft/latch.hpp>
#include <weft/metrics.hpp>
#include <weft/mutex.hpp>
#include <weft/net.hpp>
#include <weft/no_preempt.hpp>
#include <weft/offload.hpp>
#include <weft/once.hpp>
#include <weft/options.hpp>
#include <weft/packaged_task.hpp>
#include <weft/process.hpp>
#include <weft/profile.hpp>
#include <weft/rate_limiter.hpp>
#include <weft/recursive_mutex.hpp>
#include <weft/runtime.hpp>
#include <weft/scope.hpp>
#include <weft/select.hpp>
#include <weft/semaphore.hpp>
#include <weft/shared_mutex.hpp>
#include <weft/signal_set.hpp>
#include <weft/stop_callback.hpp>
#include <weft/this_fiber.hpp>
#include <weft/timer.hpp>
#include <weft/trace.hpp>
#include <weft/version.hpp>
#include <weft/wait_group.hpp>
#include <weft/watch.hpp>
#include <weft/weighted_semaphore.hpp>
