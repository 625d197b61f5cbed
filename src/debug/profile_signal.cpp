// SPDX-License-Identifier: BSL-1.0
// debug/profile_signal.cpp - see the header.
#include "debug/profile_signal.hpp"

#include <csignal>
#include <cstdint>

#include "base/sanitizers.hpp"
#include "base/signed_address.hpp"
#include "os/signal_context.hpp"
#include "sched/worker.hpp"

namespace weft::detail {

constinit std::atomic<sampled_thread*> sampled_threads{nullptr};
constinit std::atomic<bool> sampling{false};

namespace {

// Not instrumented: other frames' memory is what it reads.
__attribute__((no_sanitize("address", "thread"))) void walk(profile_sample& s,
                                                            const os::interrupted_state& at,
                                                            std::uintptr_t end) noexcept {
  std::size_t n = 0;
  s.frames[n++] = at.instruction;
  s.has_link = at.link != 0;
  if (s.has_link) s.frames[n++] = without_signature(at.link);
  std::uintptr_t fp = at.frame_pointer;
  while (fp >= at.stack_pointer && fp + 2 * sizeof fp <= end && fp % sizeof fp == 0) {
    const auto* frame = reinterpret_cast<const std::uintptr_t*>(fp);
    const std::uintptr_t above = frame[0], back = without_signature(frame[1]);
    if (back == 0) break;
    if (n == s.frames.size()) {
      s.cut = true;
      break;
    }
    s.frames[n++] = back;
    if (above <= fp) break;
    fp = above;
  }
  s.frame_count = static_cast<std::uint8_t>(n);
}

// In the handler. What the thread runs cannot change under it; a record that another thread uses
// again already, because the interrupted code is just leaving it, gives a sample to the wrong
// fiber.
__attribute__((no_sanitize("address", "thread"))) void note(
    profile_sample& s, const worker& w, const os::interrupted_state& at) noexcept {
  std::uintptr_t end = at.stack_pointer;  // not known: the innermost function only
  s.at = profile_sample::where::between;
  s.fiber = 0;
  s.spawned_at = 0;
  s.name[0] = 0;
  s.cut = false;
  const auto own = reinterpret_cast<std::uintptr_t>(w.own_bounds.bottom);
  const fiber_record* f = w.current;
  if (f == nullptr) {
    if (at.stack_pointer - own < w.own_bounds.size) end = own + w.own_bounds.size;
    s.at = profile_sample::where::scheduler;
  } else {
    const stack_ref stack = stack_of(*f);
    const auto limit = reinterpret_cast<std::uintptr_t>(stack.limit);
    const bool on_own = limit != 0 && at.stack_pointer - limit < stack.size;
    // Outside weft it is that fiber in any case: on a stack of the application's own making, read
    // to the end of the page.
    if (on_own || !w.gate.inside()) {
      const std::uintptr_t page = os::page_size();
      end = on_own ? limit + stack.size : at.stack_pointer + (page - at.stack_pointer % page);
      s.at = profile_sample::where::fiber;
      s.fiber = f->id;
      if (f->spawned_id == f->id) s.spawned_at = reinterpret_cast<std::uintptr_t>(f->spawned_at);
      // [REC-2]
      const fiber_extras* x = w.gate.inside() ? nullptr : f->extras.load(std::memory_order_acquire);
      if (x != nullptr) s.name[x->name.copy(s.name, sizeof s.name - 1)] = 0;
    }
  }
  walk(s, at, end);
}

}  // namespace

bool on_profile_signal(int, siginfo_t* info, void* context) {
  if (info->si_code != SI_TIMER) return false;
  sampled_thread* t = sampled_threads.load(std::memory_order_acquire);
  while (t != nullptr && t != info->si_value.sival_ptr) t = t->next;
  if (t == nullptr) return false;  // another owner's timer
  const worker* w = this_worker();
  if (w == nullptr || !sampling.load(std::memory_order_relaxed)) return true;
  // a late one of a thread that has ended
  if (t->thread.load(std::memory_order_relaxed) != w->thread_id()) return true;
  if (profile_sample* s = t->ring.begin()) {
    s->weight = 1 + static_cast<std::uint32_t>(info->si_overrun > 0 ? info->si_overrun : 0);
    note(*s, *w, os::interrupted(context));
    t->ring.end();
  }
  return true;
}

}  // namespace weft::detail
