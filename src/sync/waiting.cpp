// SPDX-License-Identifier: BSL-1.0
// sync/waiting.cpp - the locks, and parking with a deadline and a stop token.
#include "sync/waiting.hpp"

#include <optional>

namespace weft::detail {
namespace {

struct wake_with_stop {
  ticket who;
  void operator()() const noexcept { wake_from_callback(who, wake_code::stop); }
};

wake_code finish(waiter& w, const wait_limit& l) {
  if (w.gives_up) return finish_park_if_stored(w.self, steady_ns(l.deadline), w.starved);
  return finish_park(w.self, steady_ns(l.deadline));
}

wait_end end_of(wake_code code) noexcept {
  switch (code) {
    case wake_code::timeout:
      return wait_end::timeout;
    case wake_code::stop:
      return wait_end::stopped;
    default:
      return wait_end::ready;
  }
}

}  // namespace

constinit waiting_stripe waiting_stripes[1U << stripe_bits];

// Held until the guard ends or is handed to park.
void waiting_guard::lock() noexcept WEFT_NO_THREAD_SAFETY_ANALYSIS {
  stripe_.lock.lock();
  held_ = true;
}
void waiting_guard::unlock() noexcept WEFT_NO_THREAD_SAFETY_ANALYSIS {
  held_ = false;
  stripe_.lock.unlock();
}

bool waiting_env::is_over(const wait_limit& l) noexcept {
  if (l.stop != nullptr && l.stop->stop_requested()) return true;
  return l.deadline != wait_limit::time_point::max() &&
         l.deadline <= std::chrono::steady_clock::now();
}

wait_end waiting_env::park(waiting_guard& g, waiter& w, const wait_limit& l) {
  w.who = begin_park(w.self, w.reason, w.object);
  g.unlock();
  if (l.stop == nullptr) return end_of(finish(w, l));
  // The callback may run here and now. Its end is waited for, if it runs elsewhere, before this
  // returns.
  const std::stop_callback callback(*l.stop, wake_with_stop{w.who});
  return end_of(finish(w, l));
}

}  // namespace weft::detail
