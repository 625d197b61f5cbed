// SPDX-License-Identifier: BSL-1.0
#pragma once
// test/model/waiting_env.hpp - what the templates of src/sync run on in a model test: execution
// agents that park on the real fiber word, one lock that outlives every object, timers as threads.
//
// Of one execution, reached through `here`: set it first thing in every scenario. An execution
// agent is a thread with a word and a wake word; who wins its wake after it has committed rings the
// wake word.

#include <memory>
#include <vector>

#include "fiber/fiber_word.hpp"
#include "model/explorer.hpp"
#include "model/sync.hpp"
#include "sync/waiting.hpp"

namespace weft::model {

struct agent {
  detail::basic_fiber_word<sync> word;
  atomic<std::uint32_t> wake_word{0};
  atomic<std::uint32_t> ticket{0};  // for timers: the epoch of the park, 0 before the first

  agent() { word.set(detail::fiber_state::running); }
};

struct waiting_world {
  atomic<std::uint32_t> lock{0};
  std::int64_t clock = 0, step = 0;  // step 0: nobody has ever waited long; large: everybody has
};
inline waiting_world* here = nullptr;  // of this execution; the scenario owns it

inline std::shared_ptr<waiting_world> new_world(std::int64_t step = 0) {
  auto w = std::make_shared<waiting_world>();
  w->step = step;
  here = w.get();
  return w;
}

// As detail::wait_link and wait_list. A link goes with its waiter's frame, a list with its object:
// who touches them then is in a race.
struct wait_link {
  plain<wait_link*> next{nullptr}, prev{nullptr};
};
class wait_list {
 public:
  using link = wait_link;

  wait_list() { head.next = head.prev = &head; }
  [[nodiscard]] bool empty() const { return head.next == &head; }

  wait_link head;
};

struct waiting_env {
  template <class T>
  using atomic = model::atomic<T>;
  using wait_list = model::wait_list;
  static constexpr int at_once = 64;

  struct waiter : wait_link {
    explicit waiter(agent& s) : self(s) {}
    agent& self;
    plain<detail::epoch_t> who{0};
    plain<std::int64_t> since{0};
    plain<bool> given{false}, parks{false};
    plain<std::uint8_t> kind{0};
    model::atomic<bool> may_go{false};
  };

  struct limit {
    bool over = false;
  };
  static bool is_over(const limit& l) { return l.over; }
  static std::int64_t now() { return here->clock += here->step; }

  class guard {
   public:
    explicit guard(const void*) { lock(); }
    ~guard() {
      if (held_) unlock();
    }
    void lock() {
      std::uint32_t free = 0;
      while (!world_->lock.compare_exchange_strong(free, 1, std::memory_order_acquire,
                                                   std::memory_order_relaxed)) {
        free = 0;
        sync::pause();
      }
      held_ = true;
    }
    void unlock() {
      held_ = false;
      world_->lock.store(0, std::memory_order_release);
    }

   private:
    waiting_world* world_ = here;
    bool held_ = false;
  };

  class wake_list {
   public:
    ~wake_list() { flush(); }
    bool claim(waiter& w) {
      agent& s = w.self;
      const detail::wake_duty duty = s.word.wake(w.who, detail::wake_code::ready);
      if (duty == detail::wake_duty::enqueue) owed_.push_back(&s);
      return duty != detail::wake_duty::stale;
    }
    void flush() {
      for (agent* s : owed_) s->wake_word.store(1, std::memory_order_release);
      owed_.clear();
    }

   private:
    std::vector<agent*> owed_;
  };

  static detail::wait_end park(guard& g, waiter& w, const limit&) {
    agent& s = w.self;
    w.who = s.word.begin_park(detail::stoppable::no);
    s.ticket.store(w.who, std::memory_order_release);
    g.unlock();
    if (s.word.commit([] { return false; }) == detail::commit_duty::none) {
      while (s.wake_word.load(std::memory_order_acquire) == 0) sync::pause();
      s.wake_word.store(0, std::memory_order_relaxed);
    }
    s.word.set(detail::fiber_state::running);
    switch (s.word.code()) {
      case detail::wake_code::timeout:
        return detail::wait_end::timeout;
      case detail::wake_code::stop:
        return detail::wait_end::stopped;
      default:
        return detail::wait_end::ready;
    }
  }

  /// A timer, or a stop request, that comes at any moment: before the park, during, or after.
  static void expire(agent& s, detail::wake_code code = detail::wake_code::timeout) {
    const detail::epoch_t e = s.ticket.load(std::memory_order_acquire);
    if (e != 0 && s.word.wake(e, code) == detail::wake_duty::enqueue)
      s.wake_word.store(1, std::memory_order_release);
  }
  static void expire_once_it_waits(agent& s) {
    while (s.ticket.load(std::memory_order_acquire) == 0) sync::pause();
    expire(s);
  }
  /// The end of its runtime, which comes when it has left its stack, or too late [LEFT-1]. True: it
  /// takes nothing any more, and never returns: let its thread be a daemon.
  static bool leave_behind(agent& s) {
    const detail::epoch_t e = s.ticket.load(std::memory_order_acquire);
    return e != 0 && s.word.wake(e, detail::wake_code::stop) == detail::wake_duty::enqueue;
  }
};

/// Lets others in at the guard after every claim.
struct gaps_env : waiting_env {
  static constexpr int at_once = 1;
};

}  // namespace weft::model
