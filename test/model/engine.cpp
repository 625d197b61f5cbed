// SPDX-License-Identifier: BSL-1.0
// test/model/engine.cpp - scheduling and choosing; see engine.hpp.
#include "engine.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace weft::model {

namespace {

engine* active = nullptr;

// To have been scheduled is progress, even where the operation taught the thread nothing.
constexpr std::uint64_t step_fact = 0x57e9;

// Failed executions cannot be unwound (the code under test is noexcept). What their stacks refer to
// stays reachable from here, so leak checkers see kept objects and not lost ones.
struct grave {
  std::vector<engine::thread_state> threads;
  std::vector<std::function<void()>> finals;
};
std::vector<grave>& graveyard() {
  static auto* all = new std::vector<grave>;
  return *all;
}

}  // namespace

engine* current_engine() noexcept { return active; }
void set_current_engine(engine* e) noexcept { active = e; }

void engine::run(const program& p) {
  ++executions;
  program_ = &p;
  mem.reset();
  events_.clear();
  names.clear();
  sleepers.clear();
  threads.clear();
  finals.clear();
  cursor_ = 0;
  running_ = 0;
  steps_ = 0;
  preemptions_ = 0;
  forked_ = draining_ = false;
  spurious_left = options_.spurious_failures;

  threads.reserve(max_threads);
  thread_state& main = threads.emplace_back();
  main.name = "main";
  main.stack =
      spare_stacks_.empty() ? std::make_unique<coroutine>() : std::move(spare_stacks_.back());
  if (!spare_stacks_.empty()) spare_stacks_.pop_back();
  threads[0].stack->start(main_body, this);
  coroutine::jump(root_, *threads[0].stack);

  if (failed()) {
    why_ += "\n" + trace();
    bury();
    return;
  }
  for (thread_state& t : threads) spare_stacks_.push_back(std::move(t.stack));
}

void engine::bury() {
  graveyard().push_back({std::move(threads), std::move(finals)});
  threads.clear();
  finals.clear();
}

// Deepest choice with an untried option; false when the search is complete.
bool engine::backtrack() {
  while (!log_.empty() && log_.back().taken + 1 == log_.back().count) log_.pop_back();
  if (log_.empty()) return false;
  ++log_.back().taken;
  return true;
}

void engine::main_body(void* argument) {
  engine& e = *static_cast<engine*>(argument);
  try {
    execution x;
    (*e.program_)(x);
    e.join_threads();
    for (auto& f : e.finals) f();
    // The last references to the program's objects go here, where their destructors are still
    // operations.
    e.finals.clear();
    for (thread_state& t : e.threads) t.body = nullptr;
  } catch (const std::exception& x) {
    e.fail(verdict::violated, std::string("main threw: ") + x.what());
  }
  e.leave();
}

void engine::thread_body(void* argument) {
  engine& e = *static_cast<engine*>(argument);
  const std::size_t me = e.running_;
  e.mem.note(me, step_fact);
  try {
    e.threads[me].body();
  } catch (const std::exception& x) {
    e.fail(verdict::violated, e.threads[me].name + " threw: " + x.what());
  }
  e.threads[me].finished = true;
  e.switch_to(e.pick());
  std::abort();
}

void engine::join_threads() {
  for (std::size_t t = 1; t < threads.size(); ++t) {
    if (spare_stacks_.empty()) {
      threads[t].stack = std::make_unique<coroutine>();
    } else {
      threads[t].stack = std::move(spare_stacks_.back());
      spare_stacks_.pop_back();
    }
    mem.fork(t);
    threads[t].stack->start(thread_body, this);
  }
  forked_ = true;
  point(op::join);
  forked_ = false;
  mem.join_all();
}

bool engine::enabled(std::size_t t) const {
  const thread_state& s = threads[t];
  if (s.finished || s.asleep) return false;
  if (s.pending == op::pause) return mem.can_progress(t);
  if (s.pending == op::join) {
    for (std::size_t o = 1; o < threads.size(); ++o)
      if (!threads[o].finished && !(threads[o].daemon && !enabled(o))) return false;
  }
  return true;
}

void engine::point(op next) {
  threads[running_].pending = next;
  if (!forked_) return;
  const std::size_t chosen = pick();
  if (chosen != running_) switch_to(chosen);
  mem.note(running_, step_fact);
}

