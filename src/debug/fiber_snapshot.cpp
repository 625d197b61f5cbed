// SPDX-License-Identifier: BSL-1.0
// debug/fiber_snapshot.cpp - see the header.
#include "debug/fiber_snapshot.hpp"

#include "base/lock_guard.hpp"
#include "base/one_line.hpp"
#include "base/sanitizers.hpp"
#include "debug/dump_trigger.hpp"
#include "debug/peek.hpp"
#include "debug/running_snapshot.hpp"
#include "os/os.hpp"
#include "sched/park.hpp"

namespace weft::detail {
namespace {

constexpr int most_attempts = 4;
constexpr std::uint64_t thread_bit = std::uint64_t{1} << 63;

const fiber_record& owner_of_stack(const fiber_record& f) noexcept {
  const fiber_record* on = &f;
  for (int i = 0; i < 1000 && on->has(fiber_record::inlined); ++i) {  // torn, it might be a ring
    const fiber_record* next = peek(on->outer);
    if (next == nullptr) break;
    on = next;
  }
  return *on;
}

}  // namespace

std::string agent_text(fiber_record& f) {
  const std::uint64_t id = peek(f.id);
  if ((id & thread_bit) != 0) return "thread " + std::to_string(id & ~thread_bit);
  std::string text = "fiber " + std::to_string(id);
  if (!f.has(fiber_record::has_extras)) return text;
  const base::lock_guard guard(f.lock);
  const fiber_extras* x = f.extras.load(std::memory_order_acquire);  // [REC-2]
  if (x != nullptr && !x->name.empty()) text += " \"" + one_line(x->name) + "\"";
  return text;
}

stack_range stack_of_fiber(const fiber_record& f) noexcept {
  const fiber_record& on = owner_of_stack(f);
  const auto low = reinterpret_cast<std::uintptr_t>(peek(on.stack_limit));
  if (low == 0) return {};
  return {low, low + slot_size(peek(on.stack)) - os::page_size()};
}

snapshot_taker::snapshot_taker(bool stacks) : wants_stacks_(stacks) {
  for_each_record([&](fiber_record& f) {
    if (!f.has(fiber_record::inlined)) return;
    const fiber_state s = fiber_word::state_of(f.word.snapshot());
    if (s == fiber_state::unused || s == fiber_state::dead) return;
    if (const fiber_record* outer = peek(f.outer)) ++lenders_[outer];
  });
  for (scheduler* s : held_.all())
    s->for_each_worker([&](worker& w) {
      if (w.started.load(std::memory_order_acquire) == 0) return;  // [MON-2]
      if (const fiber_record* f = peek(w.current)) running_[f] = {&w, s};
    });
}

bool snapshot_taker::look(fiber_record& f, fiber_snapshot& out) {
  for (int i = 0; i < most_attempts; ++i) {
    out = {};
    out.record = &f;
    out.word = f.word.snapshot();
    const fiber_state state = fiber_word::state_of(out.word);
    if (state == fiber_state::unused || state == fiber_state::dead) return false;
    const bool is_thread = f.has(fiber_record::is_thread);
    if (is_thread && state != fiber_state::parked) return false;
    out.home = std::atomic_ref<scheduler*>(f.home).load(std::memory_order_relaxed);
    if (!is_thread && out.home == nullptr) return false;
    out.id = peek(f.id);
    out.runs = peek(f.operations);
    if (f.has(fiber_record::inlined)) out.outer = peek(f.outer);
    if (f.has(fiber_record::in_scope)) out.scope = peek(f.scope);
    switch (state) {
      case fiber_state::runnable:
        // [LEFT-1] Its wait was won, and it stays where it is. What it waited for may be gone: not
        // to be looked at.
        out.place = is_left_behind(f) ? fiber_position::parked : fiber_position::runnable;
        copy_stack(f, out);
        break;
      case fiber_state::parked:
        out.place = fiber_position::parked;
        out.reason = f.reason.load(std::memory_order_relaxed);
        out.object = f.wait_object.load(std::memory_order_relaxed);
        out.since_ns = f.parked_ns.load(std::memory_order_relaxed);
        if (!is_thread) copy_stack(f, out);
        break;
      case fiber_state::fresh:
        out.place = fiber_position::fresh;
        return true;
      default:
        snapshot_running(f, out);
        return true;
    }
    if (f.word.still(out.word)) return true;  // SNAPSHOT-1
  }
  out.place = fiber_position::moving;
  out.reason = park_reason::none;
  out.stack = stack_table::none;
  return true;
}

void snapshot_taker::copy_stack(const fiber_record& f, fiber_snapshot& out) {
  if (!wants_stacks_) return;
  const auto* context = static_cast<const std::uintptr_t*>(peek(f.context));
  const stack_range range = stack_of_fiber(f);
  const auto at = reinterpret_cast<std::uintptr_t>(context);
  constexpr std::size_t saved = registers::switch_words * sizeof(std::uintptr_t);
  if (at % sizeof(std::uintptr_t) != 0 || !range.holds(at) || !range.holds(at + saved)) return;
  std::uintptr_t words[registers::switch_words];
  copy_unseen(words, context, saved);
  if (!copy_.take(registers::of_switch(words, at), range.low, range.high)) return;
  // SNAPSHOT-1, before it is walked: the unwinder believes what it reads
  if (!f.word.still(out.word)) return;
  out.stack =
      table_.add(copy_, out.place == fiber_position::parked ? stack_table::trust::stood_still
                                                            : stack_table::trust::perhaps_moved);
}

void snapshot_taker::snapshot_running(const fiber_record& f, fiber_snapshot& out) {
  // TSan calls handlers when it likes, with the registers of the moment when the signal came: they
  // are not the stack's.
  constexpr auto trust =
      WEFT_TSAN ? stack_table::trust::perhaps_moved : stack_table::trust::stood_still;
  if (lenders_.contains(&f)) {
    out.place = fiber_position::lending;
    return;
  }
  const auto found = running_.find(&f);
  if (found == running_.end()) return;  // came or went meanwhile
  worker& w = *found->second.on;
  out.worker = static_cast<std::int32_t>(w.index);
  if (const std::uint32_t turn = w.frozen_at.turn(); turn % 2 == 1) {
    const registers place = w.frozen_at.place();
    const stack_range range = stack_of_fiber(f);
    const bool copied = wants_stacks_ && copy_.take(place, range.low, range.high);
    if (w.frozen_at.still(turn)) {  // FROZEN-1
      out.place = &w == crashed_worker() ? fiber_position::crashed : fiber_position::frozen;
      if (copied && peek(w.current) == &f) out.stack = table_.add(copy_, trust);
      return;
    }
  }
  const bool sleeps = w.activity() == os::thread_activity::sleeps;
  const kernel_stay stay = sleeps ? where_in_kernel(w.thread_id()) : kernel_stay{};
  out.place = sleeps ? fiber_position::blocked : fiber_position::computing;
  out.system_call = stay.call;
  if (!wants_stacks_ || (sleeps && !stay.restarts)) return;
  stack_copy* copy = nullptr;
  if (detail::snapshot_running(w, f, found->second.home->settings().preempt_signal, copy) ==
      snapshot_outcome::copied)
    out.stack = table_.add(*copy, trust);
}

}  // namespace weft::detail
