// SPDX-License-Identifier: BSL-1.0
// debug/dump.cpp - all fibers in words: one paragraph for similar ones.
//
//   1 every record is looked at and put into its paragraph at once, so that a million fibers need
//     no more memory than their kinds
//   2 owners and cycles (wait_graph.hpp)
//   3 the text, with symbols
//
// Step 1 is short for each fiber, step 3 is short for each kind. No runtime starts or ends from 1
// to 3.
#include <weft/debug.hpp>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string_view>

#include "base/one_line.hpp"
#include "debug/calls_text.hpp"
#include "debug/fiber_report.hpp"
#include "debug/peek.hpp"
#include "debug/running_snapshot.hpp"
#include "debug/wait_graph.hpp"
#include "os/os.hpp"

namespace weft::debug {
namespace {

using namespace weft::detail;

constexpr std::size_t most_named = 8, most_paragraphs = 200, most_objects_apart = 8;
constexpr std::size_t most_kinds = 20'000;  // beyond, objects are no longer distinguished

struct paragraph {
  fiber_snapshot first;
  std::vector<fiber_record*> named;  // some of them
  std::size_t count = 0;
  std::int64_t oldest = 0, youngest = 0;  // since when
  bool many_objects = false;
  std::string calls;
};

struct kind {  // what paragraphs have in common before their objects are looked at
  scheduler* home;
  fiber_position place;
  park_reason reason;
  stack_table::id stack;
  const task_operations* runs;  // of those without a stack
  const void* object;           // null: any
  auto operator<=>(const kind&) const = default;
};
struct kind_hash {
  std::size_t operator()(const kind& k) const noexcept {
    std::uint64_t h = reinterpret_cast<std::uintptr_t>(k.home);
    for (const std::uint64_t x :
         {static_cast<std::uint64_t>(k.place), static_cast<std::uint64_t>(k.reason),
          static_cast<std::uint64_t>(k.stack),
          static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(k.runs)),
          static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(k.object))})
      h = (h ^ x) * 0x9e3779b97f4a7c15U;
    return h;
  }
};

class paragraphs {
 public:
  void add(const fiber_snapshot& l) {
    kind k{};  // zeros between its members, too: merge
    k.home = l.home;
    k.place = l.place;
    k.reason = l.reason;
    k.stack = l.stack;
    if (l.stack == stack_table::none) k.runs = l.runs;
    const bool alone = l.place == fiber_position::computing || l.place == fiber_position::blocked ||
                       l.place == fiber_position::lending;
    k.object = alone ? static_cast<const void*>(l.record) : l.object;
    if (k.object != nullptr && !all_.contains(k)) {
      kind any = k;
      any.object = nullptr;
      std::size_t& apart = objects_apart_[any];
      if (apart >= most_objects_apart && !alone)
        k.object = nullptr;
      else if (all_.size() < most_kinds)
        ++apart;
      else
        k.object = nullptr;
    }
    paragraph& p = all_[k];
    if (p.count++ == 0) {
      p.first = l;
      p.oldest = p.youngest = l.since_ns;
    }
    if (p.named.size() < most_named) p.named.push_back(l.record);
    p.oldest = std::min(p.oldest, l.since_ns);
    p.youngest = std::max(p.youngest, l.since_ns);
    p.many_objects |= l.object != p.first.object;
  }

  // Without weft's own calls more of them are alike.
  void merge(const std::function<std::string(const fiber_snapshot&)>& calls) {
    std::unordered_map<std::string, paragraph> merged;
    for (auto& [k, p] : all_) {
      p.calls = calls(p.first);
      kind like = k;
      like.stack = stack_table::none;
      std::string key(reinterpret_cast<const char*>(&like), sizeof like);
      paragraph& into = merged[key + p.calls];
      if (into.count == 0) {
        into = std::move(p);
        continue;
      }
      into.count += p.count;
      into.oldest = std::min(into.oldest, p.oldest);
      into.youngest = std::max(into.youngest, p.youngest);
      into.many_objects |= p.many_objects || p.first.object != into.first.object;
      for (std::size_t i = 0; i < p.named.size() && into.named.size() < most_named; ++i)
        into.named.push_back(p.named[i]);
    }
    done_.clear();
    for (auto& [key, p] : merged) done_.push_back(std::move(p));
  }

