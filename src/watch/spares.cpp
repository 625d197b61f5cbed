// SPDX-License-Identifier: BSL-1.0
// watch/spares.cpp - see the header.
#include "watch/spares.hpp"

#include <algorithm>

namespace weft::detail {
namespace {
// no thread to be had, or at the limit: not every round
constexpr std::int64_t pause_after_failure_ns = 5'000'000;
}  // namespace

spares::spares(scheduler& s, service_thread& service) : s_(s), service_(service) {
  prepared_.reserve(s.settings().max_threads);
}

worker* spares::reserve() noexcept {
  if (worker* s = s_.sleeping().reserve_parked()) return s;
  take_made();
  if (!prepared_.empty()) {
    worker* s = prepared_.back();
    prepared_.pop_back();
    return s;
  }
  if (ask_for(1)) return nullptr;
  // None is to be had. The sleeper in the poller leaves its role for it.
  return s_.sleeping().reserve_in_poller();
}

void spares::prepare(std::size_t wanted) noexcept {
  if (s_.sleeping().any_parked()) return;
  take_made();
  const std::size_t processors = s_.processors().size();
  wanted = std::min(wanted, processors);
  // The last ones are not made in advance: at the limit, the one that needs one gets it.
  if (prepared_.size() < wanted && s_.threads().running() + processors < s_.settings().max_threads)
    static_cast<void>(ask_for(wanted - prepared_.size()));
}

void spares::release_prepared() noexcept {
  take_made();
  for (worker* s : prepared_) s_.sleeping().release(*s);
  prepared_.clear();
}

bool spares::ask_for(std::size_t n) noexcept {
  if (os::now_ns() < hopeless_until_.load(std::memory_order_relaxed)) return false;
  if (asked_.exchange(static_cast<std::uint32_t>(n), std::memory_order_relaxed) < n)
    service_.wake();
  return true;
}

void spares::make_asked_for() noexcept {
  for (;;) {
    const std::uint32_t n = asked_.load(std::memory_order_relaxed);
    if (n == 0) return;
    worker* s = s_.threads().make_spare();
    if (s == nullptr) {
      hopeless_until_.store(os::now_ns() + pause_after_failure_ns, std::memory_order_relaxed);
      asked_.store(0, std::memory_order_relaxed);  // a thread that still needs one asks again
      return;
    }
    s->next_made = made_.load(std::memory_order_relaxed);
    // take_made
    while (!made_.compare_exchange_weak(s->next_made, s, std::memory_order_release,
                                        std::memory_order_relaxed)) {
    }
    std::uint32_t expected = n;
    asked_.compare_exchange_strong(expected, n - 1, std::memory_order_release,  // is_awaited
                                   std::memory_order_relaxed);
  }
}

// The monitor's, reserved for it.
void spares::take_made() noexcept {
  for (worker* s = made_.exchange(nullptr, std::memory_order_acquire); s != nullptr;
       s = s->next_made)
    prepared_.push_back(s);
}

}  // namespace weft::detail
