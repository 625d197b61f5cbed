// SPDX-License-Identifier: BSL-1.0
#pragma once
// trace/recorder.hpp - the listener that records. One session at a time: into a file, or a flight
// recorder.
//
//   recorder.cpp   an event into its thread's ring; a ring gets another block
//   threads.cpp    rings and the table of threads
//   call_sites.cpp     code addresses as numbers
//   file.cpp       header, chunks, tables
//   session.cpp    start, stop, the collector thread, generations
//   crash.cpp      what is still in memory, written by the handler of a fatal signal

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/parker.hpp"
#include "trace/event.hpp"
#include "trace/ring.hpp"

namespace weft::detail::trace {

// ---- threads.cpp; called by weft's own threads when they begin and end
void thread_begins(thread_role role, std::uint32_t runtime, std::uint32_t index) noexcept;
void thread_ends() noexcept;

/// The monitor's rounds: some time has passed, a millisecond at most while fibers run.
void time_has_passed() noexcept;

// ---- the recorder's inner life, shared by its files
void record(event e, when time, std::uint64_t fiber, std::uint64_t number,
            std::uint64_t other) noexcept;

struct shared_state {
  pool blocks;
  // A change makes every thread close its block at its next event. relaxed: a thread that sees it
  // late closes late; the collector does not count on it (peek).
  std::atomic<std::uint32_t> epoch{0};
  // relaxed: a batch that is begun late says the one before
  std::atomic<std::uint64_t> generation{0};
  std::atomic<std::uint64_t> dropped{0}, overwritten{0};  // events; relaxed
  std::atomic<std::uint64_t> complete_since{0};  // ticks; written under the pool's lock, relaxed
  base::parker collector;                        // where the collector sleeps
  // changes now and then, and with the epoch; relaxed
  std::atomic<std::uint32_t> moment{0};
  std::atomic<bool> streams{false};  // full blocks go to a file; relaxed
};
extern constinit shared_state shared;

// Only for functions that no switch happens in: its address belongs to the thread.
[[gnu::tls_model("initial-exec")]] extern thread_local constinit thread_slot slot_of_thread;

// A signal handler that strikes between these two drops its event.
bool refuse_event() noexcept;
[[gnu::always_inline]] inline bool begin_event(thread_slot& t) noexcept {
  if (t.busy) [[unlikely]]
    return refuse_event();
  t.busy = true;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return true;
}
[[gnu::always_inline]] inline void end_event(thread_slot& t) noexcept {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  t.busy = false;
}
inline void publish_bytes(ring& r) noexcept {
  r.out = static_cast<std::uint32_t>(r.at - r.current->data);
  publish(*r.current, r.out);
}

/// fiber_create. `site`: a code address. Inline, for its callers do nothing else: a spawn is 20 ns.
void write_create(thread_slot& t, std::uint64_t fiber, std::uint64_t site,
                  std::uint64_t parent) noexcept;
inline void record_create(std::uint64_t fiber, std::uint64_t site, std::uint64_t parent) noexcept {
  thread_slot& t = slot_of_thread;
  if (!begin_event(t)) [[unlikely]]
    return;
  ring* const r = t.own;
  // At most 16 together, those whose numbers differ in the last four bits only; and none that the
  // thread has not written an event for.
  if (r == nullptr || fiber != r->next_created || fiber % 16 == 0 || site != r->site ||
      parent != r->parent || r->moment != shared.moment.load(std::memory_order_relaxed))
      [[unlikely]]
    return write_create(t, fiber, site, parent);
  r->next_created = fiber + 1;
  r->out += pack({0, 1});
  publish(*r->current, r->out);
  end_event(t);
}

/// What is only counted so far becomes an event. Before any other event, and before the block is
/// given away.
void flush_counts(ring& r) noexcept;
void close_block(ring& r) noexcept;
/// A ring for the calling thread; null if all are taken. Does not allocate for weft's own threads.
[[nodiscard]] ring* take_ring(thread_slot& t) noexcept;
/// How many threads have got a ring so far. The table has the latest of them.
[[nodiscard]] std::uint32_t threads_begun() noexcept;
/// False: nobody is there, or somebody is being written.
[[nodiscard]] bool read_thread(std::uint32_t i, thread_info& info) noexcept;
void wake_collector() noexcept;

}  // namespace weft::detail::trace
