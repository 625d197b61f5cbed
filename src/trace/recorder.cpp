// SPDX-License-Identifier: BSL-1.0
// trace/recorder.cpp - an event goes into its thread's ring: a dozen instructions, a look at the
// clock, a release store.
//
//   fiber_create   of creations in a row - the next id, the same place and parent - the first is
//                  written, with the time; the others are counted beside the length that the block
//                  publishes, until another event or a reader comes
//   fiber_start    where it follows a fiber's end at once, nothing: the reader knows (README, "What
//                  is not written")
// Nothing here waits for a reader. The lock of the pool is taken once per block, some thousand
// events apart; without a free block the event is counted as dropped, and the next batch of the
// thread says how many were. A signal handler that strikes in the middle of an event finds `busy`
// set and drops its own.
#include "trace/recorder.hpp"

#include "trace/call_sites.hpp"
#include "trace/clock.hpp"

namespace weft::detail::trace {

constinit shared_state shared;

namespace {

constexpr bool is_used(std::string_view meaning) noexcept { return meaning != "-"; }
// Bit `id`: the event is about a fiber. Those with a text all are.
constexpr std::uint64_t about_fibers = 0
#define WEFT_EVENT(id, name, fiber, number, other) \
  | (is_used(fiber) && id < 64 ? std::uint64_t{1} << id % 64 : 0)
#include "trace/events.def"
#undef WEFT_EVENT
    ;
constexpr bool names_a_fiber(event e) noexcept {
  const auto id = static_cast<unsigned>(e);
  return id >= first_text_id || (about_fibers >> id & 1U) != 0;
}

void count_drop(ring* r) noexcept {
  shared.dropped.fetch_add(1, std::memory_order_relaxed);
  if (r != nullptr) ++r->lost;
}

// Another block for the ring: the session may be new, or its generation, or the block full.
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
  b->head = {r->number,
             r->incarnation,
             r->sequence++,
             r->lost,
             shared.generation.load(std::memory_order_relaxed),
             now};
  b->events = 0;
  r->lost = 0;
  r->events = 0;
  r->context = {};
  r->context.ticks = now;
  r->epoch = epoch;
  r->current = b;
  r->at = b->data;
  r->room = b->data + block_bytes - longest_event - 8;
  r->out = 0;
  if (r->sequence % 16 == 0) wake_collector();
  return r;
}

[[gnu::always_inline]] inline bool has_room(const ring* r) noexcept {
  return r != nullptr && r->at < r->room &&
         r->epoch == shared.epoch.load(std::memory_order_relaxed);
}
// The ring with room for an event, or null: then it is counted as dropped.
[[gnu::always_inline]] inline ring* ring_with_room(thread_slot& t) noexcept {
  ring* r = t.own;
  if (!has_room(r)) [[unlikely]] {
    r = prepare(t);
    if (r == nullptr) count_drop(t.own);
  }
  return r;
}
[[gnu::always_inline]] inline void publish_event(ring& r) noexcept {
  ++r.events;
  publish_bytes(r);
}

[[gnu::noinline]] void write_end(thread_slot& t, std::uint64_t fiber) noexcept {
  if (ring* const r = ring_with_room(t)) {
    flush_counts(*r);
    r->at = put_event(r->at, r->context, static_cast<std::uint8_t>(event::fiber_end), ticks_now(),
                      fiber, 0, 0);
    publish_event(*r);
  }
  end_event(t);
}

}  // namespace

void write_create(thread_slot& t, std::uint64_t fiber, std::uint64_t site,
                  std::uint64_t parent) noexcept {
  if (ring* const r = ring_with_room(t)) {
    flush_counts(*r);
    if (site != r->site) {
      r->site_number = call_site_number(site);
      r->site = site;
    }
    r->parent = parent;
    r->moment = shared.moment.load(std::memory_order_relaxed);
    r->at = put_event(r->at, r->context, static_cast<std::uint8_t>(event::fiber_create),
                      ticks_now(), fiber, r->site_number, parent);
    publish_event(*r);
    r->next_created = fiber + 1;
  }
  end_event(t);
}

bool refuse_event() noexcept {
  count_drop(nullptr);
  return false;
}

void record_end(std::uint64_t fiber) noexcept {
  thread_slot& t = slot_of_thread;
  if (!begin_event(t)) [[unlikely]]
    return;
  ring* const r = t.own;
  std::uint64_t now = 0;
  if (!has_room(r) || r->next_created != 0 || !quick_ticks(now) ||
      !put_quick_event(r->at, r->context, static_cast<std::uint8_t>(event::fiber_end), now, fiber))
      [[unlikely]]
    return write_end(t, fiber);
  publish_event(*r);
  end_event(t);
}

void record(event e, when time, std::uint64_t fiber, std::uint64_t number,
            std::uint64_t other) noexcept {
  thread_slot& t = slot_of_thread;
  if (!begin_event(t)) return;
  if (ring* const r = ring_with_room(t)) [[likely]] {
    const auto id = static_cast<std::uint8_t>(e);
    event_context& c = r->context;
    flush_counts(*r);
    if (!names_a_fiber(e)) fiber = c.fiber;
    if (carries_text(e)) [[unlikely]] {
      const auto* text = reinterpret_cast<const void*>(other);
      if (number > longest_text) number = longest_text;
      r->at = put_event(r->at, c, id, ticks_now(), fiber, number, 0);
      if (number > 0) std::memcpy(r->at, text, number);
      r->at += number;
    } else if (time != when::at_once || !put_tiny_event(r->at, c, id, 0, fiber, number, other)) {
      const std::uint64_t now = time == when::at_once ? c.ticks : ticks_now();
      if ((number | other | c.other[id % 32]) != 0 || !put_quick_event(r->at, c, id, now, fiber))
        r->at = put_event(r->at, c, id, now, fiber, number, other);
    }
    publish_event(*r);
  }
  end_event(t);
}

void time_has_passed() noexcept { shared.moment.fetch_add(1, std::memory_order_relaxed); }

void flush_counts(ring& r) noexcept {
  r.next_created = 0;
  const std::uint32_t more = unpack(r.out).more;
  if (more == 0) return;
  r.events += more;
  r.at = put_create_more(r.at, static_cast<std::uint8_t>(event::fiber_create_more), more);
  publish_bytes(r);
}

void close_block(ring& r) noexcept {
  flush_counts(r);
  r.current->events = r.events;
  r.current->last_ticks = r.context.ticks;
}

}  // namespace weft::detail::trace
