// SPDX-License-Identifier: BSL-1.0
#pragma once
// test/model/explorer.hpp - runs a small concurrent program in every way C++ allows, and says when
// one is wrong.
//
//   auto r = model::explore({}, [](model::execution& x) {
//     auto s = std::make_shared<state>();              // fresh per execution; atomics of
//     model::sync inside x.thread("writer", [s] { s->flag.store(1, std::memory_order_release); });
//     x.thread("reader", [s] { model::check(s->flag.load(std::memory_order_acquire) < 2, "flag is 0
//     or 1"); }); x.finally([s] { model::observe({s->result}); }); // after all threads ended
//   });
//   CHECK_MESSAGE(r.ok(), r.report);
//
// How: every atomic operation is a scheduling point; which thread goes on and which value a load
// returns are choices; depth-first search replays the program from its start for every untried
// choice. States are recognised by what each thread has observed so far plus every modification
// order, so interleavings that differ only in the order of independent steps are explored once. The
// body must therefore be deterministic apart from what it gets out of model objects, and may keep
// what it learnt in ordinary memory only per thread. Spinning must go through sync::pause(): it
// blocks until something the loop read has changed, which ends spins and turns a wait for something
// that never comes into a reported deadlock. Rejected: relacy (unmaintained, wants its own macros
// in the code), sleep sets (do not combine with recognising states, and prune less here), real
// threads (slow, and the hardware shows only its own reorderings).
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "where.hpp"

namespace weft::model {

enum class verdict {
  passed,      // every execution within the options was fine
  violated,    // a check failed or a body threw
  raced,       // plain data, or an atomic's construction or destruction, without happens-before
  deadlocked,  // threads left and none can go on
  unfinished   // a limit was hit: nothing is proved
};

// An operation in the source, and what it is weakened to in a mutant.
struct mutation {
  enum class kind { none, drop_fence, heavy_is_local, relax, seq_cst_to_acq_rel };
  kind what = kind::none;
  where site{};
};

struct options {
  int preemptions = -1;  // most switches away from a thread that could go on; -1: any number
  std::uint64_t max_executions = 20'000'000;  // more is `unfinished`
  std::uint32_t max_steps = 2000;             // of one execution; more is `unfinished`
  bool reorder_stores = true;      // a store may go before unseen ones in the modification order
  unsigned spurious_failures = 1;  // of compare_exchange_weak, per execution
  std::uint64_t random_executions = 0;  // instead of the search: so many random walks
  std::uint64_t seed = 1;
  mutation mutate{};
};

struct result {
  verdict end = verdict::passed;
  std::string report;  // why, and the whole interleaving; or the numbers explored
  std::uint64_t executions = 0;
  std::uint64_t states = 0;
  std::set<std::vector<long>> observed;
  bool ok() const noexcept { return end == verdict::passed; }
  bool saw(std::vector<long> values) const { return observed.contains(values); }
};

class execution {
 public:
  void thread(std::string name, std::function<void()> body);
  // A thread that may sleep for ever: the execution ends when the others have and it is blocked.
  // Its frames are dropped then, not unwound, so they must own nothing.
  void daemon(std::string name, std::function<void()> body);
  void finally(std::function<void()> body);
  // Names a model::sync::atomic in reports; unnamed ones go by the line that constructed them.
  void name(const void* atomic, std::string name);
};

using program = std::function<void(execution&)>;

result explore(const options&, const program&);

void check(bool holds, const char* claim, where = where::here());
void observe(std::vector<long> values);

// One mutant per weakenable operation in files whose path contains `file`: is each ordering needed,
// and would the test notice? A mutant counts as caught when its exploration ends violated, raced or
// deadlocked.
struct mutant {
  mutation change;
  std::string text;   // "store release made relaxed"
  std::string place;  // "deque.hpp:57"
  verdict end = verdict::passed;
  bool caught() const noexcept { return end != verdict::passed && end != verdict::unfinished; }
};

using programs = std::vector<program>;
std::vector<mutant> mutate(const options&, const programs&, std::string_view file);
// Those not caught, without the line numbers ("load acquire made relaxed"), sorted: for the test to
// compare.
std::vector<std::string> survivors(const std::vector<mutant>&);
std::string list(const std::vector<mutant>&);  // a line each, for the test's message

}  // namespace weft::model
