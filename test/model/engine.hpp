// SPDX-License-Identifier: BSL-1.0
#pragma once
// test/model/engine.hpp - one execution at a time: who runs, what was chosen, what happened.
// Internal to the checker; sync.hpp calls the operations at the bottom.
//
// Every operation first announces itself (point), which may switch to another thread, and when its
// thread is chosen again takes effect at once. Choices are a log: the replayed prefix, then new
// entries, first option first. After a state that was seen before the execution is drained: run to
// its end without branching, only so that its objects are destroyed. An execution that failed is
// abandoned: its stacks are kept, never unwound.
#include <deque>
#include <memory>
#include <random>
#include <unordered_map>
#include <unordered_set>

#include "coroutine.hpp"
#include "explorer.hpp"
#include "memory.hpp"

namespace weft::model {

enum class op : std::uint8_t {
  load,
  store,
  rmw,
  cas,
  cas_failed,
  fence,
  light_fence,
  heavy_fence,
  heavy_step,
  pause,
  plain_read,
  plain_write,
  create,
  destroy,
  futex_wait,
  futex_wake,
  join,
  note
};

struct event {
  std::size_t thread;
  op what;
  std::size_t location;
  std::memory_order order;
  std::uint64_t read, written;
  std::size_t newer;  // messages later in modification order than the one read or written
  where site;
};

struct site {
  op what;
  std::memory_order order;
  where at;
};

class engine {
 public:
  explicit engine(const options& o) : options_(o), random_(o.seed) {}

  void run(const program&);
  bool backtrack();
  bool failed() const noexcept { return end_ != verdict::passed; }
  verdict end() const noexcept { return end_; }
  const std::string& why() const noexcept { return why_; }  // with the interleaving
  std::uint64_t states() const noexcept { return visited_.size(); }
  void give_up(std::string why) {
    end_ = verdict::unfinished;
    why_ = std::move(why);
  }

  // For the operations.
  std::size_t self() const noexcept { return running_; }
  void point(op);
  std::size_t choose(std::size_t count);
  void record(op, std::size_t location, std::memory_order, std::uint64_t read,
              std::uint64_t written, std::size_t newer, where);
  [[noreturn]] void fail(verdict, std::string why);
  std::memory_order weakened(op, std::memory_order, where);
  bool mutated(mutation::kind, where) const noexcept;
  std::string label(std::size_t location) const;
  void join_threads();
  bool reorders_stores() const noexcept { return options_.reorder_stores; }

  struct thread_state {
    std::string name;
    std::function<void()> body;
    std::unique_ptr<coroutine> stack;
    op pending = op::note;
    bool finished = false;
    bool daemon = false;
    bool asleep = false;  // in futex_wait
  };

  memory mem;
  std::vector<thread_state> threads;
  std::vector<std::function<void()>> finals;
  std::unordered_map<const void*, std::string> names;
  std::vector<site> sites;
  bool collect_sites = false;
  unsigned spurious_left = 0;
  std::vector<std::size_t> scratch;
  std::deque<std::size_t> sleepers;
  std::set<std::vector<long>> observed;
  std::uint64_t executions = 0;

 private:
  struct choice {
    std::uint32_t taken, count;
  };

  static void main_body(void*);
  static void thread_body(void*);
  bool enabled(std::size_t thread) const;
  std::size_t pick();
  bool visited();
  void switch_to(std::size_t thread);
  [[noreturn]] void leave();  // to the root, for good
  void bury();
  std::string trace() const;

  options options_;
  verdict end_ = verdict::passed;
  std::string why_;
  std::mt19937_64 random_;
  std::vector<choice> log_;
  std::size_t cursor_ = 0;
  std::unordered_map<std::uint64_t, int>
      visited_;  // state -> fewest preemptions it was reached with
  // what sites has, by the address of the file's name: most events are no news
  std::unordered_set<std::uint64_t> met_;
  std::vector<event> events_;
  const program* program_ = nullptr;
  coroutine root_;
  std::vector<std::unique_ptr<coroutine>> spare_stacks_;
  std::size_t running_ = 0;
  bool forked_ = false;
  bool draining_ = false;
  std::uint32_t steps_ = 0;
  int preemptions_ = 0;
};

// The execution in progress on this OS thread; null outside explore().
engine* current_engine() noexcept;
void set_current_engine(engine*) noexcept;

const char* name_of(op) noexcept;
const char* name_of(std::memory_order) noexcept;

}  // namespace weft::model
