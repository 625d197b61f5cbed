// SPDX-License-Identifier: BSL-1.0
// sync/select.cpp - one ticket in many wait lists; winning its wake is taking the case.
//
//   1  look, without a lock: of the cases that seem ready take one at random, under its own lock;
//      if it was not ready, the next
//   2  if there is a default: all channels' locks, if there are several, and look again; then the
//      default
//   3  all channels' locks, by address: look again; if none is ready: begin_park, a waiter into
//      every queue, unlock
//   4  the other sources get the ticket, too; if one is ready by now: cancel the park, go to 1
//   5  park; the winner of the wake tells the case by its code, and has moved the value
//   6  out of all the other queues
//
// A select that could be claimed itself claims nothing: it does so in 1 and 3 only, before its
// ticket is out. So two selects that want each other cannot both think they have won (SELECT-1,
// README.md). SELECT-2: sources other than channels stay ready (a fiber that has ended, a time that
// has come, a descriptor): they only wake the select, and step 1 takes them.
// Rejected: claiming with the ticket out, one lock at a time (two selects can cancel each other for
// ever).
#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>

#include <weft/detail/select.hpp>
#include <weft/detail/timer_state.hpp>

#include "base/lock_guard.hpp"
#include "base/rng.hpp"
#include "net/readiness.hpp"
#include "os/os.hpp"
#include "sync/channel_core.hpp"
#include "sync/waiting.hpp"

namespace weft::detail {
namespace {

constexpr std::size_t most_cases = 0xffff - static_cast<std::size_t>(wake_code::first_free);
constexpr std::size_t few = 16;

template <class T>
class small_array {  // of n, on the stack if few
 public:
  explicit small_array(std::size_t n)
      : at_(n <= few ? here_ : (far_ = std::make_unique<T[]>(n)).get()) {}
  T& operator[](std::size_t i) noexcept { return at_[i]; }
  T* data() noexcept { return at_; }

