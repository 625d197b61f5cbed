// SPDX-License-Identifier: BSL-1.0
// test/model/memory.cpp - the rules of memory.hpp, one function each.
#include "memory.hpp"

#include <algorithm>

namespace weft::model {

void memory::reset() {
  for (std::size_t t = 0; t < thread_count; ++t) threads[t] = thread_memory{};
  for (std::size_t i = 0; i < location_count; ++i) {
    locations[i].order.clear();
    locations[i].accessed = {};
    locations[i].hash = 0;
  }
  thread_count = 1;
  location_count = 0;
  threads[0].current.clock[0] = 1;
  global_ = view{};
  global_hash_ = locations_hash_ = 0;
}

void memory::fork(std::size_t child) {
  thread_count = std::max(thread_count, child + 1);
  thread_memory& c = threads[child];
  c = thread_memory{};
  c.current = threads[0].current;
  c.history = mix(threads[0].history, child);
  tick(child);
  tick(0);
}

void memory::join_all() {
  for (std::size_t t = 1; t < thread_count; ++t) {
    threads[0].current.join(threads[t].current);
    note(0, threads[t].history);
  }
}

std::size_t memory::create(std::size_t thread, const void* address, std::uint64_t value,
                           where site) {
  const std::size_t id = location_count++;
  location& l = locations[id];
  thread_memory& t = threads[thread];
  l.address = address;
  l.created = site;
  l.creator = thread;
  l.created_at = t.current.clock[thread];
  l.alive = true;
  l.identity = mix(t.history, 0x10c000ULL + t.created++);
  l.accessed = {};
  l.order.clear();
  message& first = l.order.emplace_back();
  first.when = append_gap;
  first.value = value;
  first.identity = l.identity;
  rehash_location(id);
  return id;
}

timestamp memory::oldest(std::size_t thread, std::size_t where, std::memory_order order) const {
  const timestamp own = threads[thread].current.seen(where);
  return order == std::memory_order_seq_cst ? std::max(own, global_.seen(where)) : own;
}

void memory::readable(std::size_t thread, std::size_t where, std::memory_order order,
                      std::vector<std::size_t>& out) const {
  const timestamp least = std::max(oldest(thread, where, order), threads[thread].floor[where]);
  const auto& messages = locations[where].order;
  out.clear();
  for (std::size_t i = 0; i < messages.size(); ++i)
    if (messages[i].when >= least) out.push_back(i);
}

bool memory::extendable(std::size_t where, std::size_t index) const {
  const auto& messages = locations[where].order;
  if (messages[index].taken) return false;
  return index + 1 == messages.size() || messages[index + 1].when - messages[index].when >= 2;
}

bool memory::writable(std::size_t thread, std::size_t where, std::size_t index,
                      std::memory_order order) const {
  return locations[where].order[index].when >= oldest(thread, where, order) &&
         extendable(where, index);
}

std::uint64_t memory::read(std::size_t thread, std::size_t where, std::size_t index,
                           std::memory_order order) {
  thread_memory& t = threads[thread];
  const message& m = locations[where].order[index];
  t.current.see(where, m.when);
  t.acquirable.join(m.carried);
  if (acquires(order)) t.current.join(m.carried);
  if (order == std::memory_order_seq_cst && global_.seen(where) < m.when) {
    global_.see(where, m.when);
    rehash_global();
  }
  const auto polled = std::find_if(t.polled.begin(), t.polled.end(),
                                   [=](const auto& p) { return p.where == where; });
  if (polled == t.polled.end())
    t.polled.push_back({where, m.when});
  else
    polled->read = m.when;
  note(thread, mix(m.identity, 1));
  tick(thread);
  return m.value;
}

message& memory::insert(std::size_t where, std::size_t after) {
  auto& messages = locations[where].order;
  const timestamp previous = messages[after].when;
  const timestamp when = after + 1 == messages.size()
                             ? previous + append_gap
                             : previous + (messages[after + 1].when - previous) / 2;
  message& m = *messages.emplace(messages.begin() + static_cast<std::ptrdiff_t>(after) + 1);
  m.when = when;
  return m;
}

void memory::write(std::size_t thread, std::size_t where, std::size_t after, std::uint64_t value,
                   std::memory_order order) {
  thread_memory& t = threads[thread];
  note(thread, mix(locations[where].identity, 2));
  message& m = insert(where, after);
  m.value = value;
  m.identity = t.history;
  t.current.see(where, m.when);
  for (auto& p : t.polled)
    if (p.where == where) p.read = m.when;
  m.carried = releases(order) ? t.current : t.released;
  m.carried.see(where, m.when);
  if (order == std::memory_order_seq_cst) {
    global_.see(where, m.when);
    rehash_global();
  }
  rehash_location(where);
  tick(thread);
}

std::uint64_t memory::modify(std::size_t thread, std::size_t where, std::size_t index,
                             std::uint64_t value, std::memory_order order) {
  // The acquiring half comes first, so that the releasing half hands on what was read.
  const std::uint64_t old = read(thread, where, index, order);
  const view inherited = locations[where].order[index].carried;
  locations[where].order[index].taken = true;
  write(thread, where, index, value, order);
  locations[where].order[index + 1].carried.join(inherited);
  return old;
}

void memory::fence(std::size_t thread, std::memory_order order) {
  thread_memory& t = threads[thread];
  if (acquires(order)) t.current.join(t.acquirable);
  if (order == std::memory_order_seq_cst) {
    global_.join_seen(t.current);
    t.current.join_seen(global_);
    rehash_global();
    note(thread, mix(global_hash_, 3));
  }
  if (releases(order)) t.released = t.current;
  note(thread, 4 + static_cast<std::uint64_t>(order));
  tick(thread);
}

// What was read counts, not `current`: a fence may have moved that past a message the thread has
// not looked at.
bool memory::can_progress(std::size_t thread) const {
  const thread_memory& t = threads[thread];
  if (t.polled.empty()) return true;
  return std::any_of(t.polled.begin(), t.polled.end(),
                     [&](const auto& p) { return locations[p.where].latest().when > p.read; });
}

void memory::forget_stale(std::size_t thread) {
  thread_memory& t = threads[thread];
  for (const auto& p : t.polled) {
    t.floor[p.where] = locations[p.where].latest().when;
    note(thread, mix(locations[p.where].latest().identity, 5));
  }
  t.polled.clear();
}

std::uint64_t memory::identity_at(std::size_t where, timestamp when) const {
  const auto& messages = locations[where].order;
  for (std::size_t i = messages.size(); i-- > 0;)
    if (messages[i].when == when) return messages[i].identity;
  return 0;
}

void memory::rehash_location(std::size_t where) {
  location& l = locations[where];
  locations_hash_ ^= l.hash;
  l.hash = l.identity;
  for (const message& m : l.order) l.hash = mix(l.hash, m.identity);
  locations_hash_ ^= l.hash;
}

void memory::rehash_global() {
  global_hash_ = 0;
  for (std::size_t i = 0; i < location_count; ++i)
    if (global_.seen(i) != 0)
      global_hash_ ^= mix(locations[i].identity, identity_at(i, global_.seen(i)));
}

// Timestamps and addresses stay out: two executions that differ only in the order of independent
// steps agree.
std::uint64_t memory::hash() const noexcept {
  std::uint64_t h = mix(locations_hash_, global_hash_);
  for (std::size_t t = 0; t < thread_count; ++t) h = mix(h, threads[t].history);
  return h;
}

}  // namespace weft::model
