// SPDX-License-Identifier: BSL-1.0
// net/signal_inbox.cpp - see signal_inbox.hpp.
#include "net/signal_inbox.hpp"

#include <memory>
#include <system_error>

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/futex_lock.hpp"
#include "os/errno_guard.hpp"

namespace weft::detail {
namespace {

constinit base::futex_lock lock;
constinit std::atomic<signal_inbox*> first{nullptr};

}  // namespace

void signal_event::announce() noexcept {
  const std::uint64_t one = 1;
  static_cast<void>(::write(number, &one, sizeof one));  // cannot be full
}
void signal_event::empty() noexcept {
  std::uint64_t count = 0;
  static_cast<void>(::read(number, &count, sizeof count));
}

signal_inbox& take_inbox() {
  auto made = std::make_unique<signal_inbox>();  // not under the lock
  const base::lock_guard guard(lock);
  for (signal_inbox* b = first.load(std::memory_order_relaxed); b != nullptr; b = b->next)
    if (!b->in_use) {
      b->in_use = true;
      b->event.empty();
      b->pending.store(0, std::memory_order_relaxed);
      return *b;
    }
  made->event.number = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (made->event.number < 0)
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
  const base::lock_guard guard(lock);
  box.in_use = false;
}

bool post_signal(int signal) noexcept {
  bool wanted = false;
  for (signal_inbox* b = first.load(std::memory_order_acquire); b != nullptr; b = b->next) {
    if (!b->wants(signal_bit(signal))) continue;
    wanted = true;
    b->post(signal_bit(signal));
  }
  return wanted;
}

}  // namespace weft::detail
