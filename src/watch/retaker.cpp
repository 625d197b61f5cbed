// SPDX-License-Identifier: BSL-1.0
// watch/retaker.cpp - see the header.
#include "watch/retaker.hpp"

#include "trace/event.hpp"

namespace weft::detail {

bool retaker::retake(processor& p, worker& w) noexcept {
  worker* s = spares_.reserve();
  if (s == nullptr) {
    p.seen.look_again = spares_.is_awaited();
    if (p.seen.look_again || (s = s_.sleeping().reserve_frozen()) == nullptr) return false;
  }
  if (!w.gate.try_take(&p)) {  // it has come back
    s_.sleeping().release(*s);
    return false;
  }
  stalls_.begin_detached(w, p.seen.since_ns);
  p.order.thaw_first = s_.sleeping().frozen_hint() > 0;
  p.holder.store(nullptr, std::memory_order_relaxed);
  w.gate.keep();
  count_.fetch_add(1, std::memory_order_relaxed);  // before anybody can see what came of it
  s_.sleeping().assign(*s, p);
  trace::emit(trace::event::retake, 0, w.index, s->index);
  return true;
}

}  // namespace weft::detail
