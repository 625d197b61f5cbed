// SPDX-License-Identifier: BSL-1.0
// net/signal_inbox.cpp - see signal_inbox.hpp.
#include "net/signal_inbox.hpp"

#include <bit>
#include <memory>
#include <mutex>
#include <system_error>

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/futex_lock.hpp"
#include "os/errno_guard.hpp"

namespace weft::detail {
namespace {

constinit base::futex_lock lock;
constinit std::atomic<signal_inbox*> first{nullptr};

void announce(const signal_inbox& box) noexcept {
  const std::uint64_t one = 1;
  static_cast<void>(::write(box.event, &one, sizeof one));  // cannot be full
}
void empty(const signal_inbox& box) noexcept {
  std::uint64_t count = 0;
  static_cast<void>(::read(box.event, &count, sizeof count));
}

}  // namespace

signal_inbox& take_inbox() {
  auto made = std::make_unique<signal_inbox>();  // not under the lock
  const std::lock_guard guard(lock);
  for (signal_inbox* b = first.load(std::memory_order_relaxed); b != nullptr; b = b->next)
    if (!b->in_use) {
      b->in_use = true;
      empty(*b);
      b->pending.store(0, std::memory_order_relaxed);
      return *b;
    }
  made->event = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (made->event < 0)
    throw std::system_error(os::error_number(), std::generic_category(),
                            "weft::signal_set: making its eventfd");
  made->in_use = true;
  made->next = first.load(std::memory_order_relaxed);
  // Release: what is in it; acquire in post_signal.
  first.store(made.get(), std::memory_order_release);
  return *made.release();
}

void return_inbox(signal_inbox& box) noexcept {
  box.wanted.store(0, std::memory_order_relaxed);
  const std::lock_guard guard(lock);
  box.in_use = false;
}

bool post_signal(int signal) noexcept {
  bool wanted = false;
  for (signal_inbox* b = first.load(std::memory_order_acquire); b != nullptr; b = b->next) {
    if ((b->wanted.load(std::memory_order_relaxed) & signal_bit(signal)) == 0) continue;
    wanted = true;
    // Release: acquire in take_signal. [SIGSET-1] before the write
    b->pending.fetch_or(signal_bit(signal), std::memory_order_release);
    announce(*b);
  }
  return wanted;
}

std::optional<int> take_signal(signal_inbox& box) noexcept {
  empty(box);  // [SIGSET-1] before the look
  std::uint64_t there = box.pending.load(std::memory_order_acquire);
  while (there != 0) {
    const std::uint64_t left = there & (there - 1);
    // Acquire: post_signal.
    if (!box.pending.compare_exchange_weak(there, left, std::memory_order_acquire)) continue;
    if (left != 0) announce(box);
    return std::countr_zero(there) + 1;
  }
  return std::nullopt;
}

}  // namespace weft::detail
