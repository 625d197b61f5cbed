// SPDX-License-Identifier: BSL-1.0
// test/model/service_order_model.cpp - ORDER-1..6: the shipped choice of whom a processor serves
// next (sched/service_order.hpp) against an adversary. At each step he says which sources have
// somebody else to serve, what comes from outside, and whether a check is due; every play is
// followed. Whoever waits is served within a number of steps; without each of the rules somebody
// waits for ever.
#include "sched/service_order.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <tuple>
#include <utility>

using weft::detail::basic_service_order;
using weft::detail::service;

namespace {

enum class source : std::uint8_t { slot, ready, local, timer, injected, bound, frozen };
enum class fiber : std::uint8_t { none, other, watched };

// A step takes 1 ms, so each may be the last before a check. The shipped bounds are 16 steps and 10
// ms.
constexpr std::int64_t step_ns = 1'000'000, slice_ns = 4 * step_ns, longest_wait_ns = 4 * step_ns;
constexpr int starved = 300;

// Which sources the adversary may fill.
struct rivals {
  bool bound_and_frozen = true;
};

struct move {
  bool slot, ready, local, bound;        // there are others
  bool check, timers, injected, frozen;  // a check is due; what it finds
};

template <class Order>
struct state {
  Order order;
  source at{};        // where the watched fiber is
  int before = 0;     // others before it there
  int unchecked = 0;  // steps since the last check
  std::int64_t now = 0;

  [[nodiscard]] auto key() const {  // times count as far as the rules look at them
    const auto age = [&](std::int64_t t, std::int64_t most) {
      return std::clamp<std::int64_t>((now - t) / step_ns, -most, most);
    };
    return std::tuple(order.ready_waits, order.thaw_first, order.bound_last, order.new_last,
                      std::min(order.ahead, Order::longest_streak + 2), order.streak,
                      age(order.local_ns, longest_wait_ns / step_ns),
                      age(order.thaw_ns, slice_ns / step_ns), at, before, unchecked);
  }
};

// What the shipped code asks of a worker and its processor. Only the watched fiber is kept; the
// others are the adversary's.
template <class Order>
struct play {
  state<Order>& s;
  const move& m;
  bool served = false;

  struct handle {
    fiber f = fiber::none;
    handle() = default;
    handle(fiber what) : f(what) {}
    handle(std::nullptr_t) {}
    explicit operator bool() const { return f != fiber::none; }
    friend bool operator!=(handle a, std::nullptr_t) { return a.f != fiber::none; }
  };

  handle take(source q, bool others) {
    if (s.at == q && s.before == 0) {
      served = true;
      return fiber::watched;
    }
    if (s.at == q) --s.before;
    return s.at == q || others ? fiber::other : fiber::none;
  }
  void move_to(source q, bool others) {
    s.at = q;
    s.before = others ? 1 : 0;
  }
  play& queues() { return *this; }
  handle slot() {
    return s.at == source::slot ? fiber::watched : m.slot ? fiber::other : fiber::none;
  }
  void empty_slot() { served |= s.at == source::slot; }
  void push_ready(handle h) {
    s.order.ready_waits = true;
    if (h.f != fiber::watched) return;
    served = false;
    move_to(source::ready, m.ready);
  }
  handle take_ready() { return take(source::ready, m.ready); }
  handle take_local() { return take(source::local, m.local); }
  handle take_bound() { return take(source::bound, m.bound); }
  bool asked() { return s.at == source::bound || m.bound; }
  bool check_is_due() { return m.check; }
  bool some_frozen() { return s.at == source::frozen || m.frozen; }
  bool thaw() {
    static_cast<void>(take(source::frozen, m.frozen));
    s.order.thaw_first = false;
    s.order.delay_frozen(s.now, slice_ns);
    return true;
  }
  std::int64_t slice() { return slice_ns; }
  std::int64_t begin_check() {
    s.unchecked = 0;
    return s.now;
  }
  bool bring_ready(std::int64_t) {
    if (s.at == source::timer)
      move_to(source::ready, m.ready);
    else if (!m.timers)
      return false;
    return s.order.ready_waits = true;
  }
  void bring_injected() {
    if (s.at == source::injected && s.before == 0) {
      const bool ahead = s.order.new_goes_ahead();
      move_to(ahead ? source::ready : source::local, ahead ? m.ready : m.local);
      s.order.ready_waits |= ahead;
    } else if (s.at == source::injected || m.injected) {
      if (s.at == source::injected) --s.before;
      s.order.ready_waits |= s.order.new_goes_ahead();
    }
  }
};

// How many steps the watched fiber waits at most; `starved`: for ever. `pause`: a check in so many
// steps at least.
template <class Order>
class search {
 public:
  search(rivals r, int pause) : rivals_(r), pause_(pause) {}

  int longest(source from, int before) {
    int most = 0;
    for (const std::uint32_t ahead : {0U, Order::longest_streak}) {
      state<Order> s;
      s.at = from;
      s.before = before;
      s.order.ready_waits = from == source::ready;
      s.order.ahead = ahead;
      s.order.bound_last = s.order.new_last = ahead != 0;
      most = std::max(most, from_here(s, 0));
    }
    return most;
  }

