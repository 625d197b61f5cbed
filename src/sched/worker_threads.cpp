// SPDX-License-Identifier: BSL-1.0
// sched/worker_threads.cpp - see the header.
#include "sched/worker_threads.hpp"

#include <new>
#include <string>
#include <system_error>
#include <utility>

#include "base/one_line.hpp"
#include "os/os.hpp"
#include "sched/poll_source.hpp"

namespace weft::detail {

worker* worker_threads::make_worker() noexcept try {
  if (worker* w = vacant_) {
    vacant_ = w->next_ended;
    return w;
  }
  const std::size_t i = count_.load(std::memory_order_relaxed);
  if (i == workers_.size()) return nullptr;
  workers_[i] = std::make_unique<worker>(options_.stack_guard);
  workers_[i]->index = static_cast<std::uint32_t>(i);
  workers_[i]->home = &home_;
  workers_[i]->random = base::rng(i + 1);
  // Room for what a poll brings, so that all of it comes this way: what is queued one by one goes
  // to the next slot, where a worker that has found nothing else, and retires, does not look.
  workers_[i]->ready.reserve(poll_source::longest_batch);
  count_.store(i + 1, std::memory_order_release);  // [LIFE-5]
  return workers_[i].get();
} catch (const std::bad_alloc&) {
  return nullptr;
}

worker* worker_threads::make_first() noexcept {
  const base::lock_guard guard(lock_);
  return make_worker();
}

void worker_threads::start_first(worker& w) {
  const base::lock_guard guard(lock_);
  start(w);
}

void worker_threads::start(worker& w) {
  if (const auto ec = os::check_thread_limit()) throw std::system_error(ec);
  running_.fetch_add(1, std::memory_order_relaxed);
  try {
    w.thread = std::thread([run = run_, &w] { run(w); });
  } catch (...) {
    running_.fetch_sub(1, std::memory_order_relaxed);
    throw;
  }
}

worker* worker_threads::make_spare() noexcept {
  const base::lock_guard guard(lock_);
  if (ended_) return nullptr;
  worker* s = unstarted_ != nullptr ? std::exchange(unstarted_, nullptr) : make_worker();
  if (s == nullptr) {
    if (count_.load(std::memory_order_relaxed) < workers_.size()) return nullptr;  // no memory
    if (!std::exchange(limit_reported_, true)) try {
        os::write_stderr("weft: runtime \"" + one_line(options_.name) + "\" has " +
                         std::to_string(options_.max_threads) +
                         " threads, which is options::max_threads, and all are blocked or "
                         "preempted; fibers wait until one "
                         "comes back. Raise the option, or use weft::offload for blocking calls\n");
      } catch (const std::bad_alloc&) {
        limit_reported_ = false;
      }
    return nullptr;
  }
  s->reserved = true;
  try {
    const os::block_signals blocked;
    start(*s);
  } catch (...) {    // the system has no thread, or no memory for one
    unstarted_ = s;  // readers may be looking at it: it stays where it is
    return nullptr;
  }
  // A thread that comes up allocates, and may have to wait for a frozen one to do so [PREEMPT-3].
  // If it had a processor by then, that would be neither idle nor in use. worker_main
  while (s->started.load(std::memory_order_acquire) == 0) os::futex_wait(s->started, 0);
  return s;
}

// POOL-4 The thread ends; its slot may be another's at once. Each joins the one that ended before,
// so that one stays at most.
void worker_threads::vacate(worker& w) noexcept {
  std::thread before;
  {
    const base::lock_guard guard(lock_);
    if (ended_) return;  // join_or_leave joins us
    before = std::exchange(last_vacated_, std::move(w.thread));
    w.next_ended = std::exchange(vacant_, &w);
  }
  if (before.joinable()) before.join();
}

void worker_threads::end() noexcept {
  const base::lock_guard guard(lock_);
  ended_ = true;
}

void worker_threads::join_or_leave(ending how) noexcept {
  for_each([&](worker& w) {
    if (!w.thread.joinable()) return;
    if (how == ending::join)
      w.thread.join();
    else
      w.thread.detach();
  });
  // Vacated slots have no thread any more; the last of their threads is not joined yet.
  std::thread last;
  {
    const base::lock_guard guard(lock_);
    last = std::move(last_vacated_);
  }
  if (last.joinable()) last.join();
}

}  // namespace weft::detail
