// SPDX-License-Identifier: BSL-1.0
// watch/resizer.cpp - see the header.
#include "watch/resizer.hpp"

#include <algorithm>

#include "trace/event.hpp"

namespace weft::detail {

void resizer::watch(std::int64_t now) noexcept {
  if (s_.settings().workers != 0) return;  // the user's word
  const bool due = now - read_ns_ >= every_ns_.load(std::memory_order_relaxed);
  if (due) {
    read_ns_ = now;
    due_.ask();
  }
  if (due || (s_.counts().surplus() > 0 && s_.sleeping().idle() > 0)) service_.wake();
}

void resizer::resize() noexcept {
  if (due_.take()) {
    const auto most = static_cast<std::uint32_t>(s_.most_processors());
    const std::uint32_t granted = std::clamp(os::usable_cpus(), 1U, most);
    const std::uint32_t wanted = s_.counts().wanted();
    if (granted < wanted) {
      s_.counts().shrink(wanted - granted);
    } else if (granted > wanted) {
      std::uint32_t more = granted - wanted;
      more -= s_.counts().withdraw(more);
      while (more > 0 && activate_one_more()) --more;
    }
  }
  while (s_.counts().surplus() > 0 && deactivate_idle()) continue;
}

bool resizer::deactivate_idle() noexcept {
  processor* p = s_.sleeping().deactivate_idle(s_.counts());
  if (p == nullptr) return false;
  s_.drain(*p);
  trace::emit(trace::event::processor_deactivate, 0, p->index);
  return true;
}

// [RESIZE-3] There are at least as many sleepers as idle processors: a wake-up would find none for
// this one else, and it would stand idle beside work. So the sleeper comes first; without one
// nothing changes until the next time.
bool resizer::activate_one_more() noexcept {
  if (!s_.sleeping().has_sleeper_for_one_more()) {
    worker* s = s_.threads().make_spare();
    if (s == nullptr) return false;
    s_.sleeping().release(*s);
  }
  processor* p = s_.sleeping().take_inactive();
  // A claimer may be on its way to the inactive ones: then its processor is the one to take, next
  // time.
  if (p == nullptr && s_.processors().size() == s_.counts().serving()) p = s_.make_processor();
  if (p == nullptr) return false;
  trace::emit(trace::event::processor_serve, 0, p->index);
  s_.sleeping().add_idle(*p, s_.counts());
  if (s_.work_in_sight()) s_.wake_one_if_needed();
  return true;
}

}  // namespace weft::detail
