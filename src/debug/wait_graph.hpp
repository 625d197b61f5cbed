// SPDX-License-Identifier: BSL-1.0
#pragma once
// debug/wait_graph.hpp - which fibers wait for which: at a mutex or a shared_mutex for its owner,
// at a join for the fiber, at the end of a scope for each of its children, at a scope's limit for
// one of them, and with a lent stack for the fiber that runs on it.
//
//   1 add: every snapshot    2 resolve: owners of the mutexes waited for
//   3 cycles                 4 check that they are still there
//
//   GRAPH-1  a cycle that is reported was there at one moment, and so stays for ever: every fiber
//            in it was parked from its snapshot (1) until after the last owner was read (4: its
//            word is the same), and a parked fiber releases nothing.
//   GRAPH-2  a fiber that waits for a place in a scope continues when any one child leaves: it is
//            stuck only if all of them are. So cycles are searched among the stuck fibers.
//
// A wait with a deadline is no edge: it ends by itself. Nor are waits for channels, conditions and
// events, which any agent may end, or for the readers of a shared_mutex, which are only counted. A
// mutex that was locked by code without assertions knows its owner by an address in the owner's
// stack.

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "debug/fiber_snapshot.hpp"

namespace weft::detail {

class wait_graph {
 public:
  struct edge {
    fiber_record* who;
    std::uint64_t word, id;
    park_reason reason;  // none: its stack is lent
    const void* object;
    fiber_record* whom = nullptr;  // null: not known, or, for a scope, many
    const void* on_stack = nullptr;
    bool written = false;  // a shared_mutex: by a writer; else `readers`
    std::uint32_t readers = 0;
  };
  /// One that waits for the next, the last for the first.
  using cycle = std::vector<edge>;

  void add(const fiber_snapshot& l);
  void resolve(const runtimes_held& runtimes);
  [[nodiscard]] std::vector<cycle> cycles() const;

  /// What a fiber waits for, in words; empty: nothing worth them.
  [[nodiscard]] std::string text_of(const fiber_snapshot& l) const;
  [[nodiscard]] static std::string text_of(const cycle& c);
  [[nodiscard]] static std::string text_of(const edge& e);

 private:
  void add_select(const fiber_snapshot& l);
  void drop_those_with_deadlines(const runtimes_held& runtimes);
  void find_owners_by_stack();
  [[nodiscard]] std::vector<fiber_record*> waited_for(const edge& e) const;
  [[nodiscard]] const edge* edge_of(const fiber_record* f) const;
  [[nodiscard]] static bool still(const cycle& c);
  [[nodiscard]] std::unordered_set<const fiber_record*> stuck() const;

  struct extra_waiters {
    std::size_t senders = 0, receivers = 0;
  };
  std::unordered_map<const fiber_record*, edge> edges_;
  bool has_limits_ = false;  // a fiber waits at a scope's limit
  std::unordered_map<const fiber_record*, fiber_record*> inner_;        // runs on its stack
  std::unordered_map<const void*, std::vector<fiber_record*>> scopes_;  // children
  std::unordered_map<const void*, extra_waiters> extra_waiter_lists_;   // at channels
  std::unordered_map<const fiber_record*, std::string> selects_;        // in words
};

}  // namespace weft::detail
