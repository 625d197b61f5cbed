// SPDX-License-Identifier: BSL-1.0
// test/model/ops.cpp - the operations of sync.hpp: announce, choose among what memory.hpp allows,
// take effect. Choices come newest message first, so that the first execution is the sequentially
// consistent one.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "engine.hpp"
#include "sync.hpp"

namespace weft::model::ops {

namespace {

engine& here() {
  engine* e = current_engine();
  if (e == nullptr) {
    std::fputs("model: an operation of model::sync outside model::explore()\n", stderr);
    std::abort();
  }
  return *e;
}

bool happened(const engine& e, std::size_t thread, std::uint32_t at) {
  return e.mem.threads[e.self()].current.clock[thread] >= at;
}

// Rule out use after destruction and use that construction does not happen before.
location& touch(engine& e, std::size_t id, const void* self, where w) {
  if (id >= e.mem.location_count || e.mem.locations[id].address != self ||
      !e.mem.locations[id].alive)
    e.fail(verdict::raced, std::string("an atomic is used after its destruction, at ") + w.file +
                               ":" + std::to_string(w.line));
  location& l = e.mem.locations[id];
  if (!happened(e, l.creator, l.created_at))
    e.fail(verdict::raced, "data race: " + e.label(id) +
                               " is used where its construction did not happen before, at " +
                               w.file + ":" + std::to_string(w.line));
  l.accessed[e.self()] = e.mem.threads[e.self()].current.clock[e.self()];
  return l;
}

std::size_t newer(const location& l, std::size_t index) { return l.order.size() - 1 - index; }

}  // namespace

std::size_t create(const void* self, std::uint64_t value, where w) {
  engine& e = here();
  if (e.mem.location_count == max_locations) {
    std::fputs("model: more atomics in one execution than max_locations\n", stderr);
    std::abort();
  }
  const std::size_t id = e.mem.create(e.self(), self, value, w);
  e.record(op::create, id, std::memory_order_relaxed, 0, value, 0, w);
  return id;
}

void destroy(std::size_t id, const void* self) {
  engine* e = current_engine();
  if (e == nullptr || e->failed()) return;
  location& l = touch(*e, id, self, where{"a destructor", 0});
  for (std::size_t t = 0; t < e->mem.thread_count; ++t)
    if (!happened(*e, t, l.accessed[t]))
      e->fail(verdict::raced, "data race: " + e->label(id) + " is destroyed, and its last use by " +
                                  e->threads[t].name + " did not happen before");
  l.alive = false;
  e->record(op::destroy, id, std::memory_order_relaxed, 0, 0, 0, {});
}

std::uint64_t load(std::size_t id, const void* self, std::memory_order order, where w) {
  engine& e = here();
  const std::memory_order o = e.weakened(op::load, order, w);
  e.point(op::load);
  location& l = touch(e, id, self, w);
  e.mem.readable(e.self(), id, o, e.scratch);
  const std::size_t index = e.scratch[e.scratch.size() - 1 - e.choose(e.scratch.size())];
  const std::size_t later = newer(l, index);
  const std::uint64_t value = e.mem.read(e.self(), id, index, o);
  e.record(op::load, id, order, value, 0, later, w);
  return value;
}

void store(std::size_t id, const void* self, std::uint64_t value, std::memory_order order,
           where w) {
  engine& e = here();
  const std::memory_order o = e.weakened(op::store, order, w);
  e.point(op::store);
  location& l = touch(e, id, self, w);
  e.scratch.clear();
  for (std::size_t i = 0; i < l.order.size(); ++i)
    if (i + 1 == l.order.size() || (e.reorders_stores() && e.mem.writable(e.self(), id, i, o)))
      e.scratch.push_back(i);
  const std::size_t after = e.scratch[e.scratch.size() - 1 - e.choose(e.scratch.size())];
  const std::size_t later = newer(l, after);
  e.mem.write(e.self(), id, after, value, o);
  e.record(op::store, id, order, 0, value, later, w);
}

std::uint64_t modify(std::size_t id, const void* self, combine f, std::uint64_t operand,
                     std::memory_order order, where w) {
  engine& e = here();
  const std::memory_order o = e.weakened(op::rmw, order, w);
  e.point(op::rmw);
  location& l = touch(e, id, self, w);
  e.scratch.clear();
  for (std::size_t i = 0; i < l.order.size(); ++i)
    if (i + 1 == l.order.size() || (e.reorders_stores() && e.mem.writable(e.self(), id, i, o)))
      e.scratch.push_back(i);
  const std::size_t index = e.scratch[e.scratch.size() - 1 - e.choose(e.scratch.size())];
  const std::size_t later = newer(l, index);
  const std::uint64_t value = f(l.order[index].value, operand);
  const std::uint64_t old = e.mem.modify(e.self(), id, index, value, o);
  e.record(op::rmw, id, order, old, value, later, w);
  return old;
}

bool compare_exchange(std::size_t id, const void* self, std::uint64_t& expected,
                      std::uint64_t desired, std::memory_order success, std::memory_order failure,
                      strength s, where w) {
  engine& e = here();
  const std::memory_order on_success = e.weakened(op::cas, success, w);
  const std::memory_order on_failure = e.weakened(op::load, failure, w);
  e.point(op::cas);
  location& l = touch(e, id, self, w);
  // Entries are twice the index, plus one for failing: because of the value, or spuriously.
  std::vector<std::size_t> readable;
  e.mem.readable(e.self(), id, on_failure, readable);
  e.scratch.clear();
  for (const std::size_t i : readable) {
    const bool last = i + 1 == l.order.size();
    const bool equal = l.order[i].value == expected;
    if (!equal || (s == strength::weak && e.spurious_left > 0)) e.scratch.push_back(2 * i + 1);
    if (equal && (last || (e.reorders_stores() && e.mem.writable(e.self(), id, i, on_success))))
      e.scratch.push_back(2 * i);
  }
  const std::size_t pick = e.scratch[e.scratch.size() - 1 - e.choose(e.scratch.size())];
  const std::size_t index = pick / 2;
  const std::size_t later = newer(l, index);
  if (pick % 2 == 0) {
    e.mem.modify(e.self(), id, index, desired, on_success);
    e.record(op::cas, id, success, expected, desired, later, w);
    return true;
  }
  if (l.order[index].value == expected) {
    --e.spurious_left;
    e.mem.note(e.self(), 0x5b);
  }
  expected = e.mem.read(e.self(), id, index, on_failure);
  e.record(op::cas_failed, id, success, expected, desired, later, w);
  return false;
}

// Acquire and release fences change nothing another thread could notice: no scheduling point.
void fence(std::memory_order order, where w) {
  engine& e = here();
  if (e.mutated(mutation::kind::drop_fence, w)) return;
  const std::memory_order o = e.weakened(op::fence, order, w);
  if (o == std::memory_order_seq_cst) e.point(op::fence);
  e.mem.fence(e.self(), o);
  e.record(op::fence, 0, order, 0, 0, 0, w);
}

void light_fence(where w) {
  here().record(op::light_fence, 0, std::memory_order_relaxed, 0, 0, 0, w);
}

void heavy_fence(where w) {
  engine& e = here();
  if (e.mutated(mutation::kind::drop_fence, w)) return;
  const bool local = e.mutated(mutation::kind::heavy_is_local, w);
  const std::size_t me = e.self();
  e.point(op::heavy_fence);
  e.mem.fence(me, std::memory_order_seq_cst);
  e.record(op::heavy_fence, 0, std::memory_order_seq_cst, 0, 0, 0, w);
  if (local) return;
  bool first = true;
  for (std::size_t t = 1; t < e.threads.size(); ++t) {
    if (t == me) continue;
    // The first remote barrier needs no moment of its own, nothing of the caller lies between; nor
    // does that of a thread that has ended: leaving its CPU was a full barrier.
    if (!first && !e.threads[t].finished) e.point(op::heavy_step);
    first = false;
    e.mem.fence(t, std::memory_order_seq_cst);
    e.record(op::heavy_step, t, std::memory_order_seq_cst, 0, 0, 0, w);
  }
  e.mem.fence(me, std::memory_order_seq_cst);
}

void pause(where w) {
  engine& e = here();
  e.point(op::pause);
  e.mem.forget_stale(e.self());
  e.record(op::pause, 0, std::memory_order_relaxed, 0, 0, 0, w);
}

// The kernel compares and queues under one lock, so the word is read at its latest; waking is FIFO.
void futex_wait(std::size_t id, const void* self, std::uint64_t expected, where w) {
  engine& e = here();
  const std::size_t me = e.self();
  e.point(op::futex_wait);
  location& l = touch(e, id, self, w);
  const std::uint64_t value = l.latest().value;
  e.mem.note(me, l.latest().identity);
  e.mem.threads[me].floor[id] =
      l.latest().when;  // its own later loads do not go back behind the kernel's
  e.record(op::futex_wait, id, std::memory_order_relaxed, value, expected, 0, w);
  if (value != expected) return;
  e.sleepers.push_back(id << 8U | me);
  e.threads[me].asleep = true;
  e.point(op::futex_wait);
}

void futex_wake(std::size_t id, const void* self, std::size_t most, where w) {
  engine& e = here();
  e.point(op::futex_wake);
  const location& l = touch(e, id, self, w);
  std::size_t woken = 0;
  for (auto s = e.sleepers.begin(); s != e.sleepers.end() && woken < most;) {
    if (*s >> 8U != id) {
      ++s;
      continue;
    }
    const std::size_t t = *s & 0xffU;
    e.threads[t].asleep = false;
    e.mem.threads[t].floor[id] = l.latest().when;
    e.mem.note(t, l.latest().identity);
    e.mem.note(t, mix(e.mem.threads[e.self()].history, 0xf7));
    s = e.sleepers.erase(s);
    ++woken;
  }
  e.mem.note(e.self(), mix(woken, 0xf8));
  e.record(op::futex_wake, id, std::memory_order_relaxed, woken, most, 0, w);
}

namespace {

void plain_fault(engine& e, const plain_shadow& p, const char* what, std::size_t other) {
  e.fail(verdict::raced, std::string("data race: ") + e.threads[e.self()].name + " " + what +
                             " plain data created at " + p.created.file + ":" +
                             std::to_string(p.created.line) + ", unordered with " +
                             e.threads[other].name);
}

}  // namespace

void plain_created(plain_shadow& p) {
  engine& e = here();
  p.writer = e.self();
  p.written_at = e.mem.threads[e.self()].current.clock[e.self()];
}

void plain_read(plain_shadow& p) {
  engine& e = here();
  if (!happened(e, p.writer, p.written_at)) plain_fault(e, p, "reads", p.writer);
  p.read_at[e.self()] = e.mem.threads[e.self()].current.clock[e.self()];
  e.record(op::plain_read, 0, std::memory_order_relaxed, 0, 0, 0, p.created);
}

void plain_written(plain_shadow& p) {
  engine* running = current_engine();
  if (running == nullptr || running->failed()) return;
  engine& e = *running;
  if (!happened(e, p.writer, p.written_at)) plain_fault(e, p, "writes", p.writer);
  for (std::size_t t = 0; t < e.mem.thread_count; ++t)
    if (!happened(e, t, p.read_at[t])) plain_fault(e, p, "writes", t);
  p.writer = e.self();
  p.written_at = e.mem.threads[e.self()].current.clock[e.self()];
  p.read_at = {};
  e.record(op::plain_write, 0, std::memory_order_relaxed, 0, 0, 0, p.created);
}

}  // namespace weft::model::ops
