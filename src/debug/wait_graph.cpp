// SPDX-License-Identifier: BSL-1.0
// debug/wait_graph.cpp - see the header.
#include "debug/wait_graph.hpp"

#include <algorithm>
#include <cstdio>
#include <unordered_set>

#include "debug/peek.hpp"
#include "net/poll_descriptor.hpp"
#include "sync/lock_owner.hpp"
#include "sync/select_snapshot.hpp"

namespace weft::detail {
namespace {

std::string address_text(const void* p) {
  char text[32];
  std::snprintf(text, sizeof text, "%p", p);
  return text;
}

std::string count_text(std::size_t n, const char* what) {
  return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

std::string descriptor_text(const select_case& c) {  // records of descriptors are never unmapped
  const auto* d = static_cast<const poll_descriptor*>(c.object);
  return " at descriptor " +
         std::to_string(d != nullptr ? d->number.load(std::memory_order_relaxed) : c.number);
}

std::string case_text(const select_case& c) {
  switch (c.kind) {
    case case_kind::receive:
      return "receives from channel " + address_text(c.object);
    case case_kind::send:
      return "sends to channel " + address_text(c.object);
    case case_kind::join:
      return "the end of " + agent_text(record_of(*static_cast<task*>(c.object)));
    case case_kind::stop:
      return "a stop request";
    case case_kind::deadline:
      return "a deadline";
    case case_kind::timer:
      return "timer " + address_text(c.object);
    case case_kind::readable:
      return "something to read" + descriptor_text(c);
    case case_kind::writable:
      return "room to write" + descriptor_text(c);
    case case_kind::fallback:
    case case_kind::never:
      break;
  }
  return "a disabled case";
}

}  // namespace

void wait_graph::add(const fiber_snapshot& l) {
  if (l.outer != nullptr) inner_[l.outer] = l.record;
  if (l.scope != nullptr) scopes_[l.scope].push_back(l.record);
  if (l.place == fiber_position::lending) {
    edges_[l.record] = {l.record, l.word, l.id, park_reason::none, nullptr};
    return;
  }
  if (l.place != fiber_position::parked || l.object == nullptr) return;
  switch (l.reason) {
    case park_reason::mutex:
    case park_reason::shared_mutex:
      if (l.home == nullptr && l.record->thread_deadline.load(std::memory_order_relaxed)) break;
      [[fallthrough]];
    case park_reason::scope_limit:
      has_limits_ = true;
      [[fallthrough]];
    case park_reason::join:
    case park_reason::scope_join:
      edges_[l.record] = {l.record, l.word, l.id, l.reason, l.object};
      break;
    case park_reason::channel_send:
      ++extra_waiter_lists_[l.object].senders;
      break;
    case park_reason::channel_receive:
      ++extra_waiter_lists_[l.object].receivers;
      break;
    case park_reason::select:
      return add_select(l);
    default:  // thousands may wait for their sockets: nothing is kept for them
      break;
  }
}

void wait_graph::add_select(const fiber_snapshot& l) {
  constexpr std::size_t most_named = 8;
  const std::vector<select_case> cases = read_select(l.object, *l.record, l.word);
  if (cases.empty()) return;
  std::string text = "selects: ";
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const select_case& c = cases[i];
    if (c.kind == case_kind::receive) ++extra_waiter_lists_[c.object].receivers;
    if (c.kind == case_kind::send) ++extra_waiter_lists_[c.object].senders;
    if (i < most_named) text += (i > 0 ? ", " : "") + case_text(c);
  }
  if (cases.size() > most_named)
    text += ", and " + std::to_string(cases.size() - most_named) + " more";
  selects_[l.record] = std::move(text);
}

void wait_graph::resolve(const runtimes_held& runtimes) {
  drop_those_with_deadlines(runtimes);
  for (auto& [f, e] : edges_) {
    switch (e.reason) {
      case park_reason::none:
        if (const auto inner = inner_.find(f); inner != inner_.end()) e.whom = inner->second;
        break;
      case park_reason::join:
        e.whom = const_cast<fiber_record*>(static_cast<const fiber_record*>(e.object));
        break;
      case park_reason::mutex: {
        const lock_owner owner = read_owner(e.object, *e.who, e.word);
        e.whom = owner.agent;
        e.on_stack = owner.on_stack;
        break;
      }
      case park_reason::shared_mutex: {
        const shared_owner owner = read_shared_owner(e.object, *e.who, e.word);
        e.whom = owner.writer;
        e.on_stack = owner.on_stack;
        e.written = owner.written;
        e.readers = owner.readers;
        break;
      }
      default:
        break;
    }
  }
  find_owners_by_stack();
}

void wait_graph::drop_those_with_deadlines(const runtimes_held& runtimes) {
  std::unordered_map<std::uint64_t, const fiber_record*> tickets;
  for (const auto& [f, e] : edges_) tickets[f->make_ticket(fiber_word::epoch_of(e.word)).bits] = f;
  std::vector<const fiber_record*> timed;
  timed.reserve(tickets.size());  // not in the loop: see look
  if (tickets.empty()) return;
  for (const scheduler* s : runtimes.all())
    for (const auto& p : s->processors())
      p->timers.look([&](std::int64_t, ticket t) {
        if (const auto found = tickets.find(t.bits);
            found != tickets.end() && timed.size() < timed.capacity())
          timed.push_back(found->second);
      });
  for (const fiber_record* f : timed) edges_.erase(f);
}

// One pass over the records for all owners. Of several fibers on one stack the innermost runs, and
// so may have locked.
void wait_graph::find_owners_by_stack() {
  std::vector<edge*> wanted;
  for (auto& [f, e] : edges_)
    if (e.on_stack != nullptr) wanted.push_back(&e);
  if (wanted.empty()) return;
  const auto place = [](const edge* e) { return reinterpret_cast<std::uintptr_t>(e->on_stack); };
  std::sort(wanted.begin(), wanted.end(),
            [&](const edge* a, const edge* b) { return place(a) < place(b); });
  for_each_record([&](fiber_record& f) {
    const fiber_state s = fiber_word::state_of(f.word.snapshot());
    if (s == fiber_state::unused || s == fiber_state::dead || s == fiber_state::fresh ||
        f.has(fiber_record::is_thread))
      return;
    const stack_range range = stack_of_fiber(f);
    auto e = std::lower_bound(wanted.begin(), wanted.end(), range.low,
                              [&](const edge* a, std::uintptr_t low) { return place(a) < low; });
    for (; e != wanted.end() && range.holds(place(*e)); ++e)
      if ((*e)->whom == nullptr || f.has(fiber_record::inlined)) (*e)->whom = &f;
  });
}

const wait_graph::edge* wait_graph::edge_of(const fiber_record* f) const {
  const auto found = edges_.find(f);
  return found != edges_.end() ? &found->second : nullptr;
}

std::vector<fiber_record*> wait_graph::waited_for(const edge& e) const {
  if (e.whom != nullptr) return {e.whom};
  if (e.reason == park_reason::scope_join || e.reason == park_reason::scope_limit)
    if (const auto found = scopes_.find(e.object); found != scopes_.end()) return found->second;
  return {};
}

// GRAPH-2. All fibers count as stuck at first; a fiber that waits for one that is not stuck is not.
std::unordered_set<const fiber_record*> wait_graph::stuck() const {
  std::unordered_set<const fiber_record*> all;
  for (const auto& [f, e] : edges_) all.insert(f);
  for (bool changed = has_limits_; changed;) {
    changed = false;
    for (const auto& [f, e] : edges_) {
      if (!all.contains(f)) continue;
      const std::vector<fiber_record*> whom = waited_for(e);
      const auto in = [&](const fiber_record* w) { return all.contains(w); };
      const bool is = e.reason == park_reason::scope_limit
                          ? !whom.empty() && std::all_of(whom.begin(), whom.end(), in)
                          : std::any_of(whom.begin(), whom.end(), in);
      if (is) continue;
      all.erase(f);
      changed = true;
    }
  }
  // What it becomes inactive on has not moved meanwhile, or nothing is said this time.
  if (has_limits_ && !std::all_of(all.begin(), all.end(), [&](const fiber_record* f) {
        const edge* const e = edge_of(f);
        return e->who->word.still(e->word);
      }))
    all.clear();
  return all;
}

// GRAPH-1. The lender's own word says `running` all the time.
bool wait_graph::still(const cycle& c) {
  return std::all_of(c.begin(), c.end(), [](const edge& e) { return e.who->word.still(e.word); });
}

// Depth first; a fiber that was left is not entered again, so each is in one reported cycle at
// most.
std::vector<wait_graph::cycle> wait_graph::cycles() const {
  std::vector<cycle> found;
  std::unordered_map<const fiber_record*, std::size_t> depth;  // on the path: where; left: SIZE_MAX
  struct step {
    const edge* at;
    std::vector<fiber_record*> next;
    std::size_t taken = 0;
  };
  const std::unordered_set<const fiber_record*> stuck = this->stuck();
  for (const auto& [start, first] : edges_) {
    if (depth.contains(start) || !stuck.contains(start)) continue;
    std::vector<step> path;
    path.push_back({&first, waited_for(first)});
    depth[start] = 0;
    while (!path.empty()) {
      step& top = path.back();
      if (top.taken == top.next.size()) {
        depth[top.at->who] = SIZE_MAX;
        path.pop_back();
        continue;
      }
      fiber_record* const whom = top.next[top.taken++];
      const auto seen = depth.find(whom);
      if (seen == depth.end()) {
        const edge* const e = edge_of(whom);
        if (e == nullptr || !stuck.contains(whom)) continue;
        depth[whom] = path.size();
        path.push_back({e, waited_for(*e)});
      } else if (seen->second != SIZE_MAX) {
        cycle c;
        for (std::size_t i = seen->second; i < path.size(); ++i) {
          c.push_back(*path[i].at);
          c.back().whom = path[i].next[path[i].taken - 1];
        }
        if (still(c)) found.push_back(std::move(c));
      }
    }
  }
  return found;
}

std::string wait_graph::text_of(const edge& e) {
  const std::string whom = e.whom != nullptr ? agent_text(*e.whom) : "";
  switch (e.reason) {
    case park_reason::mutex:
      return "waits for mutex " + address_text(e.object) + ", held by " +
             (!whom.empty()           ? whom
              : e.on_stack != nullptr ? "a plain thread"
                                      : "somebody not known");
    case park_reason::shared_mutex:
      return "waits for shared_mutex " + address_text(e.object) +
             (!e.written ? e.readers > 0 ? ", held by " + count_text(e.readers, "reader") : ""
              : !whom.empty()
                  ? ", written by " + whom
                  : std::string(", written by ") +
                        (e.on_stack != nullptr ? "a plain thread" : "somebody not known"));
    case park_reason::join:
      return "waits for the end of " + whom;
    case park_reason::scope_join:
      return "waits for the end of its scope, so for " + whom;
    case park_reason::scope_limit:
      return "waits for a place in a scope at its limit, so for one of its children, such as " +
             whom;
    default:
      return "has lent its stack to " + whom + ", which it joins";
  }
}

std::string wait_graph::text_of(const cycle& c) {
  std::string text;
  for (const edge& e : c)
    text += (text.empty() ? "" : ",\n    which ") + (text.empty() ? agent_text(*e.who) + " " : "") +
            text_of(e);
  return text;
}

std::string wait_graph::text_of(const fiber_snapshot& l) const {
  if (l.place == fiber_position::lending) {
    const auto inner = inner_.find(l.record);
    return inner != inner_.end()
               ? "has lent its stack to " + agent_text(*inner->second) + ", which it joins"
               : "";
  }
  if (l.place != fiber_position::parked || l.object == nullptr) return {};
  if (const edge* e = edge_of(l.record); e != nullptr && e->whom != nullptr) return text_of(*e);
  const std::string at = " " + address_text(l.object);
  switch (l.reason) {
    case park_reason::mutex:
    case park_reason::shared_mutex: {
      const edge* e = edge_of(l.record);
      return e != nullptr ? text_of(*e) : std::string("waits for ") + to_text(l.reason) + at;
    }
    case park_reason::join:
      return "waits for the end of " +
             agent_text(*const_cast<fiber_record*>(static_cast<const fiber_record*>(l.object)));
    case park_reason::scope_join: {
      const auto children = scopes_.find(l.object);
      if (children == scopes_.end()) return "waits for the end of its scope";
      std::string text =
          "waits for the end of its scope: " + count_text(children->second.size(), "fiber") + ",";
      for (std::size_t i = 0; i < children->second.size() && i < 4; ++i)
        text += " " + agent_text(*children->second[i]);
      return text + (children->second.size() > 4 ? " ..." : "");
    }
    case park_reason::scope_limit: {
      const auto children = scopes_.find(l.object);
      return "waits for a place in a scope at its limit" +
             (children != scopes_.end() ? ": " + count_text(children->second.size(), "child")
                                        : std::string());
    }
    case park_reason::channel_send:
    case park_reason::channel_receive: {
      const bool sends = l.reason == park_reason::channel_send;
      const auto there = extra_waiter_lists_.find(l.object);
      const extra_waiters c = there != extra_waiter_lists_.end() ? there->second : extra_waiters{};
      const std::size_t same = sends ? c.senders : c.receivers,
                        other = sends ? c.receivers : c.senders;
      std::string text = (sends ? "sends to channel" : "receives from channel") + at;
      if (same > 1)
        return text + ", as " + count_text(same - 1, "other") + (same == 2 ? " does" : " do");
      return text + (other == 0 ? ", where nobody else waits" : "");
    }
    case park_reason::io_read:
    case park_reason::io_write:
    case park_reason::io_accept:
    case park_reason::io_connect:  // records of descriptors are never unmapped
      return "waits for descriptor " +
             std::to_string(static_cast<const poll_descriptor*>(l.object)->number.load(
                 std::memory_order_relaxed));
    case park_reason::select: {
      const auto cases = selects_.find(l.record);
      return cases != selects_.end() ? cases->second : std::string();
    }
    case park_reason::offload:
      return {};
    default:
      return std::string("waits for ") + to_text(l.reason) + at;
  }
}

}  // namespace weft::detail
