// SPDX-License-Identifier: BSL-1.0
#pragma once
// fiber/stack_trim.hpp - the memory of a burst goes back: stacks that were idle for a while lose
// their pages.
//
//   giving back     more than class_pool::kept_warm idle: want_trim
//   monitor         claim_trim, once: has its service thread do it
//   service thread  trim_stacks, from then on every period, in pieces of two milliseconds, until
//                   there is nothing left to do
//
// Stacks beyond kept_warm that were idle in all of a period (the minimum over it, not the number at
// its end) are trimmed, oldest first. So a load that comes and goes within a period keeps its
// stacks as they are.
//
//   TRIM-1  a thread that leaves an excess behind finds the trim wanted, or a trimmer that looks
//           once more: push, then read the state / write the state, then look. Both are seq_cst.
// Rejected: dropping at the giving back (1.4 us and a fault for each of a burst that comes again);
// a thread of its own.

#include <atomic>
#include <cstdint>

namespace weft::detail {

enum class trim_state : std::uint32_t { none, wanted, served };
extern constinit std::atomic<trim_state> trimming;          // [TRIM-1]
extern constinit std::atomic<std::int64_t> trim_period_ns;  // relaxed; only tests change it

inline void want_trim() noexcept {
  trim_state none = trim_state::none;
  if (trimming.load(std::memory_order_seq_cst) == none)  // [TRIM-1] trim_stacks
    trimming.compare_exchange_strong(none, trim_state::wanted, std::memory_order_seq_cst);
}
/// True: the caller sees to it that trim_stacks is called, until that says INT64_MAX, or
/// unclaim_trim.
[[nodiscard]] inline bool claim_trim() noexcept {
  trim_state wanted = trim_state::wanted;
  return trimming.load(std::memory_order_relaxed) == wanted &&
         trimming.compare_exchange_strong(wanted, trim_state::served, std::memory_order_seq_cst);
}
inline void unclaim_trim() noexcept {
  trimming.store(trim_state::wanted, std::memory_order_seq_cst);
}

/// Takes up to two milliseconds. When to call it again; INT64_MAX: there is nothing to do, and the
/// claim has ended.
[[nodiscard]] std::int64_t trim_stacks(std::int64_t now_ns) noexcept;

}  // namespace weft::detail
