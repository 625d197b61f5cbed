// SPDX-License-Identifier: BSL-1.0
// sync/shared_mutex.cpp - the entry points of shared_mutex.hpp, and what is checked where
// assertions are on.
#include "sync/shared_mutex_core.hpp"

#include <cstdio>

#include <weft/shared_mutex.hpp>

#include "sync/lock_history.hpp"
#include "sync/misuse.hpp"

namespace weft::detail {
namespace {

std::string name(const shared_mutex_state& m) {
  char text[48];
  std::snprintf(text, sizeof text, "the shared_mutex at %p", static_cast<const void*>(&m));
  return text;
}
// Null: no owner, or one whose lock was taken by code without assertions.
fiber_record* writer_of(const shared_mutex_state& m) noexcept {
  // [RW-5]
  if ((m.word.load(std::memory_order_acquire) & shared_mutex_state::owned) == 0) return nullptr;
  return static_cast<fiber_record*>(m.writer_is.load(std::memory_order_relaxed));
}
const void* locked_at(const shared_mutex_state& m) noexcept {
  return m.locked_at.load(std::memory_order_relaxed);
}

}  // namespace

bool shared_mutex_lock(shared_mutex_state& m, sharing how, const wait_limit& limit) {
  yield_if_requested_slow();
  waiter me(park_reason::shared_mutex, &m);
  me.kind = static_cast<std::uint8_t>(how);
  return wait_or_throw(me, [&] { return lock_queued<waiting_env>(m, me, limit); });
}

void shared_mutex_unlock(shared_mutex_state& m, sharing how) noexcept {
  unlock_queued<waiting_env>(m, how);
}

void shared_mutex_check_lock(const shared_mutex_state& m) {
  fiber_record& self = this_agent();
  if (writer_of(m) == &self)
    report_misuse(
        "deadlock: " + agent_name(self) + " locks " + name(m) + ", which it has locked already",
        "it locked it first by", &m, locked_at(m));
}

void shared_mutex_note_writer(shared_mutex_state& m) {
  fiber_record& self = this_agent();
  remember_lock(&m, self, __builtin_frame_address(0));
  m.writer_is.store(&self, std::memory_order_relaxed);
  m.word.fetch_or(shared_mutex_state::owned, std::memory_order_release);  // [RW-5] writer_of
  // not before: it would be taken for a place on a stack
  m.locked_at.store(__builtin_return_address(0), std::memory_order_relaxed);
}

void shared_mutex_check_unlock(shared_mutex_state& m, sharing how) {
  fiber_record& self = this_agent();
  const std::uint32_t w = m.word.load(std::memory_order_relaxed);
  if (how == sharing::shared) {
    if (w < shared_mutex_state::reader)
      report_misuse(agent_name(self) + " unlocks " + name(m) + ", which nobody has locked shared");
    return;
  }
  if ((w & shared_mutex_state::writer) == 0)
    report_misuse(agent_name(self) + " unlocks " + name(m) +
                  ", which nobody has locked exclusively");
  fiber_record* const writer = writer_of(m);
  if (writer != nullptr && writer != &self)
    report_misuse(
        agent_name(self) + " unlocks " + name(m) + ", which " + agent_name(*writer) + " has locked",
        "its owner locked it by", &m, locked_at(m));
  m.locked_at.store(nullptr, std::memory_order_relaxed);
  if (writer == nullptr) return;
  m.writer_is.store(nullptr, std::memory_order_relaxed);
  m.word.fetch_and(~shared_mutex_state::owned, std::memory_order_relaxed);
}

void shared_mutex_check_destroy(const shared_mutex_state& m) noexcept {
  if (!m.waiters.empty()) destroyed_while_waited_for(m.waiters);
  if (m.word.load(std::memory_order_relaxed) == 0) return;
  fiber_record* const writer = writer_of(m);
  report_misuse(name(m) + " is destroyed while " +
                    (writer != nullptr ? agent_name(*writer) : "somebody") + " has it locked",
                "it was locked by", &m, writer != nullptr ? locked_at(m) : nullptr);
}

}  // namespace weft::detail