 private:
  T here_[few];
  std::unique_ptr<T[]> far_;
  T* at_;
};

struct wake_with_code {
  ticket who;
  wake_code code;
  void operator()() const noexcept { wake_from_callback(who, code); }
};

// A case while the select waits.
struct select_waiter {
  channel_waiter in_channel;
  channel_lock* lock = nullptr;
  std::optional<std::stop_callback<wake_with_code>> on_stop;
  std::optional<waiter> in_timer;
};

std::size_t random_below(std::size_t n) noexcept {
  if (worker* w = this_worker()) return w->random.below(static_cast<std::uint32_t>(n));
  static constinit std::atomic<std::uint64_t> seed{0};
  // relaxed: any will do
  std::uint64_t s = seed.fetch_add(0x9e3779b97f4a7c15U, std::memory_order_relaxed);
  return base::splitmix64(s) % n;
}

channel_core& channel_of(const select_case& c) noexcept {
  return *static_cast<channel_core*>(c.object);
}
timer_state& timer_of(const select_case& c) noexcept {
  return *static_cast<timer_state*>(c.object);
}
fiber_record& child_of(const select_case& c) noexcept {
  return record_of(*static_cast<task*>(c.object));
}
bool is_channel(const select_case& c) noexcept {
  return c.kind == case_kind::receive || c.kind == case_kind::send;
}
waiter_queue& queue_of(const select_case& c) noexcept WEFT_REQUIRES(channel_of(c).lock()) {
  return c.kind == case_kind::receive ? channel_of(c).receivers() : channel_of(c).senders();
}
bool is_readiness(const select_case& c) noexcept {
  return c.kind == case_kind::readable || c.kind == case_kind::writable;
}
readiness_source source_of(const select_case& c) noexcept {
  return {static_cast<poll_descriptor*>(c.object), c.number,
          c.kind == case_kind::readable ? direction::read : direction::write};
}
wake_code code_of(std::size_t index) noexcept {
  return static_cast<wake_code>(static_cast<std::size_t>(wake_code::first_free) + index);
}
bool seems_ready(select_case& c, std::int64_t& now) noexcept {
  switch (c.kind) {
    case case_kind::receive:
      return channel_of(c).may_get();
    case case_kind::send:
      return channel_of(c).may_put();
    case case_kind::join:
      return child_of(c).join.is_done() || child_of(c).join.is_left_behind();  // join says which
    case case_kind::stop:
      return static_cast<const std::stop_token*>(c.object)->stop_requested();
    case case_kind::deadline:
      if (now == 0) now = os::now_ns();
      return steady_ns(c.deadline) <= now;
    case case_kind::timer:
      return true;  // take looks, under the lock
    case case_kind::readable:
    case case_kind::writable:
      return is_ready(source_of(c), c.seen);
    case case_kind::fallback:
    case case_kind::never:
      break;
  }
  return false;
}

bool pass_value(select_case& c, claimed_list& out) WEFT_REQUIRES(channel_of(c).lock()) {
  const channel_step step = c.kind == case_kind::receive ? channel_of(c).get(c.value, out)
                                                         : channel_of(c).put(c.value, out);
  c.end = step == channel_step::closed ? channel_status::closed : channel_status::success;
  return step != channel_step::blocked;
}

bool take(select_case& c) {
  if (c.kind == case_kind::timer) return timer_take(timer_of(c));
  if (!is_channel(c)) return true;
  channel_guard g(channel_of(c));
  return pass_value(c, g.out);
}

// Step 1.
std::optional<std::size_t> take_ready(std::span<select_case* const> cases) {
  small_array<std::uint16_t> ready(cases.size());
  std::size_t n = 0;
  std::int64_t now = 0;
  for (std::size_t i = 0; i < cases.size(); ++i)
    if (seems_ready(*cases[i], now)) ready[n++] = static_cast<std::uint16_t>(i);
  while (n > 0) {
    const std::size_t k = n == 1 ? 0 : random_below(n);
    if (take(*cases[ready[k]])) return ready[k];
    ready[k] = ready[--n];
  }
  return std::nullopt;
}

// The locks of all channels, each once, by address. A number of locks is nothing that the analysis
// can follow, here and in those that have such a set.
class lock_set {
 public:
  explicit lock_set(std::span<select_case* const> cases) : locks_(cases.size()) {
    for (select_case* c : cases)
      if (is_channel(*c)) locks_[n_++] = &channel_of(*c).lock();
    std::sort(locks_.data(), locks_.data() + n_);
    n_ = static_cast<std::size_t>(std::unique(locks_.data(), locks_.data() + n_) - locks_.data());
  }
  lock_set(const lock_set&) = delete;
  lock_set& operator=(const lock_set&) = delete;
  ~lock_set() {
    if (held_) unlock();
  }
  void lock() noexcept WEFT_NO_THREAD_SAFETY_ANALYSIS {  // inside weft, until after unlock
    enter_channel_rank();
    owner_ = bias_owner_of(this_worker());
    for (std::size_t i = 0; i < n_; ++i) locks_[i]->lock_word(owner_);  // several: not by bias
    held_ = true;
  }
  void unlock() noexcept WEFT_NO_THREAD_SAFETY_ANALYSIS {
    held_ = false;
    while (n_ > 0) locks_[--n_]->unlock_word(owner_);
    leave_channel_rank();
  }

 private:
  small_array<channel_lock*> locks_;
  base::bias_owner* owner_ = nullptr;
  std::size_t n_ = 0;
  bool held_ = false;
};

// The waits of the cases that are descriptors, in their order. Made before the ticket is, because
// it may throw.
class readiness_set {
 public:
  explicit readiness_set(std::span<select_case* const> cases) {
    const auto n = static_cast<std::size_t>(std::count_if(
        cases.begin(), cases.end(), [](const select_case* c) { return is_readiness(*c); }));
    if (n == 0) [[likely]]
      return;
    waits_ = std::make_unique<readiness_wait[]>(n);
    std::size_t i = 0;
    for (const select_case* c : cases)
      if (is_readiness(*c)) waits_[i++].prepare(source_of(*c), c->seen);
  }
  [[nodiscard]] bool arm_next(ticket t) noexcept { return waits_[next_++].arm(t); }

