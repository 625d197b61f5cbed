// SPDX-License-Identifier: BSL-1.0
// sched/wake_word.cpp - see the header.
#include "sched/wake_word.hpp"

namespace weft::detail {
namespace {
// release by register_wake_word, acquire by the walker; only ever grows at its front
constinit std::atomic<wake_word*> words{nullptr};
}  // namespace

wake_word& register_wake_word() {
  for (wake_word* b = words.load(std::memory_order_acquire); b != nullptr; b = b->next) {
    bool hung = false;
    // acquire: the last runtime's service thread has ended, and so read its count for the last time
    // (take_down).
    if (b->hung.compare_exchange_strong(hung, true, std::memory_order_acquire,
                                        std::memory_order_relaxed))
      return *b;
  }
  auto* b = new wake_word;
  b->hung.store(true, std::memory_order_relaxed);
  b->next = words.load(std::memory_order_relaxed);
  while (!words.compare_exchange_weak(b->next, b, std::memory_order_release,
                                      std::memory_order_relaxed)) {
  }
  return *b;
}

void take_down(wake_word& b) noexcept { b.hung.store(false, std::memory_order_release); }

void wake_all_service_threads() noexcept {
  for (wake_word* b = words.load(std::memory_order_acquire); b != nullptr; b = b->next) b->ring();
}

bool any_wake_word_registered() noexcept {
  for (const wake_word* b = words.load(std::memory_order_acquire); b != nullptr; b = b->next)
    if (b->hung.load(std::memory_order_relaxed)) return true;
  return false;
}

}  // namespace weft::detail
