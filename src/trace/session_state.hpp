// SPDX-License-Identifier: BSL-1.0
#pragma once
// trace/session_state.hpp - what session.cpp and crash.cpp share.

#include <atomic>
#include <climits>
#include <cstdint>
#include <mutex>
#include <thread>

#include "base/lock_guard.hpp"
#include "trace/file.hpp"
#include "trace/last_words.hpp"
#include "trace/ring.hpp"
#include "trace/session.hpp"

namespace weft::detail::trace {

struct session_data {
  base::mutex control;    // start and stop
  base::mutex snapshots;  // one at a time
  // under control; the collector's, or a snapshot's, while one is there
  session_options options;
  trace_file file;
  std::thread collector;
  std::atomic<bool> ends{false};  // release by stop, acquire by the collector
  std::uint64_t number = 0;
  fiber_table fibers = nullptr;
  std::int64_t fibers_not_before = 0;
  std::uint32_t threads_written = 0;
  std::byte copy[block_bytes];  // what a peek saw
};
[[nodiscard]] session_data& session() noexcept;

inline void write_block(trace_file& file, const block& b, std::uint32_t used) noexcept {
  const published there = unpack(used);
  file.batch(b.head, {b.data, there.bytes}, there.more);
}

/// What handlers of signals look at.
struct session_words {
  // start and stop hold `control`; relaxed: a hint to all others but a snapshot
  std::atomic<session_kind> kind{session_kind::none};
  std::atomic<bool> snapshot_on_stall{false};
  std::atomic<bool> snapshot_wanted{false};
  basic_last_words<> last;                // [TRACE-6]
  std::atomic<std::uint64_t> written{0};  // bytes of the last file
  std::atomic<fiber_table> fibers{nullptr};
  char path[PATH_MAX] = {};
};
extern constinit session_words words;

}  // namespace weft::detail::trace
