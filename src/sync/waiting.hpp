// SPDX-License-Identifier: BSL-1.0
#pragma once
// sync/waiting.hpp - waiter lists: what every object of this layer is made of. Proofs in README.md.
//
//   waits:                               wakes:
//     waiter me(reason, this);             wake_list out;            // enqueues after the guard
//     waiting_guard g(this);               waiting_guard g(this);
//     ... look at the state; must it? ...  ... change the state ...  // WAIT-3: before the claim
//     push_back(list, me);                 while (waiter* w = pop_front(list))
//     park(g, me, limit)                     if (out.claim(*w)) break;  // false: gave up; the next
//     not ready: lock, unlink if linked
//
// The algorithms are templates over `Env`, which is `waiting_env` here and a model in test/model.
// Rejected: a lock in each object (the last waiter may free the object while its waker still
// unlocks, WAIT-2); enqueueing under the lock (entering weft may park); a lock-free list (a waiter
// that times out must leave its middle).

#include <atomic>
#include <cstdint>
#include <new>
#include <type_traits>

#include <weft/detail/waiting.hpp>

#include "base/cache_line.hpp"
#include "base/futex_lock.hpp"
#include "os/os.hpp"
#include "sched/park.hpp"

namespace weft::detail {

// ---- lists: links only, for any environment; under the guard
// -------------------------------
template <class Link>
bool is_linked(const Link& w) noexcept {
  return w.next != nullptr;
}
template <class Link>
void insert_before(Link& at, std::type_identity_t<Link>& w) noexcept {
  w.next = &at;
  w.prev = at.prev;
  at.prev->next = &w;
  at.prev = &w;
}
template <class List>
void push_back(List& l, typename List::link& w) noexcept {
  insert_before(l.head, w);
}
template <class List>
void push_front(List& l, typename List::link& w) noexcept {
  insert_before(*l.head.next, w);
}
template <class Link>
void unlink(Link& w) noexcept {
  w.prev->next = w.next;
  w.next->prev = w.prev;
  w.next = w.prev = nullptr;
}
template <class Waiter, class List>
Waiter* front(List& l) noexcept {
  return l.empty() ? nullptr : static_cast<Waiter*>(&*l.head.next);
}
template <class Waiter, class List>
Waiter* pop_front(List& l) noexcept {
  Waiter* w = front<Waiter>(l);
  if (w != nullptr) unlink(*w);
  return w;
}
/// Everything, in order; `from` is empty then.
template <class List>
void splice_back(List& to, List& from) noexcept {
  if (from.empty()) return;
  auto* const first = &*from.head.next;
  auto* const last = &*from.head.prev;
  first->prev = to.head.prev;
  to.head.prev->next = first;
  last->next = &to.head;
  to.head.prev = last;
  from.head.next = from.head.prev = &from.head;
}

// ---- a waiter: on its own stack
// ------------------------------------------------------
struct waiter : wait_link {
  waiter(park_reason why, const void* what)
      : wait_link{nullptr, nullptr}, self(this_agent()), reason(why), object(what) {}
  waiter(const waiter&) = delete;
  waiter& operator=(const waiter&) = delete;

  fiber_record& self;
  ticket who;              // set by park
  std::int64_t since = 0;  // for objects that read it
  const park_reason reason;
  bool given = false;  // the waker made this one the owner, or told it before it parked
  bool parks = false;  // for waiters that are in a list before they park
  // if its deadline finds no memory; `starved` then, and its end is a timeout
  bool gives_up = false;
  bool starved = false;
  std::uint8_t kind = 0;            // the object's own
  std::atomic<bool> may_go{false};  // WAIT-4: set by the waker that claimed and held this one
  const void* const object;
};

// ---- the lock of an object's list: one of a few, by address
// ---------------------------------------
struct alignas(base::cache_line) waiting_stripe {
  base::ranked_futex_lock<base::lock_rank::sync_object> lock;
};
inline constexpr unsigned stripe_bits = 8;
extern waiting_stripe waiting_stripes[1U << stripe_bits];

inline waiting_stripe& stripe_of(const void* object) noexcept {
  const std::uint64_t h = (reinterpret_cast<std::uintptr_t>(object) >> 3) * 0x9e3779b97f4a7c15U;
  return waiting_stripes[h >> (64 - stripe_bits)];
}

/// Nothing that enters weft (wake, finish_park) while it is held.
class waiting_guard {
 public:
  explicit waiting_guard(const void* object) noexcept : stripe_(stripe_of(object)) { lock(); }
  waiting_guard(const waiting_guard&) = delete;
  waiting_guard& operator=(const waiting_guard&) = delete;
  ~waiting_guard() {
    if (held_) unlock();
  }
  // Not inline: the lock counts itself in a thread-local, and a caller that parks between two of
  // these goes on on another thread (see this_worker).
  [[gnu::noinline]] void lock() noexcept;
  [[gnu::noinline]] void unlock() noexcept;