  // Those that run, then those that could, then the rest; the largest first, the longest wait
  // first.
  [[nodiscard]] std::vector<const paragraph*> in_order() const {
    std::vector<const paragraph*> out;
    for (const paragraph& p : done_) out.push_back(&p);
    const auto rank = [](const paragraph& p) {
      switch (p.first.place) {
        case fiber_position::crashed:
          return -1;
        case fiber_position::computing:
        case fiber_position::blocked:
        case fiber_position::frozen:
        case fiber_position::lending:
          return 0;
        case fiber_position::runnable:
        case fiber_position::moving:
          return 1;
        case fiber_position::parked:
          return 2;
        case fiber_position::fresh:
          return 3;
      }
      return 4;
    };
    std::sort(out.begin(), out.end(), [&](const paragraph* a, const paragraph* b) {
      if (rank(*a) != rank(*b)) return rank(*a) < rank(*b);
      if (a->count != b->count) return a->count > b->count;
      return a->oldest != b->oldest ? a->oldest < b->oldest : a->first.id < b->first.id;
    });
    return out;
  }

 private:
  std::unordered_map<kind, paragraph, kind_hash> all_;
  std::unordered_map<kind, std::size_t, kind_hash> objects_apart_;
  std::vector<paragraph> done_;
};

std::string duration_text(std::int64_t ns) {
  char text[48];
  const double seconds = static_cast<double>(std::max<std::int64_t>(ns, 0)) / 1e9;
  if (seconds < 1)
    std::snprintf(text, sizeof text, "%.0f ms", seconds * 1e3);
  else if (seconds < 600)
    std::snprintf(text, sizeof text, "%.1f s", seconds);
  else
    std::snprintf(text, sizeof text, "%.0f min", seconds / 60);
  return text;
}

std::string place_text(const fiber_snapshot& l) {
  switch (l.place) {
    case fiber_position::parked:
      if (l.reason == park_reason::none) return "left behind by its runtime";
      return std::string("parked, ") + to_text(l.reason);
    case fiber_position::runnable:
      return "runnable";
    case fiber_position::fresh:
      return "not started";
    case fiber_position::computing:
      return "running on worker " + std::to_string(l.worker);
    case fiber_position::blocked:
      return "blocked in the kernel on worker " + std::to_string(l.worker) +
             (l.system_call >= 0 ? ", system call " + system_call_text(l.system_call) : "");
    case fiber_position::crashed:
      return "crashed on worker " + std::to_string(l.worker);
    case fiber_position::frozen:
      return "preempted on worker " + std::to_string(l.worker);
    case fiber_position::lending:
      return "running";
    case fiber_position::moving:
      return "about to run or to wait";
  }
  return "?";
}

std::string head_text(const paragraph& p, const wait_graph& graph, std::int64_t now) {
  std::string text;
  if (p.count > 1)
    text =
        std::to_string(p.count) + (p.first.home != nullptr ? " fibers" : " threads") + " alike: ";
  std::vector<fiber_record*> named = p.named;
  std::sort(named.begin(), named.end(),
            [](const fiber_record* a, const fiber_record* b) { return a->index < b->index; });
  for (std::size_t i = 0; i < named.size(); ++i)
    text += (i > 0 ? ", " : "") + agent_text(*named[i]);
  if (p.count > p.named.size()) text += ", ...";
  text += ": " + place_text(p.first);
  if (p.first.place == fiber_position::parked && p.youngest > 0) {
    const std::string least = duration_text(now - p.youngest), most = duration_text(now - p.oldest);
    text += " for " + (least == most ? most : least + " to " + most);
  }
  const std::string what = graph.text_of(p.first);
  if (p.many_objects && p.first.reason == park_reason::select && !what.empty())
    text += "; the first " + what;
  else if (p.many_objects)
    text += "; each for another object";
  else if (!what.empty())
    text += "; " + what;
  return text + "\n";
}

