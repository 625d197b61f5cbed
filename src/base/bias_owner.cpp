// SPDX-License-Identifier: BSL-1.0
// base/bias_owner.cpp - the owners that no processor has.
#include "base/bias_owner.hpp"

#include <utility>

#include "base/futex_lock.hpp"

namespace weft::base {
namespace {

constinit futex_lock free_lock;
constinit bias_owner* first_free WEFT_GUARDED_BY(free_lock) = nullptr;

bias_owner* take() {
  {
    const lock_guard guard(free_lock);
    if (first_free != nullptr) return std::exchange(first_free, first_free->next_free);
  }
  return new bias_owner;
}

}  // namespace

bias_slot::bias_slot() : owner_(take()) {}
bias_slot::~bias_slot() {
  const lock_guard guard(free_lock);
  owner_->next_free = first_free;
  first_free = owner_;
}

}  // namespace weft::base
