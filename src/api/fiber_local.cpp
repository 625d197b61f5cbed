// SPDX-License-Identifier: BSL-1.0
// api/fiber_local.cpp - values by key in the fiber's extras, and calls at its end.
#include <weft/fiber_local.hpp>

#include <atomic>
#include <deque>

#include <weft/detail/at_exit.hpp>

#include "api/end_of_fiber.hpp"
#include "api/inline_join.hpp"
#include "sched/park.hpp"

namespace weft::detail {

std::uint32_t new_local_key() noexcept {
  static std::atomic<std::uint32_t> next{0};
  return next.fetch_add(1, std::memory_order_relaxed);  // only uniqueness matters
}

void* find_local(std::uint32_t key) noexcept {
  const fiber_extras* x = this_agent().extras.load(std::memory_order_relaxed);
  if (x == nullptr) return nullptr;
  for (const local_value& v : x->locals)
    if (v.key == key) return v.value;
  return nullptr;
}

void put_local(std::uint32_t key, void* value, void (*destroy)(void*) noexcept) {
  this_agent().need_extras().locals.push_back({key, value, destroy});
}

// A destructor may use other fiber-locals, even make new ones: until none is left.
void drop_locals(fiber_record& f) noexcept {
  fiber_extras& x = *f.extras.load(std::memory_order_relaxed);
  while (!x.locals.empty()) {
    const local_value last = x.locals.back();
    x.locals.pop_back();
    last.destroy(last.value);
  }
}

namespace {

struct exit_calls {
  std::deque<std::unique_ptr<exit_call>> calls;
  ~exit_calls() {
    for (; !calls.empty(); calls.pop_front()) calls.front()->run();
  }
};

}  // namespace

// First of the locals, which are dropped from the back: so the others are gone when the calls run.
void at_exit(std::unique_ptr<exit_call> call) {
  static const std::uint32_t key = new_local_key();
  auto* list = static_cast<exit_calls*>(find_local(key));
  if (list == nullptr) {
    auto made = std::make_unique<exit_calls>();
    auto& locals = this_agent().need_extras().locals;
    locals.insert(locals.begin(),
                  {key, made.get(), [](void* p) noexcept { delete static_cast<exit_calls*>(p); }});
    list = made.release();
  }
  list->calls.push_back(std::move(call));
}

}  // namespace weft::detail
