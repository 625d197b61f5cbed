// SPDX-License-Identifier: BSL-1.0
#pragma once
// fiber/record.hpp - the fiber record: everything about a fiber except its stack.
//
// Records are dense in slabs, apart from the stacks (a queue of records costs a fifth of the cache
// misses a queue of stacks does) and are never unmapped: a stale ticket may always look at the
// word. A plain thread that waits gets a record too, without a stack: every wait then has one code
// path.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include <weft/detail/task.hpp>

#include "base/cache_line.hpp"
#include "base/futex_lock.hpp"
#include "base/intrusive_list.hpp"
#include "fiber/fiber_word.hpp"
#include "fiber/join_word.hpp"
#include "fiber/record_table.hpp"
#include "fiber/stack_pool.hpp"
#include "fiber/stop_listener.hpp"
#include "fiber/switch.hpp"
#include "os/os.hpp"
#include "trace/reason.hpp"

namespace weft::detail {

class scheduler;
struct worker;
struct fiber_record;
class scope_core;

/// The right to wake one park of one fiber. Stale ones are harmless. Never 0..2 (join_word's
/// values).
struct ticket {
  std::uint64_t bits = 0;
  [[nodiscard]] std::uint32_t index() const noexcept {
    return static_cast<std::uint32_t>(bits >> 32);
  }
  [[nodiscard]] epoch_t epoch() const noexcept { return static_cast<epoch_t>(bits); }
  explicit operator bool() const noexcept { return bits != 0; }
};

struct local_value {
  std::uint32_t key;
  void* value;
  void (*destroy)(void*) noexcept;
};

/// What few fibers have; made on first use.
struct fiber_extras {
  std::string name;
  std::stop_source stop{std::nostopstate};
  std::vector<local_value> locals;  // fiber_local values, in the order they were made
  // the calls that led to the exception it ended with; the fiber's, then whoever has its end
  std::vector<const void*> thrown_by;
};

/// The link in a scope's list of children.
struct scope_hook : base::list_hook<> {
  fiber_record* owner = nullptr;  // constant
};

// Four cache lines: what the callable needs, what every step needs, what waiting and few fibers
// need, what fewer need. A fiber that is spawned, runs and is joined touches the first two; the
// others are as `free` left it (scheduler::reset does not write it).
struct alignas(base::cache_line) fiber_record : task {
  enum flag : std::uint8_t {
    pinned = 1,     // runs on `bound` only
    is_thread = 2,  // stands for a plain thread; parks on `thread_wake`
    inlined = 4,    // runs on the stack of the fiber that joins it
    unpreemptible = 8,
    has_extras = 16,
    in_scope = 32,
    failed_start = 64,
    timed = 128,  // `ready_ns` says since when it waits for its turn (sched/counters.hpp)
  };

  // -- second line: the owner of the fiber by its state word (fiber_word.hpp)
  fiber_word word;
  void* context = nullptr;    // where to jump to; null before the start
  scheduler* home = nullptr;  // the runtime it belongs to; null for a thread's record
  join_word join;
  std::byte* stack_limit = nullptr;  // null: none (not started, thread)
  std::uint64_t id = 0;
  fiber_record* link = nullptr;  // cache, bound queue, a list of the woken
  std::uint32_t index = 0;       // in the table of records; constant
  // of the stack it runs on, as `stack_limit`; before the start: of the one it wants
  stack_class stack{};
  std::atomic<std::uint8_t> flags{0};  // relaxed: the owner writes
  std::atomic<park_reason> reason{park_reason::none};
  std::atomic<bool> stop_requested{false};

  // -- third line
  fiber_record* outer = nullptr;  // inlined: the joiner
  // since when it waits, to a round of the monitor; relaxed: for reports
  std::atomic<std::int64_t> parked_ns{0};
  std::atomic<fiber_extras*> extras{nullptr};  // has_extras
  scope_core* scope = nullptr;                 // in_scope: the scope it is a child of
  scope_hook in_children;
  // what it waits for; relaxed: for reports, which see it with the state
  std::atomic<const void*> wait_object{nullptr};
  // -- fourth line
  stop_listener::slot on_stop{nullptr};
  base::futex_lock lock;  // extras and on_stop against stop requests and readers
  std::atomic<std::uint32_t> thread_wake{0};
  // weft::no_preempt guards alive; the fiber itself writes
  std::atomic<std::uint32_t> no_preempt{0};
  // a plain thread that waits until a deadline; relaxed: for reports
  std::atomic<bool> thread_deadline{false};
  worker* bound = nullptr;  // pinned: its worker, once it has run
  // weft::lock_detector has named the fiber of this id; relaxed, its own
  std::atomic<std::uint64_t> told_of_locks{0};
  std::int64_t ready_ns = 0;  // timed: since when it is ready; the owner
  // Where the fiber with that id was spawned, if a profiler ran then.
  const void* spawned_at = nullptr;
  std::uint64_t spawned_id = 0;
#if WEFT_TSAN
  void* tsan_fiber = nullptr;
#endif
#if WEFT_ASAN
  // with `context`: the stack it left, which need not be its own; null: it is
  stack_bounds rests_on;
#endif

