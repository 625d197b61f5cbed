// SPDX-License-Identifier: BSL-1.0
#pragma once
// sync/biased_lock.hpp - a lock that costs its most frequent user no locked instruction.
//
//   by word:  lock    lock the word; if it is biased to another owner, revoke
//             unlock  count; perhaps take the bias
//   by bias:  lock    1 inside = this lock   2 light fence [BIAS-1]   3 the bias is mine: locked
//             unlock  inside = null
//   revoke:   1 bias = null   2 heavy fence [BIAS-1]   3 wait until its owner is not inside
//
//   BIAS-1  one holder: by bias, or by word with the bias null or its own.
//   BIAS-2  what one holder wrote, the next one sees.
//   BIAS-3  bias_ is written by the holder of the word, and becomes an owner only by that owner
//           itself.
//
// An owner stands for a processor, and its holder uses it inside weft: one at a time, and never two
// locks by bias (an agent that needs several locks takes them by word). A processor that has had
// the lock a few hundred times in a row gets the bias. A revocation costs a membarrier, as much as
// that many locked instructions, and each makes the lock twice as reluctant. So all revocations
// together never cost more than the bias has saved. Measured: 4 producers and 4 consumers on one
// worker, 31 ns an item by word, 21 by bias.
// Rejected: bias at the first use, as the JVM had it (a channel made here and used there would pay
// at once); bias to threads (a fiber's processor stays when its thread blocks).

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/bias_owner.hpp"
#include "base/thread_safety.hpp"
#include "sync/channel_lock.hpp"

namespace weft::detail {

struct biased_lock_env : channel_lock_env {
  static constexpr std::uint32_t first_need = 256;
  using owner = base::bias_owner;
  static bool bias_pays() noexcept {
    // relaxed: either answer is right. Under TSan to have it tested.
    return WEFT_TSAN || os::light_fence_is_weak.load(std::memory_order_relaxed);
  }
  /// An owner takes nanoseconds, unless its thread has lost its CPU.
  static void await_owner(int round) noexcept;
};

enum class held_by : bool { word, bias };

template <class Env = biased_lock_env>
class WEFT_CAPABILITY("lock") basic_biased_lock {
 public:
  using owner = typename Env::owner;

  constexpr basic_biased_lock() noexcept = default;

  /// `me`: the caller's processor, inside weft; null: it has none. unlock wants the answer, and the
  /// same `me`.
  [[nodiscard]] held_by lock(owner* me) WEFT_ACQUIRE() {
    // relaxed, twice: only `me` itself makes it `me` (BIAS-3); what matters is to see that it is
    // that no more [BIAS-1].
    if (me != nullptr && bias_.load(std::memory_order_relaxed) == me) {
      // [BIAS-2] revoke may see this one, and not the null before
      me->inside.store(this, std::memory_order_release);
      Env::light_fence();  // [BIAS-1] heavy_fence in revoke
      if (bias_.load(std::memory_order_relaxed) == me) [[likely]]
        return held_by::bias;
      me->inside.store(nullptr, std::memory_order_release);
    }
    lock_word(me);
    return held_by::word;
  }
  void lock_word(owner* me) WEFT_ACQUIRE() {
    word_.lock();
    owner* const other = bias_.load(std::memory_order_relaxed);  // under the word
    if (other != nullptr && other != me) [[unlikely]]
      revoke(*other);
  }
  void unlock(held_by how, owner* me) WEFT_RELEASE() {
    if (how == held_by::bias)
      me->inside.store(nullptr, std::memory_order_release);  // [BIAS-2] revoke
    else
      unlock_word(me);
  }
  void unlock_word(owner* me) WEFT_RELEASE() {
    if (last_ != me) {
      last_ = me;
      in_a_row_ = 0;
    } else if (me != nullptr && ++in_a_row_ == need_) {
      in_a_row_ = 0;
      if (Env::bias_pays()) bias_.store(me, std::memory_order_relaxed);
    }
    word_.unlock();
  }

 private:
  [[gnu::noinline]] void revoke(owner& other) WEFT_REQUIRES(word_) {
    bias_.store(nullptr, std::memory_order_relaxed);
    // [BIAS-1] light_fence in lock
    Env::heavy_fence();
    // [BIAS-2] unlock
    for (int round = 0; other.inside.load(std::memory_order_acquire) == this; ++round)
      Env::await_owner(round);
    need_ = std::min(2 * need_, std::uint32_t{1} << 30);
  }

  basic_channel_lock<Env> word_;
  typename Env::template atomic<owner*> bias_{nullptr};
  owner* last_ WEFT_GUARDED_BY(word_) = nullptr;
  std::uint32_t in_a_row_ WEFT_GUARDED_BY(word_) = 0;
  std::uint32_t need_ WEFT_GUARDED_BY(word_) = Env::first_need;
};

}  // namespace weft::detail
