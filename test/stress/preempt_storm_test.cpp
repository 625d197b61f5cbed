// SPDX-License-Identifier: BSL-1.0
// Preemption signals at random instants, a thousand a second. WEFT_SOAK_SECONDS makes it a soak.
#include "support/torture.hpp"

using namespace weft::test;

TEST_CASE("preempted anywhere: results exact, nothing hangs, memory flat") {
  if (no_preemption_here()) return;
  for (const std::size_t n : {1, 2, 8}) {
    CAPTURE(n);
    torture(n, probe::preempts);
  }
}

TEST_CASE("preempted and retaken anywhere") {
  if (no_preemption_here()) return;
  torture(2, probe::preempts | probe::retake_all);
}

TEST_CASE(
    "preempted again and again inside what must not be interrupted carelessly: the others run, "
    "results are right") {
  if (no_preemption_here()) return;
  struct place {
    const char* name;
    unsigned kind;
  };
  // None of these calls weft. One at a time: those who wait for each other's locks would all lose
  // their processors, and be preempted no more.
  for (const place& p : {place{"malloc", torture_memory}, place{"a C++ throw", torture_throw},
                         place{"a std::mutex held", torture_lock}, place{"stdio", torture_stdio},
                         place{"iostreams", torture_iostream}, place{"std::regex", torture_regex},
                         place{"dlopen", torture_dlopen}, place{"system calls", torture_file}}) {
    CAPTURE(p.name);
    weft::options o = workers(1);
    o.time_slice = std::chrono::milliseconds(1);
    weft::runtime rt(o);
    torture_state s;
    std::atomic<bool> stop{false};
    auto inside = rt.spawn([&] {
      auto last = std::chrono::steady_clock::now();
      for (unsigned k = p.kind; !stop.load(std::memory_order_relaxed); k += torture_kinds) {
        if (!torture_job(s, k, 0)) s.wrong.fetch_add(1, std::memory_order_relaxed);
        // The monitor may find it asleep, in a page fault say, and take its processor, without
        // which it is preempted no more. It gets one by a call of weft.
        if (const auto now = std::chrono::steady_clock::now(); now > last + 50 * o.time_slice) {
          last = now;
          weft::this_fiber::yield();
        }
      }
    });
    rt.spawn([&] {
        while (probe::preemptions(rt) < 20)
          weft::this_fiber::sleep_for(std::chrono::milliseconds(1));
        stop.store(true, std::memory_order_relaxed);
      }).join();
    inside.join();
    CHECK(s.wrong.load(std::memory_order_relaxed) == 0);
  }
}
