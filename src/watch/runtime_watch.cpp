// SPDX-License-Identifier: BSL-1.0
// watch/runtime_watch.cpp - see the header.
#include "watch/runtime_watch.hpp"

#include <algorithm>
#include <cstdlib>

#include "sched/hooks.hpp"

namespace weft::detail {

runtime_watch::runtime_watch(scheduler& s)
    : s_(s),
      service_(s.settings().name, [this] { return serve(); }),
      spares_(s, service_),
      stalls_(s, service_),
      retaker_(s, spares_, stalls_),
      preempter_(s, spares_),
      thawer_(s, preempter_, retaker_),
      resizer_(s, service_),
      trimmer_(service_, s.sleeping()),
      schedtrace_(s),
      monitor_(s, {service_, spares_, stalls_, retaker_, preempter_, thawer_, resizer_, trimmer_}) {
}

// The service thread's turn.
std::int64_t runtime_watch::serve() {
  spares_.make_asked_for();
  resizer_.resize();
  stalls_.report();
  if (monitor_.take_idle_too_long()) upper.check_for_deadlock(s_);
  upper.answer_tool_requests();
  return std::min(schedtrace_.print(), trimmer_.trim());
}

void runtime_watch::start() {
  service_.start();
  // For measurements of what the monitor costs, and nothing else: without it one stuck fiber holds
  // up the others.
  if (std::getenv("WEFT_WITHOUT_MONITOR") == nullptr) monitor_.start();
}

void runtime_watch::end() noexcept {
  monitor_.end();
  service_.end();
  trimmer_.end();
}

bool runtime_watch::is_still_used() const noexcept { return service_.has_left_itself(); }

std::size_t runtime_watch::threads() const noexcept {
  return (monitor_.is_there() ? 1 : 0) + (service_.is_there() ? 1 : 0);
}

void runtime_watch::add_to(runtime_metrics& m) const noexcept {
  m.polls += monitor_.polled().polls.get();
  m.poll_events += monitor_.polled().poll_events.get();
  m.timers_fired += monitor_.timers_fired();
  m.stalls += stalls_.count();
  m.retakes = retaker_.count();
  m.preemptions = preempter_.count();
}

}  // namespace weft::detail
