// SPDX-License-Identifier: BSL-1.0
// sched/spawn.cpp - a record for a new fiber, its queue, and its return.
#include <algorithm>
#include <mutex>
#include <string>
#include <system_error>

#include "sched/door.hpp"
#include "trace/event.hpp"

namespace weft::detail {
namespace {

constexpr std::uint64_t ids_at_once = 1024;
std::atomic<std::uint64_t> next_ids{1};  // relaxed: only uniqueness matters

std::uint64_t new_id(worker* w) noexcept {
  if (w == nullptr) return next_ids.fetch_add(1, std::memory_order_relaxed);
  if (w->next_id == w->end_id) {
    w->next_id = next_ids.fetch_add(ids_at_once, std::memory_order_relaxed);
    w->end_id = w->next_id + ids_at_once;
  }
  return w->next_id++;
}

}  // namespace

void check_stack_size(std::size_t size, const char* what) {
  if (size >= min_stack_size && size <= max_stack_size && size % os::page_size() == 0) return;
  throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                          std::string("weft: ") + what + " is " + std::to_string(size) +
                              " bytes; it must be a multiple of the page size (" +
                              std::to_string(os::page_size()) + ") between " +
                              std::to_string(min_stack_size) + " and " +
                              std::to_string(max_stack_size));
}

fiber_record& scheduler::allocate(worker* w, const attributes* a) {
  if (a != nullptr && a->stack_size != 0) check_stack_size(a->stack_size, "attributes::stack_size");
  if (w == nullptr) {
    if (!accepts_spawns())
      throw std::system_error(std::make_error_code(std::errc::operation_not_permitted),
                              "weft: spawn into a runtime that is shutting down or has ended");
  }
  if (w == nullptr || w->spawn_allowance <= 0) [[unlikely]] {
    const auto live = live_fibers();
    if (live >= options_.max_fibers)
      throw std::system_error(
          std::make_error_code(std::errc::resource_unavailable_try_again),
          "weft: " + std::to_string(live) + " fibers are alive, which is options::max_fibers; join some, bound "
          "the spawning with weft::scope_limit, or raise the option");
    // Workers together never get more than half of what is left, so the limit holds to within a few.
    if (w != nullptr)
      w->spawn_allowance = static_cast<std::int32_t>(std::clamp<std::size_t>(
          (options_.max_fibers - live) / (2 * processors_.size()), 1, 4096));
  }
  fiber_record& f = w != nullptr ? w->records.take() : take_record();
  f.drop_result = nullptr;
  f.context = nullptr;
  f.home = this;
  f.join.reset();
  f.stack_limit = nullptr;
  f.stack = default_class_;
  f.flags = 0;
  f.stop_requested.store(false, std::memory_order_relaxed);
  f.id = new_id(w);
  f.bound = nullptr;
  f.outer = nullptr;
  f.scope = nullptr;
  f.word.set(fiber_state::fresh);
  if (a != nullptr) [[unlikely]] {
    if (a->stack_size != 0) f.stack = stack_class_for(a->stack_size);
    if (a->pinned) f.flags |= fiber_record::pinned;
    if (!a->name.empty()) f.need_extras().name = a->name;
  }
  if (w != nullptr) {
    --w->spawn_allowance;
    w->balance.store(w->balance.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  } else {
    outside_balance_.fetch_add(1, std::memory_order_relaxed);
  }
  return f;
}

void scheduler::forget(worker* w, fiber_record& f) noexcept {
  if (w != nullptr && w->home != this) w = nullptr;
  f.word.set(fiber_state::dead);
  release(w, f);
  count_end(w);
}

void scheduler::submit(worker* w, fiber_record& f) noexcept {
  trace::emit(trace::event::fiber_create, f.id,
              w != nullptr && w->current != nullptr ? w->current->id : 0);
  if (w == nullptr) {
    inject(f);
    return;
  }
  w->held->local.push(&f);
  wake_one_if_needed();
}

void scheduler::release(worker* w, fiber_record& f) noexcept {
  f.word.set(fiber_state::unused);
  if (f.extras.load(std::memory_order_relaxed) != nullptr) [[unlikely]] {
    const std::lock_guard guard(f.lock);  // against request_stop and reports
    delete f.extras.exchange(nullptr, std::memory_order_relaxed);
  }
  if (w != nullptr)
    w->records.give(f);
  else
    give_record(f);
}

}  // namespace weft::detail