 private:
  std::unique_ptr<readiness_wait[]> waits_;
  std::size_t next_ = 0;
};

// Inside weft, until this dies: see channel_guard::unlock_to_park.
struct inside_weft {
  inside_weft() = default;
  inside_weft(const inside_weft&) = delete;
  inside_weft& operator=(const inside_weft&) = delete;
  ~inside_weft() {
    if (on_worker) leave(*this_worker());
  }
  const bool on_worker = enter() != nullptr;  // whichever
};

// Queues the waiters that the select has claimed, however the block is left [CHAN-6]. Inside weft;
// declared before the locks.
struct claims : claimed_list {
  claims() = default;
  claims(const claims&) = delete;
  claims& operator=(const claims&) = delete;
  ~claims() {
    worker* const w = this_worker();
    flush(w != nullptr && w->gate.inside() ? w : nullptr);
  }
};

// Step 4 for one case that is no channel. False: it is ready.
bool arm(select_waiter& s, std::span<select_case* const> cases, std::size_t index, ticket t,
         std::int64_t& until, readiness_set& descriptors) {
  const select_case& c = *cases[index];
  switch (c.kind) {
    case case_kind::join:
      for (std::size_t i = 0; i < index; ++i)  // a word has room for one
        if (cases[i]->kind == case_kind::join && cases[i]->object == c.object) return true;
      return child_of(c).join.wait_on(t.bits);
    case case_kind::stop:  // calls back here and now if it was requested: then the wake is won
      s.on_stop.emplace(*static_cast<const std::stop_token*>(c.object),
                        wake_with_code{t, code_of(index)});
      return true;
    case case_kind::deadline:
      until = std::min(until, steady_ns(c.deadline));
      return true;
    case case_kind::timer: {
      timer_state& a = timer_of(c);
      waiter& w = s.in_timer.emplace(park_reason::select, &a);
      w.who = t;
      const base::lock_guard guard(stripe_of(&a).lock);
      push_back(a.waiters, w);
      // TIMEOUT-2: a call that moves it wakes us
      if (a.due < timer_state::latest) until = std::min(until, a.due);
      return true;
    }
    case case_kind::readable:
    case case_kind::writable:
      return descriptors.arm_next(t);
    default:
      return true;
  }
}

// Step 6. The channel of the case that was taken may be gone; `taken` is beyond the end if none
// was.
void disarm(small_array<select_waiter>& at, std::span<select_case* const> cases, ticket t,
            std::size_t taken) {
  for (std::size_t i = 0; i < cases.size(); ++i) {
    select_waiter& s = at[i];
    const select_case& c = *cases[i];
    if (is_channel(c)) {
      if (i == taken) continue;
      const channel_guard g(channel_of(c));
      if (s.in_channel.linked) queue_of(c).unlink(s.in_channel);
    } else if (c.kind == case_kind::join) {
      child_of(c).join.leave(t.bits);
    } else if (s.in_timer) {
      waiting_guard g(&timer_of(c));
      if (is_linked(*s.in_timer)) unlink(*s.in_timer);
    }
    s.on_stop.reset();  // waits for its end, if it runs elsewhere
  }
}

// Under all locks: the first channel that has something, from `first` on; beyond the end if none
// has.
std::size_t take_first(std::span<select_case* const> cases, std::size_t first,
                       claimed_list& out) WEFT_NO_THREAD_SAFETY_ANALYSIS {
  for (std::size_t k = 0, i = first; k < cases.size(); ++k) {
    if (is_channel(*cases[i]) && pass_value(*cases[i], out)) return i;
    if (++i == cases.size()) i = 0;
  }
  return cases.size();
}

// The same.
void join_queue(const select_case& c, channel_waiter& w) noexcept WEFT_NO_THREAD_SAFETY_ANALYSIS {
  queue_of(c).push_back(w);
}

// Step 2: nothing was found in one channel after the other. That is not to say that at some moment
// none had anything: an item may have come to the first while the second was emptied.
[[gnu::noinline]] std::optional<std::size_t> take_at_one_moment(
    std::span<select_case* const> cases) {
  const inside_weft inside;
  claims out;
  lock_set locks(cases);
  locks.lock();
  const std::size_t taken = take_first(cases, random_below(cases.size()), out);
  return taken == cases.size() ? std::nullopt : std::optional(taken);
}

// Steps 3 to 6. Nothing: look again.
[[gnu::noinline]] std::optional<std::size_t> wait_for_one(std::span<select_case* const> cases) {
  small_array<select_waiter> at(cases.size());
  readiness_set descriptors(cases);
  ticket t;
  wake_code code = wake_code::ready;
  {
    fiber_record& self = this_agent();
    const inside_weft inside;
    {
      claims out;
      lock_set locks(cases);
      locks.lock();
      const std::size_t first = random_below(cases.size());
      const std::size_t taken = take_first(cases, first, out);
      if (taken != cases.size()) return taken;
      t = begin_park(self, park_reason::select, &cases);  // read_select
      // From `first` on, too: of two cases in one queue, the other side would always serve the one
      // that joined first.
      for (std::size_t k = 0, i = first; k < cases.size();
           ++k, i = i + 1 == cases.size() ? 0 : i + 1) {
        if (!is_channel(*cases[i])) continue;
        channel_waiter& w = at[i].in_channel;
        w.self = &self;
        w.epoch = t.epoch();
        w.code = code_of(i);
        w.value = cases[i]->value;
        at[i].lock = &channel_of(*cases[i]).lock();
        join_queue(*cases[i], w);
      }
    }
    std::int64_t until = timer_queue::never;
    bool all_armed = true;
    for (std::size_t i = 0; i < cases.size() && all_armed; ++i)
      all_armed = arm(at[i], cases, i, t, until, descriptors);
    if (all_armed)
      code = finish_park(self, until);
    else if (!cancel_park(self))
      code = self.word.code();
  }
  std::size_t taken = cases.size();
  bool again = true;
  if (code >= wake_code::first_free) {
    taken = static_cast<std::size_t>(code) - static_cast<std::size_t>(wake_code::first_free);
    again = false;
    if (is_channel(*cases[taken])) {
      const outcome o = outcome_of(at[taken].in_channel, *at[taken].lock);
      cases[taken]->end = o == outcome::closed ? channel_status::closed : channel_status::success;
      again = o == outcome::again;
    }
  }
  disarm(at, cases, t, taken);
  if (again) return std::nullopt;
  return taken;
}

}  // namespace

std::size_t select_one(std::span<select_case* const> cases) {
  yield_if_requested_slow();
  if (cases.size() > most_cases)
    throw std::length_error("weft::select: " + std::to_string(cases.size()) + " cases; at most " +
                            std::to_string(most_cases) + " can be told apart");
  if (cases.empty())
    throw std::invalid_argument("weft::select: without a case it would never return");
  for (;;) {
    if (const auto taken = take_ready(cases)) return *taken;
    const auto fallback = std::find_if(cases.begin(), cases.end(), [](const select_case* c) {
      return c->kind == case_kind::fallback;
    });
    if (fallback != cases.end()) {
      if (std::count_if(cases.begin(), cases.end(),
                        [](const select_case* c) { return is_channel(*c); }) > 1)
        if (const auto taken = take_at_one_moment(cases)) return *taken;
      return static_cast<std::size_t>(fallback - cases.begin());
    }
    if (const auto taken = wait_for_one(cases)) return *taken;
  }
}

}  // namespace weft::detail
