// SPDX-License-Identifier: BSL-1.0
// fiber/stack_trim.cpp - see the header.
#include "fiber/stack_trim.hpp"

#include <algorithm>

#include "base/lock_guard.hpp"
#include "fiber/stack_slab.hpp"
#include "fiber/stack_watermarks.hpp"
#include "os/os.hpp"

namespace weft::detail {

constinit basic_trim_claim<> trim_claim;
constinit std::atomic<std::int64_t> trim_period_ns{2'000'000'000};

namespace {

constexpr std::int64_t longest_piece_ns = 2'000'000;

// Belongs to the claim, and is handed on with it.
struct {
  std::int64_t period_ends = 0;  // 0: none has begun
  bool at_work = false;          // it has ended, and not all is done
  refill_space space;
} trim;

constinit std::atomic<trimmed_store*> stores{nullptr};  // push only; release, acquire
template <class Visit>
void for_each_store(Visit visit) noexcept {
  for (trimmed_store* s = stores.load(std::memory_order_acquire); s != nullptr; s = s->next)
    visit(*s);
}

template <class Visit>
void for_each_pool(Visit visit) noexcept {
  for (unsigned i = 0; i < stack_class_count; ++i)
    visit(static_cast<stack_class>(i), pool_of(static_cast<stack_class>(i)));
}

bool any_excess() noexcept {
  bool any = false;
  for_each_pool([&](stack_class, class_pool& pool) { any |= pool.has_excess(); });
  for_each_store([&](trimmed_store& s) { any |= s.has_excess(); });
  return any;
}

// False: the time is up.
bool trim_all(std::int64_t until) noexcept {
  bool done = true;
  for_each_pool([&](stack_class c, class_pool& pool) {
    while (done && pool.trim_some(c, trim.space)) done = os::now_ns() < until;
  });
  for_each_store([&](trimmed_store& s) {
    while (done && s.trim_some()) done = os::now_ns() < until;
  });
  return done;
}

}  // namespace

bool class_pool::has_excess() noexcept {
  const base::lock_guard hold(lock_);
  return std::any_of(std::begin(shelves_), std::end(shelves_),
                     [](const shelf& s) { return s.warm.size() > kept_warm; });
}

void class_pool::end_period() noexcept {
  const base::lock_guard hold(lock_);
  for (shelf& s : shelves_) {
    s.to_trim = s.lowest > kept_warm ? s.lowest - kept_warm : 0;
    s.lowest = s.warm.size();
  }
}

// Without the lock while the kernel works: they are in no list meanwhile.
bool class_pool::trim_some(stack_class c, refill_space& space) noexcept {
  const std::size_t usable = slot_size(c) - os::page_size();
  for (shelf& s : shelves_) {
    std::size_t n = 0;
    {
      const base::lock_guard hold(lock_);
      for (; n < refill_space::slots && s.to_trim > 0 && s.warm.size() > kept_warm;
           ++n, --s.to_trim)
        space.limits[n] = s.warm.pop_oldest();
      if (n == 0) {
        s.to_trim = 0;
        s.warm.drop_unused_pages();
        s.cold.drop_unused_pages();
      }
      s.being_trimmed += n;
      s.lowest = std::min(s.lowest, s.warm.size());
    }
    if (n == 0) continue;
    note_dropped(c, {space.limits[0], usable});
    for (std::size_t i = 0; i < n; ++i) space.ranges[i] = {space.limits[i], usable};
    static_cast<void>(os::discard({space.ranges, n}));  // advisory: locked memory stays
    const base::lock_guard hold(lock_);
    for (std::size_t i = 0; i < n; ++i) s.cold.push(space.limits[i]);
    s.being_trimmed -= n;
    return true;
  }
  return false;
}

void add_trimmed_store(trimmed_store& s) noexcept {
  s.next = stores.load(std::memory_order_relaxed);
  // Release: `next`, and what its constructor wrote.
  while (!stores.compare_exchange_weak(s.next, &s, std::memory_order_release,
                                       std::memory_order_relaxed)) {
  }
}

std::int64_t trim_stacks(std::int64_t now_ns) noexcept {
  const auto end_all_periods = [] {
    for_each_pool([](stack_class, class_pool& pool) { pool.end_period(); });
    for_each_store([](trimmed_store& s) { s.end_period(); });
  };
  if (trim.period_ends == 0) {
    end_all_periods();
  } else {
    if (now_ns < trim.period_ends) return trim.period_ends;
    if (!trim.at_work) end_all_periods();
    trim.at_work = !trim_all(now_ns + longest_piece_ns);
    if (trim.at_work) return now_ns;
    if (!any_excess()) {
      trim.period_ends = 0;
      if (trim_claim.end(&any_excess)) return INT64_MAX;
    }
  }
  trim.period_ends = now_ns + trim_period_ns.load(std::memory_order_relaxed);
  return trim.period_ends;
}

}  // namespace weft::detail
