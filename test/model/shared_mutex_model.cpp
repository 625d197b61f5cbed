// SPDX-License-Identifier: BSL-1.0
// test/model/shared_mutex_model.cpp - sync/shared_mutex_core.hpp: readers and writers exclude each
// other, and no waiter is left behind.
#include "sync/shared_mutex_core.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "model/waiting_objects.hpp"

using namespace weft;
using model::agent;
using model::execution;
using env = model::waiting_env;

namespace {

using model::holds;
using model::holds_in_sample;
using model::holds_widely;
using model::with_switches;

struct shared_lock {
  model::atomic<std::uint32_t> word{0};
  env::wait_list waiters;

  bool lock(agent& s, detail::sharing how) {
    std::uint32_t w = 0;
    if (how == detail::sharing::exclusive) {
      if (word.compare_exchange_strong(w, 1, std::memory_order_acquire, std::memory_order_relaxed))
        return true;
    } else {
      w = word.load(std::memory_order_relaxed);
      while ((w & 3) == 0)
        if (word.compare_exchange_weak(w, w + 8, std::memory_order_acquire,
                                       std::memory_order_relaxed))
          return true;
    }
    env::waiter me(s);
    me.kind = static_cast<std::uint8_t>(how);
    return detail::lock_queued<env>(*this, me, {});
  }
  void unlock(detail::sharing how) {
    std::uint32_t w = 1;
    if (how == detail::sharing::exclusive) {
      if (word.compare_exchange_strong(w, 0, std::memory_order_release, std::memory_order_relaxed))
        return;
    } else {
      w = word.load(std::memory_order_relaxed);
      while (w != (8 | 2))
        if (word.compare_exchange_weak(w, w - 8, std::memory_order_release,
                                       std::memory_order_relaxed))
          return;
    }
    detail::unlock_queued<env>(*this, how);
  }
};
using rw_world = model::world<shared_lock>;
using rw = std::shared_ptr<rw_world>;

void write(const rw& w, agent& s) {
  if (!w->object->lock(s, detail::sharing::exclusive)) return;
  w->data = w->data + 1;
  w->object->unlock(detail::sharing::exclusive);
}
void read(const rw& w, agent& s) {
  if (!w->object->lock(s, detail::sharing::shared)) return;
  model::check(w->data >= 0, "reads what is written alone");
  w->object->unlock(detail::sharing::shared);
}
void all_gone(const rw& w) {
  model::check(w->object->word.load(std::memory_order_relaxed) == 0, "RW-3: free, nobody waits");
  model::check(w->object->waiters.empty(), "nobody is left in the queue");
}

void readers_and_writers(execution& x) {
  auto w = std::make_shared<rw_world>();
  x.thread("writer", [=] { write(w, w->a); });
  x.thread("reader", [=] { read(w, w->b); });
  x.thread("other", [=] { read(w, w->c); });
  x.finally([=] { all_gone(w); });
}
void writer_and_writer(execution& x) {
  auto w = std::make_shared<rw_world>();
  x.thread("writer", [=] { write(w, w->a); });
  x.thread("other", [=] { write(w, w->b); });
  x.finally([=] { all_gone(w); });
}
// Two readers are in and leave; the writer comes after both, though only the last of them gives it
// the lock.
void readers_leave(execution& x) {
  auto w = std::make_shared<rw_world>();
  w->object->word.store(2 * 8, std::memory_order_relaxed);
  for (const char* name : {"reader", "other"})
    x.thread(name, [=] {
      model::check(w->data == 0, "RW-1: the writer waits");
      w->object->unlock(detail::sharing::shared);
    });
  x.thread("writer", [=] { write(w, w->a); });
  x.finally([=] { all_gone(w); });
}
void two_writers(execution& x) {
  auto w = std::make_shared<rw_world>();
  x.thread("writer", [=] { write(w, w->a); });
  x.thread("other", [=] { write(w, w->b); });
  x.thread("reader", [=] { read(w, w->c); });
  x.finally([=] { all_gone(w); });
}
void writer_gives_up(execution& x) {
  auto w = std::make_shared<rw_world>();
  x.thread("writer", [=] { write(w, w->a); });
  x.thread("reader", [=] { read(w, w->b); });
  x.thread("other", [=] { read(w, w->c); });
  x.thread("timer", [=] { env::expire(w->a); });
  x.finally([=] { all_gone(w); });
}
// Behind a writer that waits and gives up; the reader who is in does not leave before the other has
// come in, too.
void reader_behind_the_writer(execution& x) {
  auto w = std::make_shared<rw_world>();
  auto came_in = std::make_shared<model::atomic<std::uint32_t>>(0);
  w->object->word.store(8, std::memory_order_relaxed);
  x.thread("writer", [=] {
    model::check(!w->object->lock(w->a, detail::sharing::exclusive),
                 "a reader is in until it has given up");
  });
  x.thread("reader", [=] {
    model::check(w->object->lock(w->b, detail::sharing::shared), "nobody ends its wait");
    came_in->store(1, std::memory_order_release);
    w->object->unlock(detail::sharing::shared);
  });
  x.thread("reader who is in", [=] {
    env::expire_once_it_waits(w->a);
    // RW-3, or for ever
    while (came_in->load(std::memory_order_acquire) == 0) model::sync::pause();
    w->object->unlock(detail::sharing::shared);
  });
  x.finally([=] { all_gone(w); });
}
void reader_gives_up(execution& x) {
  auto w = std::make_shared<rw_world>();
  x.thread("writer", [=] { write(w, w->a); });
  x.thread("reader", [=] { read(w, w->b); });
  x.thread("other", [=] { read(w, w->c); });
  x.thread("timer", [=] { env::expire(w->b); });
  x.finally([=] { all_gone(w); });
}

// Two readers wait for the writer to leave, and the second is left behind, before that or when the
// first is in: the first is alone then, and may destroy the lock after it has left.
enum class left : std::uint8_t { before, during };
template <left Left>
void reader_is_left_behind(execution& x) {
  auto w = std::make_shared<rw_world>();
  auto ended = std::make_shared<model::atomic<std::uint32_t>>(0);
  const auto end = [=] {
    if (env::leave_behind(w->b)) ended->store(1, std::memory_order_relaxed);
  };
  w->object->word.store(1, std::memory_order_relaxed);
  x.thread("writer", [=] {
    while (w->b.ticket.load(std::memory_order_acquire) == 0) model::sync::pause();
    w->data = 1;
    if (Left == left::before) end();
    w->object->unlock(detail::sharing::exclusive);
  });
  x.thread("reader", [=] {
    model::check(w->object->lock(w->a, detail::sharing::shared), "nobody else ends it");
    model::check(w->data == 1, "RW-1");
    if (Left == left::during) end();
    const bool alone = ended->load(std::memory_order_relaxed) != 0;
    w->object->unlock(detail::sharing::shared);
    if (!alone) return;
    model::check(w->object->word.load(std::memory_order_relaxed) == 0, "RW-3");
    w->object.reset();
  });
  x.daemon("left behind", [p = w.get()] {
    while (p->a.ticket.load(std::memory_order_acquire) == 0) model::sync::pause();
    if (p->object->lock(p->b, detail::sharing::shared)) p->object->unlock(detail::sharing::shared);
  });
}

}  // namespace

TEST_CASE("RW: nobody is left behind") {
  holds_widely(readers_and_writers);
  holds_widely(two_writers);
  holds_widely(readers_leave);
  holds(reader_behind_the_writer, with_switches(1));
  holds_in_sample(writer_gives_up);
  holds_in_sample(reader_gives_up);
}

TEST_CASE("RW-4: who was let in may destroy it when the others are left behind") {
  holds(reader_is_left_behind<left::before>, with_switches(2));
  holds(reader_is_left_behind<left::during>, with_switches(2));
}

TEST_CASE("RW: which orderings are needed") {
  const auto all =
      model::mutate(with_switches(1), {writer_and_writer, readers_leave, readers_and_writers},
                    "/shared_mutex_core.hpp");
  CHECK_MESSAGE(model::survivors(all).empty(), model::list(all));
}
