// SPDX-License-Identifier: BSL-1.0
// sched/aide_bell.cpp - see the header.
#include "sched/aide_bell.hpp"

#include "os/os.hpp"

namespace weft::detail {
namespace {
constinit std::atomic<aide_bell*> bells{nullptr};  // release by hang_bell, acquire by who walks; only ever grows at its front
}  // namespace

constinit std::atomic<void (*)() noexcept> aide_errand{nullptr};

void aide_bell::ring() noexcept {
  calls.fetch_add(1, std::memory_order_release);  // [AIDE-1] aide_main
  os::futex_wake(calls, 1);
}

aide_bell& hang_bell() {
  for (aide_bell* b = bells.load(std::memory_order_acquire); b != nullptr; b = b->next) {
    bool hung = false;
    // acquire: the last runtime's aide has ended, and so read its count for the last time (take_down).
    if (b->hung.compare_exchange_strong(hung, true, std::memory_order_acquire, std::memory_order_relaxed)) return *b;
  }
  auto* b = new aide_bell;
  b->hung.store(true, std::memory_order_relaxed);
  b->next = bells.load(std::memory_order_relaxed);
  while (!bells.compare_exchange_weak(b->next, b, std::memory_order_release, std::memory_order_relaxed)) {
  }
  return *b;
}

void take_down(aide_bell& b) noexcept { b.hung.store(false, std::memory_order_release); }

void ring_all_bells() noexcept {
  for (aide_bell* b = bells.load(std::memory_order_acquire); b != nullptr; b = b->next) b->ring();
}

bool any_bell_hangs() noexcept {
  for (const aide_bell* b = bells.load(std::memory_order_acquire); b != nullptr; b = b->next)
    if (b->hung.load(std::memory_order_relaxed)) return true;
  return false;
}

}  // namespace weft::detail
