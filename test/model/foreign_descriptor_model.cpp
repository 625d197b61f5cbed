// SPDX-License-Identifier: BSL-1.0
// test/model/foreign_descriptor_model.cpp - net/foreign_core.hpp: waits for descriptors that others
// read from. The kernel is one word: what is ready, what is armed (one-shot), by which arming, and
// whether an event is queued. A lost wake is a deadlock.
#include "net/foreign_core.hpp"

#include <doctest/doctest.h>

#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "model/holds.hpp"
#include "model/sync.hpp"

using namespace weft;
using detail::direction;
using detail::event_kind;
using detail::wait_offer;
using model::execution;

namespace {

using model::bounded;
using model::holds;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;

using word = detail::basic_poll_word<model::sync>;
constexpr unsigned in = 1, out = 2;  // ready, and shifted by `armed_at`: armed
constexpr unsigned armed_at = 2, queued = 16, number_at = 8;
constexpr std::uint64_t first = 0x10;  // tickets: first + wake word

constexpr unsigned bit_of(direction d) { return d == direction::read ? in : out; }

enum class mistake : std::uint8_t {
  none,
  count_read_after_the_arming,
  arms_its_own_direction_only,
  arms_for_told_ones,
  looks_at_no_number,
};

struct scene {
  explicit scene(mistake m) : wrong(m) {}
  const mistake wrong;
  word poll;
  detail::basic_foreign_counts<model::sync> counts;
  model::atomic<unsigned> kernel{0};
  model::atomic<unsigned> lock{0};  // the record's
  model::atomic<unsigned> closing{0};
  model::atomic<unsigned> counted{0};           // events for readers, without their numbers
  model::atomic<detail::arming> generation{0};  // under lock
  model::atomic<unsigned> words[24]{};          // one per park; rung by who won its wake
};
using shared = std::shared_ptr<scene>;

// System calls: each is one step.
constexpr std::uint64_t queue_if_ready(std::uint64_t k) {
  return (k & (k >> armed_at) & (in | out)) != 0 ? k | queued : k;
}
void arrive(scene& s, unsigned what) {
  s.kernel.update([](auto k, auto n) { return queue_if_ready(k | n); }, what, acq_rel);
}
void use_up(scene& s, unsigned what) {
  s.kernel.update([](auto k, auto n) { return k & ~n; }, what, acq_rel);
}
void arm(scene& s, unsigned directions, detail::arming number) {
  s.kernel.update([](auto k, auto n) { return queue_if_ready((k & (in | out)) | n); },
                  directions << armed_at | static_cast<unsigned>(number << number_at), acq_rel);
}
void disarm(scene& s) { s.kernel.fetch_and(in | out, acq_rel); }
void ring(scene& s, std::uint64_t ticket) {
  if (ticket != word::empty) s.words[ticket - first].store(1, release);
}

// ---- a poller
struct event {
  unsigned what = 0;
  detail::arming number = 0;
};
// One epoll_wait: what was ready in the directions armed, which are disarmed.
event fetch(scene& s) {
  const unsigned k = s.kernel.update(
      [](auto before, auto left) { return (before & queued) == 0 ? before : before & left; },
      in | out | ~0u << number_at, acq_rel);
  if ((k & queued) == 0) return {};
  return {k & (k >> armed_at) & (in | out), k >> number_at};
}
void count(scene& s, const event& e) {
  if ((e.what & in) != 0) {
    s.counts.fire(direction::read, e.number);
    if (s.wrong == mistake::looks_at_no_number) s.counted.fetch_add(1, relaxed);
  }
  if ((e.what & out) != 0) s.counts.fire(direction::write, e.number);
  s.poll.edge(event_kind::regular);
  ring(s, s.poll.take(direction::read));
  ring(s, s.poll.take(direction::write));
}
void poll(scene& s) {
  if (const event e = fetch(s); e.what != 0) count(s, e);
}
// Until everybody has gone home: events come whenever there are some.
void keep_polling(const shared& s) {
  for (;;) {
    while ((s->kernel.load(acquire) & queued) == 0) model::sync::pause();
    poll(*s);
  }
}

// ---- a waiter; closed: an error
struct waiter {
  scene& s;
  const direction dir;
  unsigned next_word;
  bool has_deadline = false;  // which passes as soon as it parks
  bool is_past = false;

