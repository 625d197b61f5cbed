// SPDX-License-Identifier: BSL-1.0
// sync/channel_core.cpp - put, get, close under the lock; and waiting when they cannot.
#include "sync/channel_core.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "os/os.hpp"
#include "sync/misuse.hpp"

namespace weft::detail {
namespace {

constexpr std::size_t lock_count = 256;
constinit channel_lock locks[lock_count];
constinit std::atomic<std::size_t> next_lock{0};

channel_lock& assign_lock() noexcept {
  // relaxed: any will do; in turn, so that a program's few channels seldom share one.
  return locks[next_lock.fetch_add(1, std::memory_order_relaxed) % lock_count];
}

std::size_t ring_offset(const element_type& t) noexcept {
  return (sizeof(channel_core) + t.align - 1) / t.align * t.align;
}
std::align_val_t alignment(const element_type& t) noexcept {
  return std::align_val_t{std::max({t.align, base::cache_line, alignof(channel_core)})};
}

channel_status is_over(const wait_limit& l) noexcept {
  if (l.stop != nullptr && l.stop->stop_requested()) return channel_status::stopped;
  if (l.deadline != wait_limit::time_point::max() && l.deadline <= std::chrono::steady_clock::now())
    return channel_status::timeout;
  return channel_status::success;
}

struct wake_with_stop {
  ticket who;
  void operator()() const noexcept { wake_from_callback(who, wake_code::stop); }
};

enum class side : std::uint8_t { sender, receiver };

template <side S>
channel_step attempt(channel_core& c, void* value, claimed_list& out) WEFT_REQUIRES(c.lock()) {
  if constexpr (S == side::sender)
    return c.put(value, out);
  else
    return c.get(value, out);
}
template <side S>
waiter_queue& queue_of(channel_core& c) noexcept WEFT_REQUIRES(c.lock()) {
  return S == side::sender ? c.senders() : c.receivers();
}
channel_status status_of(channel_step s) noexcept {
  return s == channel_step::done ? channel_status::success : channel_status::closed;
}

// For a caller that has stayed inside weft since begin_park. `w` is null afterwards: outside again.
wake_code finish_park_inside(fiber_record& self, worker*& w, const wait_limit& limit) {
  if (limit.stop == nullptr) return finish_park_inside(self, w, steady_ns(limit.deadline));
  // The callback may run here and now. Its end is waited for, if it runs elsewhere, before this
  // returns: outside.
  const std::stop_callback callback(*limit.stop,
                                    wake_with_stop{self.make_ticket(self.word.epoch())});
  const wake_code code = finish_park_inside(self, w, steady_ns(limit.deadline));
  if (w != nullptr) leave(*std::exchange(w, nullptr));
  return code;
}

// Lets go of the lock through `g`, which the analysis does not know to be its guard. Nothing: the
// wait has to begin again.
template <side S>
[[gnu::noinline]] std::optional<channel_status> wait_for_turn(channel_guard& g, channel_core& c,
                                                              void* value, const wait_limit& limit)
    WEFT_REQUIRES(c.lock()) WEFT_NO_THREAD_SAFETY_ANALYSIS {
  if (const auto over = is_over(limit); over != channel_status::success) {
    static_cast<void>(g.unlock_and_leave());  // the caller may yield
    return over;
  }
  fiber_record& self = g.self();
  channel_lock& lock = c.lock();  // outlives the channel: CHAN-5
  channel_waiter me;
  me.self = &self;
  me.value = value;
  me.epoch =
      begin_park(self, S == side::sender ? park_reason::channel_send : park_reason::channel_receive,
                 &c)
          .epoch();
  queue_of<S>(c).push_back(me);  // CHAN-2: there was no room, or no value
  worker* w = g.unlock_to_park();
  const wake_code code = finish_park_inside(self, w, limit);
  if (code == wake_code::first_free) [[likely]] {
    const outcome o = outcome_of(me, lock);
    if (w != nullptr) leave(*w);
    if (o == outcome::moved) [[likely]]
      return channel_status::success;
    if (o == outcome::closed) return channel_status::closed;
    return std::nullopt;
  }
  if (w != nullptr) leave(*w);
  const channel_guard again(c);
  if (me.linked) queue_of<S>(c).unlink(me);
  if (code == wake_code::timeout) return channel_status::timeout;
  if (code == wake_code::stop) return channel_status::stopped;
  return std::nullopt;
}

template <side S>
channel_status pass_value(channel_core& c, void* value, const wait_limit& limit) {
  channel_step step;
  bool asked;
  for (;;) {
    channel_guard g(c);
    step = attempt<S>(c, value, g.out);
    if (step != channel_step::blocked) [[likely]] {
      asked = g.unlock_and_leave();
      break;
    }
    if (const auto end = wait_for_turn<S>(g, c, value, limit)) {
      // It has let go of the guard, whatever the end. Its time may have been over before it could
      // wait.
      yield_if_requested_slow();
      return *end;
    }
  }
  if (asked) [[unlikely]]
    yield_if_requested();
  return status_of(step);
}

template <side S>
channel_status try_pass(channel_core& c, void* value) {
  if (S == side::sender ? !c.may_put() : !c.may_get()) {
    check_resched();
    return channel_status::timeout;
  }
  channel_step step;
  bool asked;
  {
    channel_guard g(c);
    step = attempt<S>(c, value, g.out);
    asked = g.unlock_and_leave();
  }
  if (asked) [[unlikely]]
    yield_if_requested();
  return step == channel_step::blocked ? channel_status::timeout : status_of(step);
}

}  // namespace

// Spins first: the winner of the claim is on another CPU, moving the value.
[[gnu::noinline]] outcome await_outcome(const channel_waiter& w, channel_lock& lock) noexcept {
  constexpr int spins = 100;
  for (int i = 0; i < spins; ++i) {
    os::cpu_relax();
    // [CHAN-3] publish_outcome
    if (const outcome o = w.end.load(std::memory_order_acquire); o != outcome::open) return o;
  }
  const worker* const here = this_worker();
  const bool outside = here != nullptr && !here->gate.inside();
  if (outside) enter();  // or the thread might be stopped with the lock
  lock.lock_word(nullptr);
  lock.unlock_word(nullptr);
  if (outside) leave(*this_worker());
  return w.end.load(std::memory_order_relaxed);  // the lock orders
}

channel_core::channel_core(const element_type& type, std::size_t capacity, std::byte* ring) noexcept
    : type_(type), is_word_(type.is_word), lock_(assign_lock()), capacity_(capacity), ring_(ring) {}

channel_core::~channel_core() {
#ifndef NDEBUG
  {
    const channel_guard g(*this);  // waiters that have given up are about to leave
  }
  // CHAN-1 is about waiters that can be claimed: both may hold some that were left behind.
  for (const auto& [queue, does] :
       {std::pair(&senders_, " sends into it"), std::pair(&receivers_, " receives from it")})
    for (const channel_waiter* w = queue->first(); w != nullptr; w = w->next)
      if (!is_left_behind(*w->self))
        report_misuse("a channel is destroyed while " + agent_name(*w->self) + does);
#endif
  for (std::size_t n = size(); n > 0; --n) {
    type_.destroy(slot(head_));
    if (++head_ == capacity_) head_ = 0;
  }
}

inline void channel_core::push(void* value) {
  if (is_word_)
    copy_word(ring_ + tail_ * sizeof(std::uint64_t), value);
  else
    type_.construct(slot(tail_), value);  // if it throws, nothing has changed
  if (++tail_ == capacity_) tail_ = 0;
  size_.store(size() + 1, std::memory_order_relaxed);
}

inline void channel_core::pop(void* to) {
  if (is_word_)
    copy_word(to, ring_ + head_ * sizeof(std::uint64_t));
  else
    type_.take(to, slot(head_));  // as above
  if (++head_ == capacity_) head_ = 0;
  size_.store(size() - 1, std::memory_order_relaxed);
}

inline void channel_core::deliver(void* to, void* from) {
  if (is_word_)
    copy_word(to, from);
  else
    type_.deliver(to, from);
}

channel_step channel_core::put(void* value, claimed_list& out) {
  if (closed_.load(std::memory_order_relaxed)) return channel_step::closed;
  while (channel_waiter* w = receivers_.pop_front()) {
    if (!out.claim(*w)) continue;
    try {
      deliver(w->value, value);
    } catch (...) {
      claimed_list::publish_outcome(*w, outcome::again);
      throw;
    }
    claimed_list::publish_outcome(*w, outcome::moved);
    return channel_step::done;
  }
  if (size() == capacity_) return channel_step::blocked;
  push(value);
  return channel_step::done;
}

channel_step channel_core::get(void* to, claimed_list& out) {
  if (size() > 0) {
    pop(to);
    while (channel_waiter* w = senders_.pop_front()) {  // CHAN-2: there is room now
      if (!out.claim(*w)) continue;
      try {
        push(w->value);
      } catch (...) {  // it is the sender's to throw: it will, when it tries again
        claimed_list::publish_outcome(*w, outcome::again);
        continue;
      }
      claimed_list::publish_outcome(*w, outcome::moved);
      break;
    }
    return channel_step::done;
  }
  while (channel_waiter* w = senders_.pop_front()) {
    if (!out.claim(*w)) continue;
    try {
      deliver(to, w->value);
    } catch (...) {
      claimed_list::publish_outcome(*w, outcome::again);
      throw;
    }
    claimed_list::publish_outcome(*w, outcome::moved);
    return channel_step::done;
  }
  return closed_.load(std::memory_order_relaxed) ? channel_step::closed : channel_step::blocked;
}

bool channel_core::close(claimed_list& out) noexcept {
  if (closed_.load(std::memory_order_relaxed)) return false;
  closed_.store(true, std::memory_order_release);  // [CHAN-4] is_closed
  channel_waiter* served = nullptr;                // by `next`; each stays until it is finished
  for (waiter_queue* q : {&senders_, &receivers_})
    while (channel_waiter* w = q->pop_front())
      if (out.claim(*w)) w->next = std::exchange(served, w);
  // CHAN-5
  while (served != nullptr)
    claimed_list::publish_outcome(*std::exchange(served, served->next), outcome::closed);
  return true;
}

channel_core* make_channel(const element_type& type, std::size_t capacity) {
  const std::size_t offset = ring_offset(type);
  if (capacity > (std::numeric_limits<std::size_t>::max() / 2 - offset) / type.size)
    throw std::length_error("weft::channel: a capacity of " + std::to_string(capacity) +
                            " elements is more than the address space holds");
  auto* const memory =
      static_cast<std::byte*>(::operator new(offset + capacity * type.size, alignment(type)));
  return ::new (memory) channel_core(type, capacity, memory + offset);
}
void destroy_channel(channel_core* c) noexcept {
  const std::align_val_t align = alignment(c->type());
  c->~channel_core();
  ::operator delete(static_cast<void*>(c), align);
}

namespace {
const wait_limit for_ever;
}
channel_status channel_send(channel_core& c, void* value) {
  return pass_value<side::sender>(c, value, for_ever);
}
channel_status channel_send(channel_core& c, void* value, const wait_limit& limit) {
  return pass_value<side::sender>(c, value, limit);
}
channel_status channel_try_send(channel_core& c, void* value) {
  return try_pass<side::sender>(c, value);
}
channel_status channel_receive(channel_core& c, void* to) {
  return pass_value<side::receiver>(c, to, for_ever);
}
channel_status channel_receive(channel_core& c, void* to, const wait_limit& limit) {
  return pass_value<side::receiver>(c, to, limit);
}
channel_status channel_try_receive(channel_core& c, void* to) {
  return try_pass<side::receiver>(c, to);
}
bool channel_close(channel_core& c) noexcept {
  channel_guard g(c);
  return c.close(g.out);
}
bool channel_closed(const channel_core& c) noexcept { return c.is_closed(); }
std::size_t channel_size(const channel_core& c) noexcept { return c.size(); }
std::size_t channel_capacity(const channel_core& c) noexcept { return c.capacity(); }

}  // namespace weft::detail
