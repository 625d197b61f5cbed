// SPDX-License-Identifier: BSL-1.0
// sync/lock_owner.cpp - see the header.
#include "sync/lock_owner.hpp"

#include <weft/mutex.hpp>
#include <weft/shared_mutex.hpp>

#include "sync/waiting.hpp"

namespace weft::detail {

lock_owner read_owner(const void* mutex, fiber_record& waiter, std::uint64_t word) noexcept {
  const waiting_guard guard(mutex);
  if (waiter.word.snapshot() != word) return {};
  const auto& m = *static_cast<const mutex_state*>(mutex);
  const std::uint32_t w = m.word.load(std::memory_order_acquire);  // [MUTEX-5] take_note
  if ((w & mutex_state::locked) == 0) return {};
  if ((w & mutex_state::owned) != 0)
    return {static_cast<fiber_record*>(m.owner.load(std::memory_order_relaxed)), nullptr};
  return {nullptr, m.locked_at.load(std::memory_order_relaxed)};
}

shared_owner read_shared_owner(const void* mutex, fiber_record& waiter,
                               std::uint64_t word) noexcept {
  const waiting_guard guard(mutex);
  if (waiter.word.snapshot() != word) return {};
  const auto& m = *static_cast<const shared_mutex_state*>(mutex);
  // [RW-5] shared_mutex_note_writer
  const std::uint32_t w = m.word.load(std::memory_order_acquire);
  if ((w & shared_mutex_state::writer) == 0)
    return {false, w / shared_mutex_state::reader, nullptr, nullptr};
  if ((w & shared_mutex_state::owned) != 0)
    return {true, 0, static_cast<fiber_record*>(m.writer_is.load(std::memory_order_relaxed)),
            nullptr};
  // null: it was let in just now, and has not said so yet
  return {true, 0, nullptr, m.locked_at.load(std::memory_order_relaxed)};
}

}  // namespace weft::detail