// The running thread first, unless it pauses; the others from it onwards, so that draining is fair
// to them.
std::size_t engine::pick() {
  if (++steps_ > options_.max_steps)
    fail(verdict::unfinished,
         "one execution took more than max_steps operations: a spin without pause()?");
  std::array<std::size_t, max_threads> ready{};
  std::size_t count = 0;
  const std::size_t n = threads.size();
  const bool keeps_going = enabled(running_) && threads[running_].pending != op::pause;
  if (keeps_going) ready[count++] = running_;
  for (std::size_t i = 1; i < n; ++i)
    if (const std::size_t t = (running_ + i) % n; enabled(t)) ready[count++] = t;
  if (!keeps_going && enabled(running_)) ready[count++] = running_;
  if (count == 0) {
    std::string who = "deadlock; blocked:";
    for (const thread_state& t : threads)
      if (!t.finished && t.pending != op::join)
        who += " " + t.name + " (" + name_of(t.pending) + ")";
    fail(verdict::deadlocked, who);
  }
  if (count == 1) return ready[0];
  if (keeps_going && options_.preemptions >= 0 && preemptions_ >= options_.preemptions)
    return running_;
  if (!draining_ && options_.random_executions == 0 && cursor_ == log_.size() && visited())
    draining_ = true;
  const std::size_t taken = choose(count);
  if (keeps_going && taken != 0) ++preemptions_;
  return ready[taken];
}

bool engine::visited() {
  std::uint64_t state = mem.hash();
  // With bounded preemptions what can still happen depends on who runs and how many are left.
  if (options_.preemptions >= 0) state = mix(state, running_);
  const auto [entry, fresh] = visited_.try_emplace(state, preemptions_);
  if (fresh) return false;
  if (options_.preemptions < 0 || entry->second <= preemptions_) return true;
  entry->second = preemptions_;
  return false;
}

std::size_t engine::choose(std::size_t count) {
  if (count == 1 || draining_) return 0;
  if (options_.random_executions != 0) return random_() % count;
  if (cursor_ == log_.size()) log_.push_back({0, static_cast<std::uint32_t>(count)});
  const choice c = log_[cursor_++];
  if (c.count != count) {
    std::fprintf(
        stderr,
        "model: the program is not deterministic: replay offers %zu choices instead of %u\n%s",
        count, c.count, trace().c_str());
    std::abort();
  }
  return c.taken;
}

void engine::switch_to(std::size_t t) {
  const std::size_t from = running_;
  running_ = t;
  coroutine::jump(*threads[from].stack, *threads[t].stack);
}

void engine::leave() {
  coroutine::jump(*threads[running_].stack, root_);
  std::abort();
}

void engine::fail(verdict v, std::string why) {
  end_ = v;
  why_ = std::move(why);
  leave();
}

void engine::record(op what, std::size_t location, std::memory_order order, std::uint64_t read,
                    std::uint64_t written, std::size_t newer, where at) {
  // in place: copying bytes just written as a block waits for them
  event& e = events_.emplace_back();
  e.thread = running_;
  e.what = what;
  e.location = location;
  e.order = order;
  e.read = read;
  e.written = written;
  e.newer = newer;
  e.site = at;
  if (!collect_sites) return;
  const auto place = reinterpret_cast<std::uintptr_t>(at.file);
  if (!met_.insert(mix(place, (static_cast<std::uint64_t>(at.line) << 16U) |
                                  (static_cast<std::uint64_t>(what) << 8U) |
                                  static_cast<std::uint64_t>(order)))
           .second)
    return;
  const auto same = [&](const site& s) {
    return s.at.line == at.line && s.what == what && s.order == order &&
           std::strcmp(s.at.file, at.file) == 0;
  };
  if (std::none_of(sites.begin(), sites.end(), same)) sites.push_back({what, order, at});
}

bool engine::mutated(mutation::kind k, where at) const noexcept {
  const mutation& m = options_.mutate;
  return m.what == k && m.site.line == at.line && std::strcmp(m.site.file, at.file) == 0;
}

std::memory_order engine::weakened(op what, std::memory_order order, where at) {
  if (mutated(mutation::kind::relax, at)) return std::memory_order_relaxed;
  if (order == std::memory_order_seq_cst && mutated(mutation::kind::seq_cst_to_acq_rel, at)) {
    if (what == op::load) return std::memory_order_acquire;
    return what == op::store ? std::memory_order_release : std::memory_order_acq_rel;
  }
  return order;
}

}  // namespace weft::model
