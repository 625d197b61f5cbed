// SPDX-License-Identifier: BSL-1.0
// sync/mutex.cpp - the entry points of mutex.hpp, and what is checked where assertions are on.
#include <weft/mutex.hpp>
#include <weft/recursive_mutex.hpp>

#include <cstdio>

#include "base/check.hpp"
#include "sync/lock_history.hpp"
#include "sync/misuse.hpp"
#include "sync/mutex_core.hpp"

namespace weft::detail {
namespace {

constexpr auto locked = mutex_state::locked, owned = mutex_state::owned;

std::string name(const mutex_state& m) {
  char text[40];
  std::snprintf(text, sizeof text, "the mutex at %p", static_cast<const void*>(&m));
  return text;
}
std::string name(void* owner) {
  return owner != nullptr ? agent_name(*static_cast<fiber_record*>(owner)) : "somebody";
}

// `frame`: of the entry point that was called from `from`.
void take_note(mutex_state& m, fiber_record& self, const void* from, const void* frame) noexcept {
  remember_lock(&m, self, frame);
  m.owner.store(&self, std::memory_order_relaxed);
  m.locked_at.store(from, std::memory_order_relaxed);
  m.word.fetch_or(owned, std::memory_order_release);  // [MUTEX-5] readers of the owner
}

}  // namespace

bool mutex_lock(mutex_state& m, const wait_limit& limit) {
  waiter me(park_reason::mutex, &m);
  return wait_or_throw(me, [&] { return lock_contended<waiting_env>(m, me, limit); });
}

void pass_on_mutex(const void* mutex) noexcept {
  pass_on<waiting_env>(*static_cast<mutex_state*>(const_cast<void*>(mutex)));
}

void mutex_lock_politely(mutex_state& m) {
  mutex_unlock(m);
  yield_if_requested();  // MUTEX-4: whether or not anybody asked
  mutex_lock(m, {});
}

void mutex_unlock(mutex_state& m) noexcept {
  WEFT_ASSERT((m.word.load(std::memory_order_relaxed) & locked) != 0,
              "unlock of a mutex that nobody has locked");
  unlock_contended<waiting_env>(m);
}

[[gnu::noinline]] bool mutex_try_lock_checked(mutex_state& m) noexcept {
  yield_if_requested_slow();
  if ((m.word.fetch_or(locked, std::memory_order_acquire) & locked) != 0)
    return false;  // [MUTEX-1]
  take_note(m, this_agent(), __builtin_return_address(0), __builtin_frame_address(0));
  return true;
}

[[gnu::noinline]] bool mutex_lock_checked(mutex_state& m, const wait_limit& limit) {
  yield_if_requested_slow();
  fiber_record& self = this_agent();
  std::uint32_t before = m.word.fetch_or(locked, std::memory_order_acquire);  // [MUTEX-1]
  if ((before & (locked | mutex_state::hurry)) == mutex_state::hurry) {
    unlock_contended<waiting_env>(m);
    yield_if_requested();                                         // MUTEX-4
    before = m.word.fetch_or(locked, std::memory_order_acquire);  // [MUTEX-1]
  }
  if ((before & locked) != 0) {
    const bool known =
        (m.word.load(std::memory_order_acquire) & owned) != 0;  // [MUTEX-5] take_note
    if (known && limit.deadline == wait_limit::time_point::max() && limit.stop == nullptr &&
        m.owner.load(std::memory_order_relaxed) == &self)
      report_misuse(
          "deadlock: " + agent_name(self) + " locks " + name(m) + ", which it has locked already",
          "it locked it first by", &m, m.locked_at.load(std::memory_order_relaxed));
    if (!mutex_lock(m, limit)) return false;
  }
  take_note(m, self, __builtin_return_address(0), __builtin_frame_address(0));
  return true;
}

void mutex_unlock_checked(mutex_state& m) noexcept {
  const std::uint32_t w = m.word.load(std::memory_order_relaxed);
  fiber_record& self = this_agent();
  if ((w & locked) == 0)
    report_misuse(agent_name(self) + " unlocks " + name(m) + ", which nobody has locked");
  if ((w & owned) != 0) {  // else it was locked by code without assertions
    void* const owner = m.owner.load(std::memory_order_relaxed);
    if (owner != &self)
      report_misuse(
          agent_name(self) + " unlocks " + name(m) + ", which " + name(owner) + " has locked",
          "its owner locked it by", &m, m.locked_at.load(std::memory_order_relaxed));
    m.owner.store(nullptr, std::memory_order_relaxed);
    m.word.fetch_and(~owned, std::memory_order_relaxed);
  }
  unlock_contended<waiting_env>(m);
}

void mutex_destroy_checked(mutex_state& m) noexcept {
  const std::uint32_t w = m.word.load(std::memory_order_relaxed);
  if (!m.waiters.empty()) destroyed_while_waited_for(m.waiters);
  if ((w & locked) != 0)
    report_misuse(
        name(m) + " is destroyed while " +
            ((w & owned) != 0 ? name(m.owner.load(std::memory_order_relaxed)) : "somebody") +
            " has it locked",
        "it was locked by", &m,
        (w & owned) != 0 ? m.locked_at.load(std::memory_order_relaxed) : nullptr);
}

void* agent_key() { return &this_agent(); }

void recursive_unlock_by_stranger(const void* mutex, void* owner) noexcept {
  char where[24];
  std::snprintf(where, sizeof where, "%p", mutex);
  const std::string what =
      agent_name(this_agent()) + " unlocks the recursive_mutex at " + where + ", which ";
  if (owner == nullptr) report_misuse(what + "nobody has locked");
  report_misuse(what + agent_name(*static_cast<fiber_record*>(owner)) + " has locked",
                "its owner locked it by", mutex, nullptr);
}

}  // namespace weft::detail