  class armed {
   public:
    explicit armed(const waiter& w) : w_(w) {
      lock(w.s);
      number_ = w.s.generation.fetch_add(1, relaxed) + 1;
      w.s.counts.enter(w.dir, number_);
      failed_ = w.s.closing.load(relaxed) != 0;
      if (!failed_) arm();
      w.s.lock.store(0, release);
    }
    ~armed() { w_.s.counts.leave(w_.dir); }
    [[nodiscard]] bool failed() const { return failed_; }
    [[nodiscard]] static std::error_code error() { return waiter::closed(); }
    [[nodiscard]] bool has_fired() const {
      if (w_.s.wrong == mistake::looks_at_no_number) return w_.s.counted.load(relaxed) != counted_;
      return w_.s.counts.has_fired(w_.dir, number_);
    }

   private:
    void arm() const {
      unsigned mask = bit_of(w_.dir);
      if (w_.s.wrong != mistake::arms_its_own_direction_only)
        for (const direction d : {direction::read, direction::write})
          if (w_.s.wrong == mistake::arms_for_told_ones ? w_.s.counts.is_waited_for(d)
                                                        : w_.s.counts.is_to_be_armed(d))
            mask |= bit_of(d);
      ::arm(w_.s, mask, number_);
    }
    static void lock(scene& s) {
      unsigned free = 0;
      while (!s.lock.compare_exchange_strong(free, 1, acquire, relaxed)) {
        free = 0;
        model::sync::pause();
      }
    }
    const waiter& w_;
    const unsigned counted_ = w_.s.counted.load(relaxed);
    bool failed_ = false;
    detail::arming number_ = 0;
  };

