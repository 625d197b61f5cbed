// SPDX-License-Identifier: BSL-1.0
// watch/resizer.cpp - see the header.
#include "watch/resizer.hpp"

#include <algorithm>

#include "trace/event.hpp"

namespace weft::detail {

void resizer::watch(std::int64_t now) noexcept {
  const bool follows_cpus = s_.settings().workers == 0;  // else it is the user's word
  const bool due = follows_cpus && now - read_ns_ >= every_ns_.load(std::memory_order_relaxed);
  if (due) {
    read_ns_ = now;
    due_.ask();
  }
  if (due || (s_.counts().surplus() > 0 && s_.sleeping().idle() > 0)) service_.wake();
}

void resizer::compensate(std::size_t extra) noexcept {
  extra_.store(extra, std::memory_order_relaxed);
  change_.ask();
  service_.wake();
}

void resizer::resize() noexcept {
  const bool due = due_.take(), change = change_.take();
  if (due)
    granted_ = std::clamp(os::usable_cpus(), 1U, static_cast<std::uint32_t>(s_.most_workers()));
  if (due || change) {
    const std::size_t extra = extra_.load(std::memory_order_relaxed);
    const auto asked = static_cast<std::uint32_t>(std::min(granted_ + extra, s_.most_processors()));
    const std::uint32_t wanted = s_.counts().wanted();
    compensates_ |= extra > 0;
    if (compensates_) s_.show_workers(granted_);
    if (asked < wanted) {
      s_.counts().shrink(wanted - asked);
    } else if (asked > wanted) {
      std::uint32_t more = asked - wanted;
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