  void set(flag f) noexcept {
    flags.store(flags.load(std::memory_order_relaxed) | f, std::memory_order_relaxed);
  }
  void clear(flag f) noexcept {
    flags.store(flags.load(std::memory_order_relaxed) & ~f, std::memory_order_relaxed);
  }
  // The owner writes `context` by set_context and reads it as it is; a processor that prefetches
  // reads one that may be another's by now.
  void set_context(void* at) noexcept {
    std::atomic_ref<void*>(context).store(at, std::memory_order_relaxed);
  }
  [[nodiscard]] const std::byte* context_hint() noexcept {
    return static_cast<const std::byte*>(
        std::atomic_ref<void*>(context).load(std::memory_order_relaxed));
  }
  /// The lines that waiting and going on touch.
  void prefetch() const noexcept {
    __builtin_prefetch(&word, 1);
    __builtin_prefetch(&wait_object, 1);
  }
  [[nodiscard]] bool has_any(std::uint8_t mask) const noexcept {
    return (flags.load(std::memory_order_relaxed) & mask) != 0;
  }
  /// True if its end only publishes a result: it has no extras and is in no scope.
  [[nodiscard]] bool ends_plainly() const noexcept {
    return (flags.load(std::memory_order_relaxed) & (has_extras | in_scope)) == 0;
  }
  [[nodiscard]] bool has(flag f) const noexcept {
    return (flags.load(std::memory_order_relaxed) & f) != 0;
  }
  // The owner reads `home` as it is and writes it by set_home; others ask whether it is a fiber of
  // `s` that lives.
  void set_home(scheduler* s) noexcept {
    std::atomic_ref<scheduler*>(home).store(s, std::memory_order_relaxed);  // word.publish
  }
  [[nodiscard]] bool lives_in(const scheduler* s) noexcept {
    const fiber_state now = fiber_word::state_of(word.snapshot());
    return now != fiber_state::unused && now != fiber_state::dead &&
           std::atomic_ref<scheduler*>(home).load(std::memory_order_relaxed) == s;
  }
  [[nodiscard]] ticket make_ticket(epoch_t e) const noexcept {
    return {static_cast<std::uint64_t>(index) << 32 | e};
  }
  fiber_extras& need_extras();                 // the fiber itself, or before its start
  void take_extras(fiber_extras* x) noexcept;  // the same; it has none yet
};

/// The stack `f` was started on: its own, or its joiner's if it is inlined. It may stand on another
/// one, which the application made. Null before the start and of a thread's record. AS-safe.
[[nodiscard]] inline stack_ref stack_of(const fiber_record& f) noexcept {
  if (f.stack_limit == nullptr) return {};
  return {f.stack_limit, slot_size(f.stack) - os::page_size()};
}

/// The record behind a ticket.
[[nodiscard]] fiber_record& record_of(ticket t) noexcept;
[[nodiscard]] inline fiber_record& record_of(task& t) noexcept {
  return static_cast<fiber_record&>(t);
}
[[nodiscard]] inline const fiber_record& record_of(const task& t) noexcept {
  return static_cast<const fiber_record&>(t);
}

/// A chain of free records, by `link`.
struct record_chain {
  fiber_record* first = nullptr;
  std::size_t count = 0;

  void push(fiber_record& r) noexcept {
    r.link = first;
    first = &r;
    ++count;
  }
  fiber_record& pop() noexcept {  // not empty
    fiber_record* r = first;
    first = r->link;
    --count;
    // As numbers: `first` may be null, which has no neighbours.
    const auto next = reinterpret_cast<std::uintptr_t>(first);
    __builtin_prefetch(reinterpret_cast<const void*>(next), 1);
    __builtin_prefetch(reinterpret_cast<const void*>(next + base::cache_line), 1);
    return *r;
  }
};

/// A worker's own free records: one chain in use and one in reserve; whole chains go to and from
/// the global pool, so that they are never walked. Not thread-safe.
class record_cache {
 public:
  static constexpr std::size_t chain_length = 128;

  record_cache() = default;
  ~record_cache() { flush(); }
  record_cache(const record_cache&) = delete;
  record_cache& operator=(const record_cache&) = delete;

  /// Throws std::system_error, not_enough_memory.
  [[nodiscard]] fiber_record& take() {
    if (active_.count == 0) [[unlikely]]
      refill();
    return active_.pop();
  }
  [[nodiscard]] bool empty() const noexcept { return active_.count == 0; }
  [[nodiscard]] fiber_record& take_quick() noexcept { return active_.pop(); }  // not empty
  void give(fiber_record& r) noexcept {
    if (active_.count == chain_length) [[unlikely]]
      spill();
    active_.push(r);
  }
  void flush() noexcept;

 private:
  void refill();
  void spill() noexcept;
  record_chain active_, reserve_;
};

/// For threads without a cache.
[[nodiscard]] fiber_record& take_record();
void give_record(fiber_record& r) noexcept;

// REC-2  `extras` is released after it is filled, so a reader that acquires the pointer sees name,
//        attributes and locals as they were set at the spawn.
// REC-3  a record is given back to the runtime it came from, or to the table; so a cache never
//        exchanges records with another runtime's.

/// While one of these lives, no record goes from one runtime to another [REC-3]: their caches
/// exchange records through the table only. For short walks.
class WEFT_SCOPED_CAPABILITY records_held {
 public:
  records_held() noexcept WEFT_ACQUIRE(all_records.lock);
  ~records_held() WEFT_RELEASE();
  records_held(const records_held&) = delete;
  records_held& operator=(const records_held&) = delete;
};

/// Calls visit(record) for every record that was ever handed out. The visitor looks at atomics, and
/// at the rest only under `lock` and after checking the state.
template <class Visit>
void for_each_record(Visit&& visit);
[[nodiscard]] std::uint32_t record_count() noexcept;
[[nodiscard]] fiber_record& record_at(std::uint32_t index) noexcept;

template <class Visit>
void for_each_record(Visit&& visit) {
  const std::uint32_t n = record_count();
  for (std::uint32_t i = 1; i < n; ++i) visit(record_at(i));
}

}  // namespace weft::detail
