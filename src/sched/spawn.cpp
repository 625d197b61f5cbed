// SPDX-License-Identifier: BSL-1.0
// sched/spawn.cpp - a record for a new fiber, its queue, and its return.
#include <algorithm>
#include <memory>
#include <string>
#include <system_error>

#include "base/lock_guard.hpp"
#include "sched/fork.hpp"
#include "sched/runtime_entry.hpp"
#include "sched/spawn.hpp"
#include "trace/event.hpp"
#include "trace/recorder.hpp"

namespace weft::detail {
namespace {

constexpr std::uint64_t ids_at_once = 1024;
constexpr std::uint64_t spawns_per_sample = 16;  // from outside: for its latency
std::atomic<std::uint64_t> next_ids{1};          // relaxed: only uniqueness matters

}  // namespace

void check_stack_size(std::size_t size, const char* what) {
  if (size >= min_stack_size && size <= max_stack_size && size % os::page_size() == 0) return;
  throw std::system_error(
      std::make_error_code(std::errc::invalid_argument),
      std::string("weft: ") + what + " is " + std::to_string(size) +
          " bytes; it must be a multiple of the page size (" + std::to_string(os::page_size()) +
          ") between " + std::to_string(min_stack_size) + " and " + std::to_string(max_stack_size));
}

// [LIFE-1] An outsider counts its fiber first and asks then whether it may; shutdown forbids first
// and counts then. So it waits for every fiber that was accepted.
class scheduler::outside_spawn {
 public:
  explicit outside_spawn(scheduler* s) noexcept : s_(s) {
    if (s_ != nullptr)
      timed_ =
          s_->outside_.spawned.fetch_add(1, std::memory_order_seq_cst) % spawns_per_sample == 0;
  }
  ~outside_spawn() {
    if (s_ != nullptr) s_->count_end(nullptr);
  }
  outside_spawn(const outside_spawn&) = delete;
  outside_spawn& operator=(const outside_spawn&) = delete;
  void keep() noexcept { s_ = nullptr; }
  [[nodiscard]] bool timed() const noexcept { return timed_; }

 private:
  scheduler* s_;
  bool timed_ = false;
};

fiber_record& scheduler::allocate(worker* w, const attributes* a) {
  refuse_in_forked_child();
  if (a != nullptr && a->stack_size != 0) check_stack_size(a->stack_size, "attributes::stack_size");
  outside_spawn counted(w == nullptr ? this : nullptr);
  bool timed = counted.timed();
  if (w == nullptr && !accepts_spawns())
    throw std::system_error(std::make_error_code(std::errc::operation_not_permitted),
                            "weft: spawn into a runtime that is shutting down or has ended");
  if (w == nullptr || w->spawn_allowance <= 0) {
    const auto live = live_fibers() - (w == nullptr ? 1 : 0);
    if (live >= options_.max_fibers)
      throw std::system_error(
          std::make_error_code(std::errc::resource_unavailable_try_again),
          "weft: " + std::to_string(live) +
              " fibers are alive, which is options::max_fibers; join some, bound "
              "the spawning with weft::scope_limit, or raise the option");
    // Workers together never get more than half of what is left, and lose what they got when they
    // have used it: far from the limit it is looked at rarely, near it at each spawn.
    if (w != nullptr) {
      timed = true;
      w->spawn_allowance = static_cast<std::int32_t>(
          std::clamp<std::size_t>((options_.max_fibers - live) / (2 * processor_count()), 1, 4096));
    }
  }
  if (w != nullptr && w->next_id == w->end_id) {
    w->next_id = next_ids.fetch_add(ids_at_once, std::memory_order_relaxed);
    w->end_id = w->next_id + ids_at_once;
  }
  // What may fail comes before the record: one that is taken counts as alive.
  std::unique_ptr<fiber_extras> named;
  if (a != nullptr && !a->name.empty()) {
    named = std::make_unique<fiber_extras>();
    named->name = a->name;
  }
  fiber_record& f = w != nullptr ? w->records.take() : take_record();
  reset(f, w != nullptr ? w->next_id++ : next_ids.fetch_add(1, std::memory_order_relaxed));
  if (timed) start_clock(f, os::now_ns());
  if (a != nullptr) [[unlikely]] {
    if (a->stack_size != 0) f.stack = stack_class_for(a->stack_size);
    if (!a->preemptible) f.set(fiber_record::unpreemptible);
    if (a->pinned || a->own_thread) f.set(fiber_record::pinned);
    if (named != nullptr) f.take_extras(named.release());
  }
  if (w != nullptr)
    w->count_spawn();
  else
    counted.keep();
  return f;
}

void scheduler::trace_created(const worker* w, fiber_record& f, const void* site) noexcept {
  if ((trace::spawns_watched.load(std::memory_order_relaxed) & trace::spawns_for_profiler) != 0) {
    f.spawned_at = site;
    f.spawned_id = f.id;
  }
  if (!trace::listened_to_for_sure()) return;
  trace::record_create(f.id, reinterpret_cast<std::uintptr_t>(site),
                       w != nullptr ? id_of_current(*w) : 0);
  if (!f.has(fiber_record::has_extras)) [[likely]]
    return;
  const fiber_extras* x = f.extras.load(std::memory_order_relaxed);
  if (!x->name.empty()) trace::emit_text(trace::event::fiber_name, f.id, x->name);
}

void scheduler::forget(worker* w, fiber_record& f) noexcept {
  if (w != nullptr && w->home != this) w = nullptr;
  f.word.set(fiber_state::dead);
  release(w, f);
  count_end(w);
}

void scheduler::clean_and_release(worker* w, fiber_record& f) noexcept {
  if (f.has(fiber_record::has_extras)) {
    const base::lock_guard guard(f.lock);  // against request_stop and reports
    delete f.extras.exchange(nullptr, std::memory_order_relaxed);
  }
  if (f.has(fiber_record::pinned)) f.bound = nullptr;
  f.word.set(fiber_state::unused);
  if (w != nullptr && w->home == f.home)  // [REC-3]
    w->records.give(f);
  else
    give_record(f);
}

}  // namespace weft::detail
