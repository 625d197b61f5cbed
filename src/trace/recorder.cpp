// SPDX-License-Identifier: BSL-1.0
// trace/recorder.cpp - an event goes into its thread's ring: a dozen instructions, a look at the clock, a release store.
//
// Nothing here waits for a reader. The lock of the pool is taken once per block, some thousand events apart; without a
// free block the event is counted as dropped, and the next batch of the thread says how many were.
// A signal handler that strikes in the middle of an event finds `busy` set and drops its own.
#include "trace/recorder.hpp"

#include "trace/clock.hpp"
#include "trace/places.hpp"

namespace weft::detail::trace {

constinit shared_state shared;

namespace {

constexpr bool is_used(std::string_view meaning) noexcept { return meaning != "-"; }
// Bit `id`: the event is about a fiber. Those with a text all are.
constexpr std::uint64_t about_fibers = 0
#define WEFT_EVENT(id, name, fiber, number, other) | (is_used(fiber) && id < 64 ? std::uint64_t{1} << id % 64 : 0)
#include "trace/events.def"
#undef WEFT_EVENT
    ;
constexpr bool names_a_fiber(event e) noexcept {
  const auto id = static_cast<unsigned>(e);
  return id >= first_text_id || (about_fibers >> id & 1U) != 0;
}

void close_block(ring& r) noexcept {
  r.current->events = r.events;
  r.current->last_ticks = r.context.ticks;
}

void count_drop(ring* r) noexcept {
  shared.dropped.fetch_add(1, std::memory_order_relaxed);
  if (r != nullptr) ++r->lost;
}

// The ring with room for an event, or null.
[[gnu::noinline, gnu::cold]] ring* prepare(thread_slot& t) noexcept {
  ring* r = t.own != nullptr ? t.own : take_ring(t);
  if (r == nullptr) return nullptr;
  const std::uint32_t epoch = shared.epoch.load(std::memory_order_relaxed);
  if (r->current != nullptr) close_block(*r);
  block* b = shared.blocks.exchange(std::exchange(r->current, nullptr), [](block& old) noexcept {
    shared.overwritten.fetch_add(old.events, std::memory_order_relaxed);
    if (old.last_ticks > shared.complete_since.load(std::memory_order_relaxed))
      shared.complete_since.store(old.last_ticks, std::memory_order_relaxed);
  });
  r->at = r->room = nullptr;
  if (b == nullptr) {
    wake_collector();
    return nullptr;
  }
  const std::uint64_t now = ticks_now();
  b->head = {r->number, r->incarnation, r->sequence++, r->lost, shared.generation.load(std::memory_order_relaxed), now};
  b->events = 0;
  r->lost = 0;
  r->events = 0;
  r->context = {};
  r->context.ticks = now;
  r->epoch = epoch;
  r->current = b;
  r->at = b->data;
  r->room = b->data + block_bytes - longest_event - 8;
  if (r->sequence % 16 == 0) wake_collector();
  return r;
}

inline void finish_event(thread_slot& t, ring& r) noexcept {
  ++r.events;
  publish(*r.current, static_cast<std::uint32_t>(r.at - r.current->data));
  std::atomic_signal_fence(std::memory_order_seq_cst);
  t.busy = false;
}

// A look at the clock is half of what a spawn would cost here. Of creations in a row, with no other event of the thread in
// between, every eighth looks, and every one after a round of the monitor: they are at most a millisecond early.
std::uint64_t time_of_creation(ring& r) noexcept {
  const std::uint32_t moment = shared.moment.load(std::memory_order_relaxed);
  if (++r.creates % 8 != 1 && moment == r.moment) return r.context.ticks;
  r.creates = 1;
  r.moment = moment;
  return ticks_now();
}

}  // namespace

void time_has_passed() noexcept { shared.moment.fetch_add(1, std::memory_order_relaxed); }

void record(event e, when time, std::uint64_t fiber, std::uint64_t number, std::uint64_t other) noexcept {
  thread_slot& t = this_thread_slot();
  if (t.busy) [[unlikely]] {
    count_drop(nullptr);
    return;
  }
  t.busy = true;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  ring* r = t.own;
  if (r == nullptr || r->at >= r->room || r->epoch != shared.epoch.load(std::memory_order_relaxed)) [[unlikely]]
    r = prepare(t);
  if (r != nullptr) [[likely]] {
    if (e == event::fiber_create) {
      const std::uint64_t now = time_of_creation(*r);
      if (number != r->site) {
        r->site_number = place_number(number);
        r->site = number;
      }
      if (!put_tiny_event(r->at, r->context, static_cast<std::uint8_t>(e), now, fiber, r->site_number, other))
        r->at = put_event(r->at, r->context, static_cast<std::uint8_t>(e), now, fiber, r->site_number, other);
      finish_event(t, *r);
      return;
    }
    r->creates = 0;
    if (!names_a_fiber(e)) fiber = r->context.fiber;
    if (time == when::at_once && !carries_text(e) &&
        put_tiny_event(r->at, r->context, static_cast<std::uint8_t>(e), 0, fiber, number, other)) {
      finish_event(t, *r);
      return;
    }
    const std::uint64_t now = time == when::at_once ? r->context.ticks : ticks_now();
    if ((number | other | r->context.other[static_cast<unsigned>(e) % 32]) == 0 && !carries_text(e)) {
      r->at = put_short_event(r->at, r->context, static_cast<std::uint8_t>(e), now, fiber);
    } else if (carries_text(e)) [[unlikely]] {
      const auto* text = reinterpret_cast<const void*>(other);
      if (number > longest_text) number = longest_text;
      r->at = put_event(r->at, r->context, static_cast<std::uint8_t>(e), now, fiber, number, 0);
      if (number > 0) std::memcpy(r->at, text, number);
      r->at += number;
    } else {
      r->at = put_event(r->at, r->context, static_cast<std::uint8_t>(e), now, fiber, number, other);
    }
    finish_event(t, *r);
    return;
  }
  count_drop(t.own);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  t.busy = false;
}

}  // namespace weft::detail::trace
