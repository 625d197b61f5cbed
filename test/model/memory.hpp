// SPDX-License-Identifier: BSL-1.0
#pragma once
// test/model/memory.hpp - C++ memory as views over messages: what a load may return, who has seen
// what.
//
// A location is its modification order: a sequence of messages, each with a timestamp, a value and
// the view its writer handed over. A thread has three views, each "for every location, the oldest
// message I may still read":
//   current     what happened before the thread's next operation
//   acquirable  what an acquire fence would add: everything carried by the messages it has read
//   released    what a release fence has put behind every later relaxed store
// A load reads any message not older than `current`; an acquiring one joins what the message
// carries. A store goes anywhere after `current` in the modification order, not only at its end,
// and never between a read-modify-write and the message that one read. A release sequence is
// read-modify-writes handing on what they read. Sequential consistency is one more view, shared by
// all: a seq_cst fence joins it both ways, a seq_cst access reads and writes the accessed
// location's entry (C++20's coherence-ordered-before). Happens-before, for data races and
// lifetimes, is a vector clock that travels with the views but not through the seq_cst one.
//
// The heavy side of the asymmetric fence is a seq_cst fence of the caller, one of every other
// thread at moments of its own during the call, and one of the caller again: what
// membarrier(PRIVATE_EXPEDITED) promises.
//
// Out of reach: load buffering (a load that sees a store depending on it or later in program
// order), and a total order of seq_cst accesses that contradicts program order plus reads-from.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "where.hpp"

namespace weft::model {

using timestamp = std::uint32_t;
inline constexpr std::size_t max_locations = 128;
inline constexpr std::size_t max_threads = 8;  // the set-up thread is one of them
inline constexpr timestamp append_gap = 1U << 16U;

using vector_clock = std::array<std::uint32_t, max_threads>;

// Only the entries a scenario's few locations have touched are there: copying and joining whole
// arrays was half the time of an exploration.
class view {
 public:
  view() noexcept = default;
  view(const view& other) noexcept { *this = other; }
  view& operator=(const view& other) noexcept {
    used_ = other.used_;
    std::copy_n(other.seen_.begin(), used_, seen_.begin());
    clock = other.clock;
    return *this;
  }

  [[nodiscard]] timestamp seen(std::size_t where) const noexcept {
    return where < used_ ? seen_[where] : 0;
  }
  void see(std::size_t where, timestamp when) noexcept {
    reach(where + 1);
    seen_[where] = std::max(seen_[where], when);
  }

  void join_seen(const view& other) noexcept {
    reach(other.used_);
    for (std::size_t i = 0; i < other.used_; ++i) seen_[i] = std::max(seen_[i], other.seen_[i]);
  }
  void join(const view& other) noexcept {
    join_seen(other);
    for (std::size_t i = 0; i < max_threads; ++i) clock[i] = std::max(clock[i], other.clock[i]);
  }

  vector_clock clock{};

 private:
  void reach(std::size_t count) noexcept {
    if (count <= used_) return;
    std::fill(seen_.begin() + used_, seen_.begin() + static_cast<std::ptrdiff_t>(count), 0);
    used_ = static_cast<std::uint32_t>(count);
  }

  std::uint32_t used_ = 0;
  std::array<timestamp, max_locations> seen_;  // the first used_ of them
};

struct message {
  timestamp when = 0;
  bool taken = false;  // a read-modify-write read it: nothing may be put right after it
  std::uint64_t value = 0;
  std::uint64_t identity =
      0;  // hash of the writer's history: the same write in two executions has the same
  view carried;
};

struct location {
  const void* address = nullptr;
  where created;
  std::size_t creator = 0;
  std::uint32_t created_at = 0;
  bool alive = false;
  std::uint64_t identity = 0;
  std::uint64_t hash = 0;
  vector_clock accessed{};
  std::vector<message> order;

  const message& latest() const noexcept { return order.back(); }
};

struct thread_memory {
  view current, acquirable, released;
  std::array<timestamp, max_locations> floor{};  // pause() saw these: staleness must end some time
  struct poll {
    std::size_t where;
    timestamp read;
  };
  std::vector<poll>
      polled;  // locations read since the last pause(), and the last message each read gave
  std::uint64_t history = 0;  // hash of every result this thread has got so far
  std::uint32_t created = 0;
};

constexpr std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t h =
      (a ^ (b + 0x9e3779b97f4a7c15ULL + (a << 6U) + (a >> 2U))) * 0xbf58476d1ce4e5b9ULL;
  h = (h ^ (h >> 29U)) * 0x94d049bb133111ebULL;
  return h ^ (h >> 32U);
}

constexpr bool acquires(std::memory_order o) noexcept {
  return o == std::memory_order_acquire || o == std::memory_order_acq_rel ||
         o == std::memory_order_seq_cst;
}
constexpr bool releases(std::memory_order o) noexcept {
  return o == std::memory_order_release || o == std::memory_order_acq_rel ||
         o == std::memory_order_seq_cst;
}

class memory {
 public:
  void reset();
  void fork(std::size_t child);  // child starts with what thread 0 has
  void join_all();               // thread 0 has seen everything

  std::size_t create(std::size_t thread, const void* address, std::uint64_t value, where site);

  // Indices into location::order that the thread may read; oldest first.
  void readable(std::size_t thread, std::size_t where, std::memory_order,
                std::vector<std::size_t>& out) const;
  // Of those, the ones a read-modify-write may follow, or after which a plain store may be put.
  bool extendable(std::size_t where, std::size_t index) const;
  bool writable(std::size_t thread, std::size_t where, std::size_t index, std::memory_order) const;

  std::uint64_t read(std::size_t thread, std::size_t where, std::size_t index, std::memory_order);
  void write(std::size_t thread, std::size_t where, std::size_t after, std::uint64_t value,
             std::memory_order);
  std::uint64_t modify(std::size_t thread, std::size_t where, std::size_t index,
                       std::uint64_t value, std::memory_order);
  void fence(std::size_t thread, std::memory_order);

  void note(std::size_t thread, std::uint64_t fact) noexcept {
    threads[thread].history = mix(threads[thread].history, fact);
  }
  bool can_progress(std::size_t thread) const;  // a location it polled has something newer
  void forget_stale(std::size_t thread);        // the thread paused

  std::uint64_t hash() const noexcept;

  std::array<thread_memory, max_threads> threads;
  std::array<location, max_locations> locations;
  std::size_t thread_count = 1;
  std::size_t location_count = 0;

 private:
  timestamp oldest(std::size_t thread, std::size_t where, std::memory_order) const;
  message& insert(std::size_t where, std::size_t after);
  std::uint64_t identity_at(std::size_t where, timestamp when) const;
  void rehash_location(std::size_t where);
  void rehash_global();
  void tick(std::size_t thread) noexcept { ++threads[thread].current.clock[thread]; }

  view global_;  // the seq_cst view; its clock is never used
  std::uint64_t global_hash_ = 0;
  std::uint64_t locations_hash_ = 0;
};

}  // namespace weft::model
