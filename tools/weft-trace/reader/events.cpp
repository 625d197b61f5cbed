// SPDX-License-Identifier: BSL-1.0
// tools/weft-trace/reader/events.cpp - see the header, and "What is not written" in
// src/trace/README.md:
//   creations   fiber_create_more counts them
//   starts      where a thread turns from one fiber to one that is fresh, the fiber it left has
//               told the time. Whoever speaks next on that thread is the one that started; a fiber
//               that never spoke is in the table of those that run.
#include "reader/events.hpp"

#include <cstring>

namespace weft::tools {
namespace {

namespace format = detail::trace;

// Who must be running for such an event to be told; 0: it does not say.
std::uint64_t speaker(const trace_event& e) {
  switch (e.what()) {
    case event::fiber_create:
    case event::fiber_ready:
    case event::inline_join:
      return e.other;
    case event::fiber_park:
    case event::fiber_yield:
    case event::fiber_end:
    case event::inline_end:
    case event::preempt:
    case event::fiber_stack:
    case event::region_begin:
    case event::region_end:
    case event::log:
      return e.fiber;
    default:
      return 0;
  }
}

// What is known of a thread after each of its events.
struct story {
  bool turning = false;     // it has left a fiber, and nobody spoke since
  std::uint64_t left = 0;   // that fiber
  std::uint64_t ticks = 0;  // of the last event

  void goes_on(const trace_event& e) {
    switch (e.what()) {
      case event::fiber_park:
      case event::fiber_yield:
      case event::fiber_end:
        turning = true;
        left = e.fiber;
        return;
      case event::fiber_ready:  // by the one that ends, or by a timer on the way
      case event::worker_wake:
      case event::inject:
      case event::fiber_create_more:
        return;
      default:
        turning = false;
    }
  }
};

class decoder {
 public:
  decoder(trace& t, const thread_table& known,
          const std::function<std::int64_t(std::uint64_t)>& to_ns)
      : t_(t), known_(known), to_ns_(to_ns) {}

  void decode(const batch_key& key, std::span<const std::byte> payload) {
    format::batch_header head;
    std::memcpy(&head, payload.data(), sizeof head);
    const std::uint32_t thread = thread_of(key);
    t_.threads[thread].dropped += head.dropped;
    story& s = stories_[thread];
    // something is missing
    if (head.dropped != 0 || key.sequence != sequences_[thread]) s.turning = false;
    sequences_[thread] = key.sequence + 1;
    std::span<const std::byte> b = payload.subspan(sizeof head);
    format::event_context c;
    c.ticks = head.ticks;
    while (b.size() >= 2) {
      const auto id = std::to_integer<unsigned>(b[0]);
      const auto lengths = std::to_integer<unsigned>(b[1]);
      std::size_t at = 2;
      std::uint64_t v[4] = {};
      for (unsigned i = 0; i < 4; ++i) {
        const unsigned n = format::value_lengths[lengths >> 2 * i & 3U];
        if (n > b.size() - at) return problem("a batch ends inside an event");
        std::memcpy(&v[i], b.data() + at, n);
        at += n;
      }
      c.ticks += v[0];
      c.fiber += format::unzigzag(v[1]);
      c.other[id % 32] += format::unzigzag(v[3]);
      trace_event e;
      e.ns = to_ns_(c.ticks);
      e.id = static_cast<std::uint8_t>(id);
      e.thread = thread;
      const auto meaning = t_.meanings.find(id);
      e.fiber = meaning != t_.meanings.end() && meaning->second.values[0] == "-" ? 0 : c.fiber;
      e.number = v[2];
      e.other = c.other[id % 32];
      if (id >= format::first_text_id) {
        if (v[2] > b.size() - at) return problem("a batch ends inside a text");
        e.text = static_cast<std::uint32_t>(t_.texts.size());
        t_.texts.emplace_back(reinterpret_cast<const char*>(b.data() + at), v[2]);
        at += v[2];
      }
      take(e, c.ticks);
      b = b.subspan(at);
    }
    if (!b.empty()) problem("a batch ends inside an event");
  }

  void end(const std::vector<running_fiber>& running) {
    for (std::uint32_t i = 0; i < t_.threads.size(); ++i)
      for (const running_fiber& r : running)
        if (r.thread == t_.threads[i].id && r.ticks >= stories_[i].ticks) start(i, r.fiber);
  }

 private:
  void problem(std::string text) {
    if (t_.problems.size() < 50) t_.problems.push_back(std::move(text));
  }

  void take(const trace_event& e, std::uint64_t ticks) {
    story& s = stories_[e.thread];
    if (e.what() == event::fiber_create_more) {
      if (last_.what() != event::fiber_create || last_.thread != e.thread || last_.fiber != e.fiber)
        return;
      const std::uint64_t more = std::min<std::uint64_t>(e.number, 255);
      for (std::uint64_t i = 0; i < more; ++i) {
        ++last_.fiber;
        t_.events.push_back(last_);
      }
      return;
    }
    if (const std::uint64_t who = speaker(e)) start(e.thread, who);
    s.ticks = ticks;
    s.goes_on(e);
    last_ = e;
    t_.events.push_back(e);
  }

  void start(std::uint32_t thread, std::uint64_t fiber) {
    story& s = stories_[thread];
    if (!s.turning || fiber == s.left) return;
    s.turning = false;
    trace_event e;
    e.ns = to_ns_(s.ticks);
    e.id = static_cast<std::uint8_t>(event::fiber_start);
    e.thread = thread;
    e.fiber = fiber;
    t_.events.push_back(e);
  }

  std::uint32_t thread_of(const batch_key& key) {
    const auto [at, added] = threads_.try_emplace({key.ring, key.incarnation},
                                                  static_cast<std::uint32_t>(t_.threads.size()));
    if (added) {
      const auto known = known_.find(at->first);
      t_.threads.emplace_back();
      stories_.emplace_back();
      sequences_.push_back(key.sequence);
      trace_thread& mine = t_.threads.back();
      if (known != known_.end()) {
        mine = known->second;
      } else {
        mine.ring = key.ring;
        mine.incarnation = key.incarnation;
        mine.name = "thread of ring " + std::to_string(key.ring);
      }
    }
    return at->second;
  }

  trace& t_;
  const thread_table& known_;
  const std::function<std::int64_t(std::uint64_t)>& to_ns_;
  std::vector<story> stories_;            // as the trace's threads
  std::vector<std::uint32_t> sequences_;  // the next one
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> threads_;
  trace_event last_;
};

}  // namespace

void read_events(trace& t, const batches& all, const thread_table& known,
                 const std::vector<running_fiber>& running,
                 const std::function<std::int64_t(std::uint64_t)>& to_ns) {
  t.texts.emplace_back();
  decoder d(t, known, to_ns);
  for (const auto& [key, payload] : all) d.decode(key, payload);
  d.end(running);
}

}  // namespace weft::tools
