// SPDX-License-Identifier: BSL-1.0
// common/boost.hpp - Boost.Fiber on one worker (its default round_robin) or on several
// (work_stealing).
//
// The extra threads enter the scheduler and wait there, stealing, until the body has returned.
// suspend=true: the default makes an idle thread spin, which no service could ship.  Rejected:
// shared_work, whose one queue under one mutex is slower in every workload here.
#pragma once

#include <boost/fiber/all.hpp>
#include <boost/version.hpp>
#include <thread>
#include <vector>

#include "common/bench.hpp"

namespace bench {

template <class Body>
void run_boost(std::size_t workers, Body&& body) {
  version(BOOST_LIB_VERSION);
  if (workers <= 1) {
    body();
    return;
  }
  namespace fibers = boost::fibers;
  fibers::mutex mutex;
  fibers::condition_variable_any finished;
  bool done = false;
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < workers; ++i) {
    threads.emplace_back([&] {
      fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(std::uint32_t(workers), true);
      std::unique_lock lock(mutex);
      finished.wait(lock, [&] { return done; });
    });
  }
  fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(std::uint32_t(workers), true);
  body();
  {
    std::unique_lock lock(mutex);
    done = true;
  }
  finished.notify_all();
  for (auto& thread : threads) thread.join();
}

}  // namespace bench
