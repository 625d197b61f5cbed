// SPDX-License-Identifier: BSL-1.0
#pragma once
// base/bias_owner.hpp - where a processor says which lock it is in by its bias
// (sync/biased_lock.hpp).
//
// Whoever revokes a bias looks here, perhaps when the processor is long gone: so owners are never
// freed, but go from one processor to the next. A new processor inherits what is still biased to
// its owner, and may: BIAS-1 is about the owner, and a processor gives it back outside every lock.

#include <atomic>

#include "base/cache_line.hpp"
#include "base/sync_policy.hpp"

namespace weft::base {

template <class Env = real_sync>
struct alignas(cache_line) basic_bias_owner {
  // the lock; written by who stands for this owner
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
