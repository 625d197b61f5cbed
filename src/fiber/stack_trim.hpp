// SPDX-License-Identifier: BSL-1.0
#pragma once
// fiber/stack_trim.hpp - the memory of a burst goes back: stacks that were idle for a while lose
// their pages.
//
//   giving back     more than class_pool::kept_warm idle: want
//   monitor         claim, once: has its service thread do it
//   service thread  trim_stacks, from then on every period, in pieces of two milliseconds, until
//                   there is nothing left to do
//
// Stacks beyond kept_warm that were idle in all of a period (the minimum over it, not the number at
// its end) are trimmed, oldest first. So a load that comes and goes within a period keeps its
// stacks as they are.
//
//   TRIM-1  a thread that leaves an excess behind finds the trim wanted, or a trimmer that looks
//           once more: push, then read the state / write the state, then look. Push and look are
//           under one lock, which orders them. What the trimmer keeps goes from claim to claim.
// Rejected: dropping at the giving back (1.4 us and a fault for each of a burst that comes again);
// a thread of its own.

#include <atomic>
#include <cstdint>

#include "base/sync_policy.hpp"

namespace weft::detail {

template <class Sync = base::real_sync>
class basic_trim_claim {
 public:
  constexpr basic_trim_claim() noexcept = default;

  // ---- the side that has left an excess behind
  void want() noexcept {
    state none = state::none;
    if (word_.load(std::memory_order_relaxed) == none)
      word_.compare_exchange_strong(none, state::wanted, std::memory_order_relaxed);
  }

  // ---- the side that looks whether it is wanted
  /// True: the caller sees to it that trim_stacks is called, until that says INT64_MAX, or unclaim.
  [[nodiscard]] bool claim() noexcept {
    state wanted = state::wanted;
    return word_.load(std::memory_order_relaxed) == wanted &&
           word_.compare_exchange_strong(wanted, state::served, std::memory_order_acquire,  // end
                                         std::memory_order_relaxed);
  }
  void unclaim() noexcept { word_.store(state::wanted, std::memory_order_release); }  // claim

  // ---- who has the claim
  /// Ends it, if `any_excess` finds none after that. False: there is one, and the claim is the
  /// caller's as before.
  template <class AnyExcess>
  [[nodiscard]] bool end(AnyExcess&& any_excess) noexcept {
    state none = state::none;
    word_.store(none, std::memory_order_release);  // [TRIM-1] claim, end
    return !any_excess() ||
           !word_.compare_exchange_strong(none, state::served, std::memory_order_acquire,  // end
                                          std::memory_order_relaxed);
  }

 private:
  enum class state : std::uint32_t { none, wanted, served };
  typename Sync::template atomic<state> word_{state::none};
};

extern constinit basic_trim_claim<> trim_claim;
extern constinit std::atomic<std::int64_t> trim_period_ns;  // relaxed; only tests change it

/// Another store of what a burst may leave idle, with periods of its own that are these. All but
/// the first are called by the thread that has the claim.
class trimmed_store {
 public:
  /// More is idle than shall stay, and another trim may help.
  virtual bool has_excess() noexcept = 0;
  virtual void end_period() noexcept = 0;
  virtual bool trim_some() noexcept = 0;  // a short piece; false: no more in this period

  trimmed_store* next = nullptr;

 protected:
  ~trimmed_store() = default;  // they live for ever
};
/// Once for each.
void add_trimmed_store(trimmed_store& s) noexcept;

/// Takes up to two milliseconds. When to call it again; INT64_MAX: there is nothing to do, and the
/// claim has ended.
[[nodiscard]] std::int64_t trim_stacks(std::int64_t now_ns) noexcept;

}  // namespace weft::detail
