// SPDX-License-Identifier: BSL-1.0
#pragma once
// fiber/record_trim.hpp - the memory of records that a burst has left idle goes back.
//
// Records are never unmapped: a stale ticket, a late event or a report may look at one at any time.
// A unit is a few records that fill whole pages. If all of a unit are free, its pages are dropped,
// and read as zeros from then on: a zeroed record has to look like a free one. What tells one life
// of a record from the next (an epoch, a generation) is copied out before, and put back when the
// unit is used again.
//
// TRIM-2  pages are dropped only of records that are free and in nobody's hand; a look at one finds
//         no life, and no ticket or event of an earlier life matches a later one.
//
//   trim_some   1 takes all idle records out of the table, so nobody can be given one of them
//               2 notes which they are, in a set: a bit each
//               3 slab by slab, from the last: drops full units, gives the others back
// Each piece is short. Meanwhile a table that runs dry makes a new slab.
// Rejected: a count of the free ones in each unit (every spawn and every end would touch it);
// highest epoch of a slab for all of it (a record of many parks would bring the others near the
// point at which 32 bits wrap).

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/index_set.hpp"
#include "base/lock_guard.hpp"
#include "fiber/stack_trim.hpp"

namespace weft::detail {

// Table: lock(), which is static, is its lock. With it: idle(), take_idle(), give_idle(list, all),
// dropped(slab, units). Without it: count() of all records in slabs, drop(slab, units). An
// idle_list has pop(), which may be null, and push(record). Units are bits, at most 64 a slab.
template <class Table>
class record_trim final : public trimmed_store {
 public:
  constexpr explicit record_trim(Table& table) noexcept : table_(table) {}

  // ---- by the table
  void note_taken(std::size_t idle) noexcept WEFT_REQUIRES(Table::lock()) {
    lowest_ = std::min(lowest_, idle);
    left_over_ = std::min(left_over_, idle);  // what is idle later is not what the trim left
  }
  void note_given(std::size_t idle) noexcept WEFT_REQUIRES(Table::lock()) {
    if (idle > threshold() && Table::can_drop()) [[unlikely]]
      trim_claim.want();  // [TRIM-1]
  }

  // ---- by the thread that has the claim
  bool has_excess() noexcept override {
    if (!Table::can_drop()) return false;  // nothing helps: the claim is given up
    const base::lock_guard guard(Table::lock());
    return table_.idle() > threshold();
  }
  void end_period() noexcept override {
    const base::lock_guard guard(Table::lock());
    to_trim_ = lowest_ > threshold() ? lowest_ - kept : 0;
    lowest_ = table_.idle();
  }
  bool trim_some() noexcept override {
    switch (phase_) {
      case phase::rest:
        return take();
      case phase::sees:
        return see();
      case phase::sorts:
        return sort();
    }
    return false;
  }

 private:
  enum class phase : std::uint8_t { rest, sees, sorts };
  static constexpr std::size_t kept = 64;
  static constexpr int at_once = 1024;

  // What a trim could not drop, since its units were not full, is not looked at again before it has
  // grown a little. What it was not to drop, because it was in use in the period or came back
  // during the trim, is for the next one.
  [[nodiscard]] std::size_t threshold() const noexcept WEFT_REQUIRES(Table::lock()) {
    return left_over_ + std::max(kept, left_over_ / 32);
  }

  bool take() noexcept {
    if (to_trim_ == 0 || !Table::can_drop()) return false;
    base::unique_lock guard(Table::lock());
    const std::uint32_t n = table_.count();
    guard.unlock();
    if (!found_.reset(n)) return false;  // no memory: in the next period
    guard.lock();
    if (table_.count() == n) {  // else: a moment later
      not_dropped_ = table_.idle();
      idle_ = table_.take_idle();
      at_ = n;
      phase_ = phase::sees;
    }
    return true;
  }
  bool see() noexcept {
    for (int i = 0; i < at_once; ++i) {
      const auto* r = idle_.pop();
      if (r == nullptr) {
        phase_ = phase::sorts;
        break;
      }
      found_.add(r->index);
    }
    return true;
  }
  bool sort() noexcept {
    constexpr std::uint32_t n = Table::slab_records, unit = Table::unit_records;
    at_ -= n;
    std::uint64_t units = 0;
    for (std::uint32_t u = n / unit; u-- > 0;) {
      const std::uint32_t first = at_ + u * unit;
      if (to_trim_ >= unit && found_.has_all(first, unit)) {
        units |= std::uint64_t{1} << u;
        to_trim_ -= unit;
        not_dropped_ -= unit;
        continue;
      }
      for (std::uint32_t i = unit; i-- > 0;)
        if (found_.has(first + i)) kept_.push(Table::at(first + i));
    }
    if (units != 0) table_.drop(at_ / n, units);
    const base::lock_guard guard(Table::lock());
    if (units != 0) table_.dropped(at_ / n, units);
    table_.give_idle(kept_, at_ == 0);
    if (at_ != 0) return true;
    phase_ = phase::rest;
    const bool all_full = to_trim_ < unit;  // it dropped what it was to drop
    left_over_ = all_full ? std::min(not_dropped_, kept + unit) : not_dropped_;
    left_over_ = std::min(left_over_, table_.idle());
    to_trim_ = 0;
    lowest_ = table_.idle();
    found_.free();
    return false;
  }

  Table& table_;
  std::size_t lowest_ WEFT_GUARDED_BY(Table::lock()) = 0;     // idle ones, in this period
  std::size_t left_over_ WEFT_GUARDED_BY(Table::lock()) = 0;  // of the last trim
  // ---- of the claim
  std::size_t to_trim_ = 0;
  std::size_t not_dropped_ = 0;  // of those that the trim has taken
  phase phase_ = phase::rest;
  typename Table::idle_list idle_, kept_;
  base::index_set found_;
  std::uint32_t at_ = 0;
};

}  // namespace weft::detail
