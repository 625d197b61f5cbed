// SPDX-License-Identifier: BSL-1.0
#pragma once
// base/bias_owner.hpp - where a processor notes which lock it holds by its bias
// (sync/biased_lock.hpp).
//
// A revoker looks here, perhaps when the processor is long gone. So owners are never freed, but
// pass from one processor to the next. A new processor inherits what is still biased to its owner.
// That is correct: BIAS-1 is about the owner, and a processor gives it back outside every lock.

#include <atomic>

#include "base/cache_line.hpp"
#include "base/sync_policy.hpp"

namespace weft::base {

template <class Env = real_sync>
struct alignas(cache_line) basic_bias_owner {
  // the lock; written by the holder of the processor that has this owner
  typename Env::template atomic<const void*> inside{nullptr};
  basic_bias_owner* next_free = nullptr;
};
using bias_owner = basic_bias_owner<>;

/// One for the lifetime of the object. Throws std::bad_alloc.
class bias_slot {
 public:
  bias_slot();
  ~bias_slot();
  bias_slot(const bias_slot&) = delete;
  bias_slot& operator=(const bias_slot&) = delete;
  [[nodiscard]] bias_owner* owner() const noexcept { return owner_; }

 private:
  bias_owner* const owner_;
};

}  // namespace weft::base
