// SPDX-License-Identifier: BSL-1.0
#pragma once
// sched/no_alloc_list.hpp - a list that any thread appends to without memory, and that is taken
// whole: the part of the inject queue that a fiber always finds room in [LOST-1].
//
// It is linked by the records' own link, newest first; the taker turns it round. It is taken whole,
// so no entry can come back while a pusher looks at it (no ABA).

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