  [[nodiscard]] bool is_closed() const { return s.poll.is_closed(); }
  static std::error_code closed() { return std::make_error_code(std::errc::operation_canceled); }
  [[nodiscard]] bool is_over() const { return is_past; }
  [[nodiscard]] std::error_code last_look() const {
    const bool ready = (s.kernel.fetch_or(0, acq_rel) & bit_of(dir)) != 0;
    return ready ? std::error_code{} : std::make_error_code(std::errc::timed_out);
  }
  [[nodiscard]] word::edge_count edges() const { return s.poll.edges(); }
  void park(word::edge_count seen) {
    if (s.wrong == mistake::count_read_after_the_arming) seen = s.poll.edges();
    const unsigned word = next_word++;
    model::check(word < std::size(s.words), "the model has room for so many parks");
    if (s.poll.try_wait(dir, first + word, seen) != wait_offer::accepted) return;
    if (has_deadline) {
      s.poll.withdraw(dir, first + word);
      is_past = true;
      return;
    }
    while (s.words[word].load(acquire) == 0) model::sync::pause();
  }
};

void wait(const shared& s, direction d, unsigned word) {
  waiter w{*s, d, word};
  model::check(!detail::wait_until_fired(w), "nobody closes it");
}

// ---- scenarios
template <mistake M = mistake::none>
void one_reader(execution& x) {
  auto s = std::make_shared<scene>(M);
  x.thread("reader", [=] {
    wait(s, direction::read, 0);
    // Nothing was used up: it is told again.
    wait(s, direction::read, 6);
  });
  x.thread("peer", [=] { arrive(*s, in); });
  x.daemon("poller", [=] { keep_polling(s); });
}

template <mistake M = mistake::none>
void reader_and_writer(execution& x) {
  auto s = std::make_shared<scene>(M);
  x.thread("reader", [=] { wait(s, direction::read, 0); });
  x.thread("writer", [=] { wait(s, direction::write, 12); });
  x.thread("peer", [=] {
    arrive(*s, in);
    arrive(*s, out);
  });
  x.daemon("poller", [=] { keep_polling(s); });
}

// Nothing comes for the writer, and it does not keep the poller busy.
template <mistake M = mistake::none>
void reader_beside_a_writer(execution& x) {
  auto s = std::make_shared<scene>(M);
  x.thread("reader", [=] { wait(s, direction::read, 0); });
  x.daemon("writer", [=] { wait(s, direction::write, 12); });
  x.thread("peer", [=] { arrive(*s, in); });
  x.daemon("poller", [=] { keep_polling(s); });
}

// A poller has fetched the event of the first wait, and is slow to count it. Meanwhile that wait
// ends by its deadline, finds the descriptor ready, and the reader uses it up and comes back.
// Nothing comes any more: it sleeps for ever.
template <mistake M = mistake::none>
void slow_poller(execution& x) {
  auto s = std::make_shared<scene>(M);
  x.daemon("reader", [=] {
    waiter w{*s, direction::read, 0, true};
    if (detail::wait_until_fired(w)) return;
    use_up(*s, in);
    wait(s, direction::read, 6);
    model::check(false, "POLL-6: a wait does not end for what was there before it");
  });
  x.thread("poller", [=] {
    arrive(*s, in);
    poll(*s);
    poll(*s);
  });
}

void close(const shared& s) {
  s->closing.exchange(1, acq_rel);
  unsigned free = 0;
  while (!s->lock.compare_exchange_strong(free, 1, acquire, relaxed)) {
    free = 0;
    model::sync::pause();
  }
  disarm(*s);
  s->lock.store(0, release);
  ring(*s, s->poll.close(direction::read));
  ring(*s, s->poll.close(direction::write));
  s->poll.edge(event_kind::irregular);
}

void closed_under_waiters(execution& x) {
  auto s = std::make_shared<scene>(mistake::none);
  for (const direction d : {direction::read, direction::write})
    x.thread(d == direction::read ? "reader" : "writer", [=] {
      waiter w{*s, d, d == direction::read ? 0u : 12u};
      static_cast<void>(detail::wait_until_fired(w));
    });
  x.thread("closer", [=] { close(s); });
  x.daemon("poller", [=] { keep_polling(s); });
}

}  // namespace

TEST_CASE("POLL-6: a waiter is told of what is there at the arming, or comes after it") {
  holds(one_reader<>, bounded(3));
  holds(reader_beside_a_writer<>, bounded(0));
  holds(reader_and_writer<>, bounded(0));
  holds(closed_under_waiters, bounded(0));
}

TEST_CASE("POLL-6: a wait does not end for what was there before it") { holds(slow_poller<>); }

TEST_CASE("POLL-6: the kernel's half of a number is enough") {
  const detail::arming newest = (detail::arming{7} << 32) + 3;
  for (const int away : {0, 1, 3, 4, 1000, INT32_MAX}) {
    const detail::arming older = newest - static_cast<unsigned>(away),
                         newer = newest + static_cast<unsigned>(away);
    CHECK(detail::arming_of(static_cast<std::uint32_t>(older), newest) == older);
    CHECK(detail::arming_of(static_cast<std::uint32_t>(newer), newest) == newer);
  }
}

TEST_CASE("POLL-6: what the protocol needs") {
  const auto verdict_of = [](const model::program& p) { return model::explore(bounded(3), p).end; };
  CHECK(verdict_of(one_reader<mistake::count_read_after_the_arming>) == model::verdict::deadlocked);
  CHECK(verdict_of(reader_beside_a_writer<mistake::arms_its_own_direction_only>) ==
        model::verdict::deadlocked);
  CHECK(verdict_of(reader_beside_a_writer<mistake::arms_for_told_ones>) ==
        model::verdict::violated);
  CHECK(verdict_of(slow_poller<mistake::looks_at_no_number>) == model::verdict::violated);
}