 private:
  waiting_stripe& stripe_;
  bool held_ = false;
};

/// Waiters whose wake was won under the lock; they are queued when this is destroyed, after it.
/// Declare it before the guard.
class wake_list {
 public:
  wake_list() = default;
  wake_list(const wake_list&) = delete;
  wake_list& operator=(const wake_list&) = delete;
  ~wake_list() { flush(); }

  /// `w` is in no list any more. True: it will return from park with `code`, and may already have;
  /// do not touch it again, unless it waits to be let go [WAIT-4]. False: it gave up before, and is
  /// still inside its call until the guard is released; or it is left behind, and never returns.
  bool claim(waiter& w, wake_code code = wake_code::ready) noexcept {
    fiber_record& f = w.self;
    const wake_duty duty = f.word.wake(w.who.epoch(), code);
    if (duty == wake_duty::enqueue) {
      f.link = nullptr;
      *end_ = &f;
      end_ = &f.link;
    }
    return duty != wake_duty::stale;
  }
  void flush() noexcept {
    fiber_record* f = first_;
    first_ = nullptr;
    end_ = &first_;
    while (f != nullptr) {
      fiber_record* const next = f->link;
      enqueue(*f);
      f = next;
    }
  }

 private:
  fiber_record* first_ = nullptr;
  fiber_record** end_ = &first_;
};

/// What the templates need of the world.
struct waiting_env {
  template <class T>
  using atomic = std::atomic<T>;
  using waiter = detail::waiter;
  using wait_list = detail::wait_list;
  using guard = waiting_guard;
  using wake_list = detail::wake_list;
  using limit = wait_limit;
  static constexpr int at_once = 64;  // claims, before others are let in at the guard

  static std::int64_t now() noexcept { return os::now_ns(); }
  static bool is_over(const limit& l) noexcept;
  /// Releases the guard and waits. Returns ready if the waiter was claimed.
  static wait_end park(guard& g, waiter& w, const limit& l);
};

// ---- an entry point whose wait can be withdrawn as if its time were over: without memory it
// throws instead, and nothing has changed. (A wait that cannot be withdrawn keeps its deadline on
// its stack, in a list that is searched [TIMER-4]: that is for few.)
[[nodiscard]] inline bool has_succeeded(bool locked) noexcept { return locked; }
[[nodiscard]] inline bool has_succeeded(wait_end end) noexcept { return end == wait_end::ready; }
template <class Wait>
auto wait_or_throw(waiter& me, Wait&& wait) {
  me.gives_up = true;
  const auto end = wait();
  if (me.starved && !has_succeeded(end)) [[unlikely]]
    throw std::bad_alloc();
  return end;
}

// ---- the two halves most objects need
// -------------------------------------------------------------

/// Waits in `list` unless done(), which is called under the guard. `object` selects the lock.
template <class Env, class Done>
wait_end wait_unless(typename Env::waiter& me, typename Env::wait_list& list, const void* object,
                     const typename Env::limit& limit, Done&& done) {
  typename Env::guard g(object);
  if (done()) return wait_end::ready;
  if (Env::is_over(limit)) return wait_end::timeout;
  push_back(list, me);
  const wait_end end = Env::park(g, me, limit);
  if (end == wait_end::ready) return end;
  typename Env::guard again(object);
  if (is_linked(me)) unlink(me);
  return end;
}

// WAIT-4, for an object whose state says how many were let through: the waker claims first, into a
// list of its own, writes the object when it knows whom it has won, and lets them go. Until then
// none of them returns, so the object stays.
template <class Env>
void let_go(typename Env::wait_list& held) noexcept {
  while (auto* w = pop_front<typename Env::waiter>(held))
    w->may_go.store(true, std::memory_order_release);  // [WAIT-4] the last touch
}
/// After a park that ended ready. One that had left its stack is queued after the guard, and finds
/// it set.
template <class Env>
void wait_to_be_let_go(typename Env::waiter& me, const void* object) noexcept {
  if (me.may_go.load(std::memory_order_acquire)) return;  // [WAIT-4] let_go
  const typename Env::guard g(object);                    // its waker has it until then
}

/// After the `n`th claim of a long list: now and then the lock is released.
template <class Env>
void let_others_in(typename Env::guard& g, typename Env::wake_list& out, int n) {
  if (n % Env::at_once != 0) return;
  g.unlock();
  out.flush();
  g.lock();
}

/// Wakes all waiters in `local`, which was taken from the object under `g`; releases the lock now
/// and then. Waiters that give up meanwhile leave `local` by themselves.
template <class Env>
void wake_all(typename Env::guard& g, typename Env::wake_list& out,
              typename Env::wait_list& local) {
  for (int n = 1; auto* w = pop_front<typename Env::waiter>(local); ++n) {
    out.claim(*w);
    let_others_in<Env>(g, out, n);
  }
}

}  // namespace weft::detail
