// SPDX-License-Identifier: BSL-1.0
#pragma once
// trace/recorder.hpp - the listener that records. One session at a time: into a file, or a flight recorder.
//
//   recorder.cpp   an event into its thread's ring; a ring gets another block
//   threads.cpp    rings and the table of threads
//   places.cpp     code addresses as numbers
//   file.cpp       header, chunks, tables
//   session.cpp    start, stop, the collector thread, generations
//   crash.cpp      what is still in memory, written by the handler of a fatal signal

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "trace/event.hpp"
#include "trace/ring.hpp"

namespace weft::detail::trace {

// ---- threads.cpp; called by weft's own threads when they begin and end
void thread_begins(thread_role role, std::uint32_t runtime, std::uint32_t index) noexcept;
void thread_ends() noexcept;

/// The monitor's rounds: some time has passed, a millisecond at most while fibers run.
void time_has_passed() noexcept;

// ---- the recorder's inner life, shared by its files
void record(event e, when time, std::uint64_t fiber, std::uint64_t number, std::uint64_t other) noexcept;

struct shared_state {
  pool blocks;
  // A change makes every thread close its block at its next event. relaxed: a thread that sees it late closes late;
  // the collector does not count on it (peek).
  std::atomic<std::uint32_t> epoch{0};
  std::atomic<std::uint64_t> generation{0};      // relaxed: a batch that is begun late says the one before
  std::atomic<std::uint64_t> dropped{0}, overwritten{0};  // events; relaxed
  std::atomic<std::uint64_t> complete_since{0};  // ticks; written under the pool's lock, relaxed
  std::atomic<std::uint32_t> wake_collector{0};  // futex
  std::atomic<bool> crashed{false};
  std::atomic<std::uint32_t> moment{0};           // changes now and then; relaxed
  std::atomic<bool> streams{false};               // full blocks go to a file; relaxed
};
extern constinit shared_state shared;

[[nodiscard]] thread_slot& this_thread_slot() noexcept;  // not inline: a TLS address must not outlive a switch
/// A ring for the calling thread; null if all are taken. Does not allocate for weft's own threads.
[[nodiscard]] ring* take_ring(thread_slot& t) noexcept;
[[nodiscard]] std::uint32_t thread_count() noexcept;
[[nodiscard]] const thread_info& thread_at(std::uint32_t i) noexcept;
void wake_collector() noexcept;

}  // namespace weft::detail::trace