std::string calls_of(const fiber_snapshot& l, const snapshot_taker& taker, calls_text& calls) {
  if (l.stack > stack_table::too_many) return calls.of(taker.stacks().at(l.stack));
  if (l.stack == stack_table::too_many) return "    (more different stacks than are told apart)\n";
  return l.home != nullptr ? calls.start(l.runs) : std::string();
}

std::string header_text(const runtimes_held& runtimes, std::size_t fibers) {
  std::string text =
      "weft: " + std::to_string(fibers) + (fibers == 1 ? " fiber" : " fibers") + " in ";
  if (runtimes.all().empty()) return text + "no runtime\n";
  for (std::size_t i = 0; i < runtimes.all().size(); ++i) {
    const scheduler& s = *runtimes.all()[i];
    text += (i > 0 ? ", " : "") + ("runtime \"" + one_line(s.settings().name) + "\" of ") +
            std::to_string(s.workers()) + (s.workers() == 1 ? " worker" : " workers");
  }
  return text + "\n";
}

}  // namespace

std::string dump_fibers() {
  snapshot_taker taker(true);
  paragraphs all;
  wait_graph graph;
  std::size_t fibers = 0;
  for_each_record([&](fiber_record& f) {
    fiber_snapshot l;
    if (!taker.look(f, l)) return;
    fibers += l.home != nullptr ? 1 : 0;
    graph.add(l);
    all.add(l);
  });
  graph.resolve(taker.runtimes());

  std::string text = header_text(taker.runtimes(), fibers);
  for (const wait_graph::cycle& c : graph.cycles())
    text += "\ndeadlock: " + wait_graph::text_of(c) + "\n";
  calls_text calls;
  all.merge([&](const fiber_snapshot& l) { return calls_of(l, taker, calls); });
  const std::int64_t now = os::now_ns();
  std::size_t written = 0, left_out = 0, fibers_left_out = 0;
  for (const paragraph* p : all.in_order()) {
    if (written == most_paragraphs) {
      ++left_out;
      fibers_left_out += p->count;
      continue;
    }
    ++written;
    text += "\n" + head_text(*p, graph, now) + p->calls;
  }
  if (left_out > 0)
    text += "\nand " + std::to_string(left_out) + " more kinds, " +
            std::to_string(fibers_left_out) + " fibers\n";
  return text;
}

std::vector<deadlock> find_deadlocks() {
  snapshot_taker taker(false);
  wait_graph graph;
  for_each_record([&](fiber_record& f) {
    fiber_snapshot l;
    if (taker.look(f, l)) graph.add(l);
  });
  graph.resolve(taker.runtimes());
  std::vector<deadlock> out;
  for (const wait_graph::cycle& c : graph.cycles()) {
    deadlock d;
    for (const wait_graph::edge& e : c)
      d.cycle.push_back({e.id, agent_text(*e.who), wait_graph::text_of(e)});
    d.text = wait_graph::text_of(c);
    out.push_back(std::move(d));
  }
  return out;
}

}  // namespace weft::debug

namespace weft::detail {

std::string dump_fiber(std::uint64_t id) {
  snapshot_taker taker(false);
  wait_graph graph;
  debug::paragraph one;
  for_each_record([&](fiber_record& f) {
    fiber_snapshot l;
    taker.copy_stacks(peek(f.id) == id);
    if (!taker.look(f, l)) return;
    graph.add(l);
    if (l.id != id) return;
    one.first = l;
    one.named = {l.record};
    one.count = 1;
    one.oldest = one.youngest = l.since_ns;
  });
  if (one.count == 0) return "";
  graph.resolve(taker.runtimes());
  calls_text calls;
  return debug::head_text(one, graph, os::now_ns()) + debug::calls_of(one.first, taker, calls);
}

}  // namespace weft::detail
