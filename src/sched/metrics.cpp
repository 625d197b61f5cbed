// SPDX-License-Identifier: BSL-1.0
// sched/metrics.cpp - the sum of what all threads have counted, and a look at the queues. Takes the
// idle lock for moments, and asks for memory without it [PREEMPT-3]. What is read while it changes
// is a little old, never torn.
#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>

#include "sched/runtime_entry.hpp"

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

void sample_wake(worker& w, fiber_record& f) noexcept {
  w.counters.next_sample(w.random);
  start_clock(f, os::now_ns());
}

// By threads of other runtimes, and those that are no workers.
void scheduler::count_outside_wake(fiber_record& f) noexcept {
  const std::uint64_t n = outside_wakes_.fetch_add(1, std::memory_order_relaxed);
  if (n % worker_counters::wakes_per_sample == 0) start_clock(f, os::now_ns());
}

std::vector<runtime_metrics> scheduler::measure_all() {
  std::vector<runtime_metrics> all;
  const runtimes_held runtimes;
  for (scheduler* s : runtimes.all())
    if (s->phase_.load(std::memory_order_relaxed) != phase::ended) all.push_back(s->measure());
  return all;
}

runtime_metrics scheduler::measure() {
  runtime_metrics m{};
  m.name = options_.name;
  m.number = number_;
  m.uptime = std::chrono::nanoseconds(os::now_ns() - made_ns_);

  // What comes later in a fiber's life is read first, so that no difference is negative: [LIFE-6].
  m.ended = outside_ended_.load(std::memory_order_acquire);
  m.wakes = outside_wakes_.load(std::memory_order_acquire);
  for_each_worker([&](const worker& w) {
    m.ended += w.ended.load(std::memory_order_acquire);
    m.wakes += w.counters.wakes.get();
  });
  m.spawned = outside_spawned_.load(std::memory_order_seq_cst);
  m.polls = monitor_counters_.polls.get();
  m.poll_events = monitor_counters_.poll_events.get();
  m.timers_fired = monitor_counters_.timers_fired.get();
  m.stalls = monitor_counters_.stalls.get();
  for_each_worker([&](const worker& w) {
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
  m.retakes = retakes_.load(std::memory_order_relaxed);
  m.preemptions = preemptions_.load(std::memory_order_relaxed);

  m.threads = threads_running_.load(std::memory_order_relaxed);
  m.frozen = frozen_count_.load(std::memory_order_relaxed);
  m.asleep -= std::min(m.asleep, m.frozen);
  m.serving = counts_.serving();
  m.searching = idle_.searching();
  m.injected_now = static_cast<std::size_t>(
      std::max<std::int64_t>(injected_size_.load(std::memory_order_relaxed), 0));
  m.runnable = m.injected_now + m.frozen;
  for (const auto& p : processors()) {
    const bool next = p->next.load(std::memory_order_relaxed) != nullptr;
    const auto queued = static_cast<std::size_t>(p->stealable() + p->claimed_hint());
    const bool busy = p->holder.load(std::memory_order_relaxed) != nullptr;
    m.processors.push_back({p->index, true, busy, queued, next, p->timers.size(), p->steps.get()});
    m.steps += p->steps.get();
    m.busy += busy;
    m.runnable += queued + next;
  }
  {
    const std::lock_guard guard(idle_lock_);
    for (const processor* p : inactive_)
      if (p->index < m.processors.size()) m.processors[p->index].serving = false;
  }
  m.alive = m.spawned - m.ended;
  m.waiting = std::min<std::size_t>(m.alive, m.parks - std::min(m.wakes, m.parks));
  m.runnable = std::min(m.runnable, m.alive - m.waiting);
  m.running = m.alive - m.waiting - m.runnable;
  m.offloads = offloads_.look();
  return m;
}

}  // namespace detail
}  // namespace weft