 private:
  int from_here(const state<Order>& s, int depth) {
    if (depth >= starved) return starved;
    const auto [it, is_new] = known_.try_emplace(s.key(), on_the_way);
    if (!is_new) return it->second == on_the_way ? starved : it->second;
    int most = 0;
    for (unsigned bits = 0; bits < 256 && most < starved; ++bits) {
      const auto bit = [&](unsigned i) { return (bits >> i & 1) != 0; };
      const move m{bit(0), bit(1), bit(2), bit(3), bit(4), bit(5), bit(6), bit(7)};
      if (!m.check && (m.timers || m.injected || m.frozen)) continue;
      if (!rivals_.bound_and_frozen && (m.bound || m.frozen)) continue;
      if (!m.check && s.unchecked + 1 >= pause_) continue;
      state<Order> next = s;
      next.now += step_ns;
      ++next.unchecked;
      most = std::max(most, 1 + (step(next, m) ? 0 : from_here(next, depth + 1)));
    }
    return known_[s.key()] = std::min(most, starved);
  }
  static bool step(state<Order>& s, const move& m) {
    if (m.ready) s.order.ready_waits = true;  // as its push did
    play<Order> p{s, m};
    if (m.check || p.asked() || s.order.thaw_first)
      static_cast<void>(weft::detail::take_checked(s.order, p));
    else  // the fast way, on the fiber's stack
      static_cast<void>(weft::detail::take_own(s.order, p));
    return p.served;
  }

  static constexpr int on_the_way = -1;
  const rivals rivals_;
  const int pause_;
  std::map<decltype(state<Order>{}.key()), int> known_;
};

template <class Order>
int longest_wait(source from, int pause, rivals r = {}, int before = 0) {
  return search<Order>(r, pause).longest(from, before);
}

using small = basic_service_order<3, longest_wait_ns>;
// the shipped one, as far as it counts steps
using without_waits = basic_service_order<16, 1'000'000 * step_ns>;

// Each lacks one of the rules.
struct no_end_of_the_slots_streak : small {
  service choose(bool next) noexcept {
    if (!next) return small::choose(false);
    streak = 0;
    return small::choose(true);
  }
};
struct no_turn_of_local : small {
  service choose(bool next) noexcept {
    ahead = 0;
    return small::choose(next);
  }
  void checked(std::int64_t) noexcept {}
};
struct turn_of_local_forgets_the_streak : small {
  service choose(bool next) noexcept {
    const service s = small::choose(next);
    if (s == service::local) streak = 0;
    return s;
  }
};
struct ready_first_at_every_check : small {
  void prefer_ready() noexcept { streak = longest_streak; }
};
struct bound_ones_always_first : small {
  bool bound_may_go() noexcept { return true; }
};
struct frozen_ones_whenever_there_are : small {
  bool frozen_is_due(std::int64_t, std::int64_t) const noexcept { return true; }
};
struct frozen_ones_when_nobody_is_ready : small {
  bool frozen_is_due(std::int64_t now, std::int64_t slice) const noexcept {
    return !ready_waits && small::frozen_is_due(now, slice);
  }
};

struct line {
  source from;
  int first, second;  // steps until the first in line is served, and the second
};

}  // namespace

TEST_CASE("ORDER-1..6: who waits is served within a bound, whatever the others do") {
  // One in three steps is a check at least, and every source has others without end.
  for (const line& l :
       {line{source::slot, 16, 16}, line{source::ready, 13, 26}, line{source::local, 12, 22},
        line{source::timer, 26, 26}, line{source::injected, 30, 33}, line{source::bound, 3, 6},
        line{source::frozen, 6, 16}}) {
    CAPTURE(int(l.from));
    CHECK(longest_wait<small>(l.from, 3) == l.first);
    CHECK(longest_wait<small>(l.from, 1) <= l.first);  // more checks
    if (l.from != source::slot) CHECK(longest_wait<small>(l.from, 3, {}, 1) == l.second);
  }
}

TEST_CASE(
    "ORDER-1..4: README's table: the shipped streak, a check in 61 steps, nobody bound or frozen") {
  for (const line& l :
       {line{source::slot, 20, 20}, line{source::ready, 18, 36}, line{source::local, 18, 36},
        line{source::timer, 96, 96}, line{source::injected, 96, 157}}) {
    CAPTURE(int(l.from));
    CHECK(longest_wait<without_waits>(l.from, 61, {false}) == l.first);
    if (l.from != source::slot)
      CHECK(longest_wait<without_waits>(l.from, 61, {false}, 1) == l.second);
  }
}

TEST_CASE("ORDER: without any of the rules somebody waits for ever") {
  CHECK(longest_wait<no_end_of_the_slots_streak>(source::ready, 3) == starved);
  CHECK(longest_wait<no_turn_of_local>(source::local, 3) == starved);
  CHECK(longest_wait<turn_of_local_forgets_the_streak>(source::ready, 3) == starved);
  CHECK(longest_wait<ready_first_at_every_check>(source::local, 1) == starved);
  CHECK(longest_wait<bound_ones_always_first>(source::local, 3) == starved);
  CHECK(longest_wait<frozen_ones_whenever_there_are>(source::ready, 1) == starved);
  CHECK(longest_wait<frozen_ones_when_nobody_is_ready>(source::frozen, 3) == starved);
}
