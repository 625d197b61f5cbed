// SPDX-License-Identifier: BSL-1.0
// watch/metrics.cpp - see the header.
#include "watch/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "watch/runtime_watch.hpp"

namespace weft {

std::uint64_t latency_histogram::count() const noexcept {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

std::chrono::nanoseconds latency_histogram::quantile(double q) const noexcept {
  const std::uint64_t all = count();
  if (all == 0) return std::chrono::nanoseconds(0);
  const auto wanted =
      static_cast<std::uint64_t>(std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(all)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < size; ++i)
    if ((seen += counts[i]) >= std::max<std::uint64_t>(wanted, 1)) return end_of(i);
  return end_of(size - 1);
}

namespace detail {

runtime_metrics measure(scheduler& s) {
  const runtime_watch& watch = static_cast<const runtime_watch&>(s.watch());
  const scheduler::outside_counts& outside = s.outside();
  runtime_metrics m{};
  m.name = s.settings().name;
  m.number = s.number();
  m.uptime = std::chrono::nanoseconds(os::now_ns() - s.made_ns());

  // What comes later in a fiber's life is read first, so that no difference is negative: [LIFE-6].
  m.ended = outside.ended.load(std::memory_order_acquire);
  m.wakes = outside.wakes.load(std::memory_order_acquire);
  s.for_each_worker([&](const worker& w) {
    m.ended += w.ended.load(std::memory_order_acquire);
    m.wakes += w.counters.wakes.get();
  });
  m.spawned = outside.spawned.load(std::memory_order_seq_cst);
  watch.add_to(m);
  s.for_each_worker([&](const worker& w) {
    const worker_counters& c = w.counters;
    m.spawned += w.spawned.load(std::memory_order_relaxed);
    m.parks += c.parks.get();
    m.injected += c.injected.get();
    m.steals += c.steals.get();
    m.stolen += c.stolen.get();
    m.sleeps += c.sleeps.get();
    m.polls += c.polls.get();
    m.poll_events += c.poll_events.get();
    m.timers_fired += c.timers_fired.get();
    c.wake_latency.add_to(m.wake_latency);
    c.start_latency.add_to(m.start_latency);
    if (w.started.load(std::memory_order_acquire) == 0) return;  // [MON-2]
    const processor* p = w.gate.held();
    m.workers.push_back({w.index, static_cast<std::int32_t>(w.thread_id()),
                         p != nullptr ? static_cast<std::int32_t>(p->index) : -1,
                         std::chrono::nanoseconds(std::max<std::int64_t>(w.cpu.now_ns(), 0))});
    if (w.detached.load(std::memory_order_relaxed))
      ++m.detached;
    else if (p == nullptr)
      ++m.asleep;
  });

  m.threads = s.threads().running();
  m.frozen = s.sleeping().frozen_hint();
  m.asleep -= std::min(m.asleep, m.frozen);
  m.serving = s.serving();
  m.searching = s.sleeping().searching();
  m.injected_now = static_cast<std::size_t>(std::max<std::int64_t>(s.injected(), 0));
  m.runnable = m.injected_now + m.frozen;
  for (const auto& p : s.processors()) {
    const bool next = p->next.load(std::memory_order_relaxed) != nullptr;
    const auto queued = static_cast<std::size_t>(p->stealable() + p->claimed_hint());
    const bool busy = p->holder.load(std::memory_order_relaxed) != nullptr;
    m.processors.push_back({p->index, true, busy, queued, next, p->timers.size(), p->steps.get()});
    m.steps += p->steps.get();
    m.busy += busy;
    m.runnable += queued + next;
  }
  s.sleeping().for_each_inactive([&m](const processor& p) {
    if (p.index < m.processors.size()) m.processors[p.index].serving = false;
  });
  m.alive = m.spawned - m.ended;
  m.waiting = std::min<std::size_t>(m.alive, m.parks - std::min(m.wakes, m.parks));
  m.runnable = std::min(m.runnable, m.alive - m.waiting);
  m.running = m.alive - m.waiting - m.runnable;
  m.offloads = s.offloads().look();
  return m;
}

std::vector<runtime_metrics> measure_all() {
  std::vector<runtime_metrics> all;
  const runtimes_held runtimes;
  for (scheduler* s : runtimes.all())
    if (!s->has_ended()) all.push_back(measure(*s));
  return all;
}

}  // namespace detail
}  // namespace weft
