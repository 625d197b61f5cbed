// SPDX-License-Identifier: BSL-1.0
#pragma once
// trace/ring.hpp - what one thread records into: a block at a time (block_pool.hpp), and what the
// next event is relative to. A thread has one from its first event to its end; then it is another
// thread's, as a new incarnation.

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/cache_line.hpp"
#include "base/futex_lock.hpp"
#include "base/sync_policy.hpp"
#include "trace/block_pool.hpp"
#include "trace/format.hpp"

namespace weft::detail::trace {

inline constexpr std::size_t block_bytes = 32 * 1024;

struct block : block_links<block, base::real_sync> {
  std::byte* data = nullptr;  // constant; block_bytes
  batch_header head{};        // the writer's, before the first byte is published
  // -- the writer's, before it is full
  std::uint64_t events = 0;
  std::uint64_t last_ticks = 0;
};
/// What a block publishes: its bytes, and how many more fibers were created as its last event, a
/// fiber_create, says.
struct published {
  std::uint32_t bytes, more;
};
[[nodiscard]] constexpr std::uint32_t pack(published p) noexcept { return p.bytes | p.more << 24U; }
[[nodiscard]] constexpr published unpack(std::uint32_t used) noexcept {
  return {used & 0xffffffU, used >> 24U};
}

using pool = block_pool<block, base::ranked_futex_lock<base::lock_rank::leaf>>;

struct alignas(base::cache_line) ring {
  // ---- its thread's own
  std::byte* at = nullptr;    // where the next event goes
  std::byte* room = nullptr;  // from here on there is no room for one
  block* current = nullptr;
  std::uint32_t epoch = 0;  // what `epoch` was when the block was begun
  std::uint32_t sequence = 0;
  std::uint64_t events = 0;  // in the block
  // Of a fiber_create, if that was the last event: the fiber that is next and needs to be counted
  // only; 0: none.
  std::uint64_t next_created = 0;
  std::uint64_t site = 0;  // the last place a fiber was spawned at
  std::uint64_t parent = 0;
  std::uint32_t moment = 0;  // what `moment` was then
  std::uint32_t site_number = 0;
  std::uint32_t out = 0;   // what the block has published (pack)
  std::uint32_t lost = 0;  // events dropped since the last batch
  event_context context;
  // ---- constant while it is taken
  std::uint32_t number = 0;
  std::uint32_t incarnation = 0;
  // ---- under the lock of the threads
  bool taken = false;
};

/// A thread, for the table in the file, which has so many of them.
inline constexpr std::uint32_t most_threads = 4096;
struct thread_info {
  std::uint32_t ring, incarnation;
  std::int32_t thread;
  thread_role role;
  std::uint32_t runtime, index;
  char name[16];
};

/// The calling thread as the recorder knows it. Plain: only its own thread, and signal handlers on
/// it, look.
struct thread_slot {
  ring* own = nullptr;
  volatile bool busy = false;  // in the middle of an event: a signal handler must not record now
  bool known = false;          // thread_begins was called
  bool ends = false;           // a destructor for it is registered
  thread_role role = thread_role::other;
  std::uint32_t runtime = 0, index = 0;
};

}  // namespace weft::detail::trace
