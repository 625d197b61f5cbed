// SPDX-License-Identifier: BSL-1.0
// sched/offload.cpp - see offload.hpp.
#include "sched/offload.hpp"

#include <system_error>
#include <utility>

#include "os/os.hpp"
#include "sched/park.hpp"
#include "trace/recorder.hpp"

namespace weft::detail {
namespace {

// Two round trips of an empty call, so that a fiber that calls again at once finds its thread awake
// (bench/compare offload). Longer does not help and takes a CPU from the workers.
constexpr std::int64_t spin_ns = 10'000;

constinit thread_local bool serves_a_pool = false;

}  // namespace

bool offload_pool::on_pool_thread() noexcept { return serves_a_pool; }

std::error_code offload_pool::submit(offload_job& job, ticket who) noexcept {
  switch (line_.submit(job, who.bits)) {
    case line::place::ended:
      return std::make_error_code(std::errc::operation_not_permitted);
    case line::place::needs_thread:
      return start(job);
    case line::place::given:
    case line::place::in_line:
      break;
  }
  return {};
}

// A new thread; its place is counted already. If there can be none, the job waits for one of those
// there are.
std::error_code offload_pool::start(offload_job& job) noexcept {
  pool_thread* t = nullptr;
  std::error_code why = os::check_thread_limit();
  try {
    base::unique_lock guard(line_.lock);
    for (const auto& old : threads_)
      // else end() has not joined it yet
      if (old->ended && !old->is_being_made && !old->thread.joinable()) t = old.get();
    if (t == nullptr && !why) {
      threads_.push_back(std::make_unique<pool_thread>());
      t = threads_.back().get();
    }
    if (t != nullptr) {
      t->ended = false;
      t->is_being_made = true;
    }
    guard.unlock();
    if (!why) {
      t->give(&job);
      const os::block_signals blocked;
      std::thread made([this, t] { main(*t); });
      guard.lock();  // it may have done the job and want to end, or has ended
      t->thread = std::move(made);
      t->is_being_made = false;
      return {};
    }
  } catch (const std::system_error& e) {
    why = e.code();
  } catch (...) {
    why = std::make_error_code(std::errc::not_enough_memory);
  }
  if (t != nullptr) {
    const base::lock_guard guard(line_.lock);
    t->is_being_made = false;
  }
  return line_.no_thread(job, t) ? std::error_code() : why;
}

// One at a time: a wake must not be made under the lock.
void offload_pool::refuse_line_without_threads() noexcept {
  while (const std::uint64_t who = line_.refuse_one()) wake(ticket{who});
}
bool offload_pool::was_refused(const offload_job& job) noexcept { return line::was_refused(job); }

void offload_pool::main(pool_thread& t) noexcept {
  os::inherit_signal_mask(signals_);
  serves_a_pool = true;
  os::set_thread_name(name_, "-off");
  trace::thread_begins(trace::thread_role::offload, runtime_, 0);
  offload_job* job = t.job();
  for (;;) {
    if (job != nullptr) {
      const std::uint64_t fiber = job->fiber;
      trace::emit(trace::event::offload_begin, fiber, 0, reinterpret_cast<std::uintptr_t>(job));
      job->run(*job);
      trace::emit(trace::event::offload_end, fiber, 0, reinterpret_cast<std::uintptr_t>(job));
    }
    const line::turn now = line_.next(t, job);
    if (now.woken != 0) wake(ticket{now.woken});
    job = now.job;
    if (job != nullptr) continue;
    std::thread before;
    if (now.ends || wait(t, before) == waited::ends) {
      trace::thread_ends();
      if (before.joinable()) before.join();  // POOL-4
      return;
    }
    job = t.job();
  }
}

offload_pool::waited offload_pool::wait(pool_thread& t, std::thread& before) noexcept {
  const std::int64_t began = os::now_ns();
  t.spin([began] {
    for (int i = 0; i < 16; ++i) os::cpu_relax();
    return os::now_ns() - began < spin_ns;
  });
  const auto until = steady_at(began + idle_ns_.load(std::memory_order_relaxed));
  while (t.is_asleep()) {
    if (t.sleep([until](auto& word, std::uint32_t asleep) {
          return os::futex_wait_until(word, asleep, until);
        }))
      continue;
    // Called with the lock; the analysis does not look into who calls it.
    const line::leaving how = line_.leave(t, [&]() WEFT_NO_THREAD_SAFETY_ANALYSIS {
      if (!t.thread.joinable()) return false;                    // our maker has not stored it yet
      before = std::exchange(last_ended_, std::move(t.thread));  // POOL-4, and end()
      return true;
    });
    if (how == line::leaving::left) return waited::ends;
    if (how == line::leaving::is_given) break;
  }
  static_cast<void>(t.await_given());
  return waited::has_job;
}

offload_pool::late offload_pool::withdraw(offload_job& job, fiber_record& self) noexcept {
  return line_.withdraw(job, [&] { return begin_park(self, park_reason::offload, &job).bits; });
}

void offload_pool::end(leftovers how) noexcept {
  line_.end();
  base::unique_lock guard(line_.lock);
  // A straggler that had come before the end may be in start: it adds its thread, or stores it.
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    std::thread one = std::move(threads_[i]->thread);
    if (!one.joinable()) continue;
    guard.unlock();
    if (how == leftovers::join)
      one.join();
    else
      one.detach();
    guard.lock();
  }
  std::thread last = std::move(last_ended_);
  guard.unlock();
  if (last.joinable()) last.join();
}

offload_statistics offload_pool::look() const noexcept {
  const base::lock_guard guard(line_.lock);
  return {line_.live(), line_.idle(), line_.live() - line_.idle(), line_.queued(),
          line_.completed()};
}

}  // namespace weft::detail
