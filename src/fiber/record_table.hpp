// SPDX-License-Identifier: BSL-1.0
#pragma once
// fiber/record_table.hpp - where all records are: slabs of them, by index (record.cpp). A debugger
// finds it by debug/debug_offsets.cpp.

#include <atomic>
#include <cstdint>

#include "base/futex_lock.hpp"

namespace weft::detail {

struct fiber_record;

struct record_table {
  static constexpr std::uint32_t slab_bits = 10;
  static constexpr std::uint32_t max_slabs = 1u << 16;

  std::atomic<fiber_record*> slabs[max_slabs];  // release by carve, acquire by record_at [REC-1]
  // one past the last index handed out; 0 is no record
  std::atomic<std::uint32_t> count{1};
  base::ranked_futex_lock<base::lock_rank::stack_pool> lock;
  std::uint32_t carved WEFT_GUARDED_BY(lock) = 0;  // slabs
};
extern constinit record_table all_records;

}  // namespace weft::detail
