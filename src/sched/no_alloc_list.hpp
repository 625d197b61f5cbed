// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/no_alloc_list.hpp - a list that anybody appends to without memory, and that is taken whole:
// the part of the inject queue that a fiber always finds room in [LOST-1].
//
// Linked by the record's own link, newest first; whoever takes it turns it round. Taken whole, so
// no entry can come back under a pusher's hands (no ABA).

#include <atomic>
#include <utility>

namespace weft::detail {

template <class Head, class Fiber>
void push_without_memory(Head& head, Fiber& f) noexcept {
  f.link = head.load(std::memory_order_relaxed);
  // [LOST-1] take_all: what the record was given, and the links behind it
  while (!head.compare_exchange_weak(f.link, &f, std::memory_order_release,
                                     std::memory_order_relaxed)) {
  }
}

/// The oldest; the others follow by their links.
template <class Fiber, class Head>
Fiber* take_all(Head& head) noexcept {
  Fiber* newest = head.exchange(nullptr, std::memory_order_acquire);  // [LOST-1]
  Fiber* oldest = nullptr;
  while (newest != nullptr) {
    Fiber* const next = std::exchange(newest->link, oldest);
    oldest = std::exchange(newest, next);
  }
  return oldest;
}

}  // namespace weft::detail
