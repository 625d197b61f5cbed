// SPDX-License-Identifier: BSL-1.0
// net/netpoller.cpp - epoll_wait, and from its events to the fibers that wait for them.
#include "net/netpoller.hpp"

#include <algorithm>
#include <cerrno>
#include <new>
#include <string>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/lock_guard.hpp"
#include "net/calls.hpp"
#include "net/foreign_descriptor.hpp"
#include "os/errno_guard.hpp"
#include "os/os.hpp"
#include "sched/park.hpp"
#include "sched/scheduler.hpp"

namespace weft::detail {
namespace {

// each may ready a reader and a writer
constexpr int events_at_once = poll_source::longest_batch / 2;
constexpr std::uint64_t interrupt_tag = 0;  // descriptor 0 does not exist
constexpr std::int64_t forever = INT64_MAX;

int need_number(int n, const char* what) {
  if (n >= 0) return n;
  const int error = os::error_number();
  std::string text = std::string("weft: the netpoller could not make its ") + what;
  if (error == EMFILE)
    text += ": this process has no descriptor left, raise its limit (`ulimit -n`)";
  else if (error == ENFILE)
    text += ": the system has no descriptor left, raise the sysctl fs.file-max";
  else if (error == ENOSPC)
    text += ": the user's limit of watches is reached, raise the sysctl fs.epoll.max_user_watches";
  throw std::system_error(error, std::generic_category(), text);
}

// Where there are many, the records are far from any other: their misses overlap. The descriptor is
// fetched well before the record of the fiber that waits there, because it says which one that is.
constexpr int few_events = 16;
void prefetch_waiters(const epoll_event* events, int at, int n) noexcept {
  constexpr int near = 4, far = 8;
  const auto descriptor = [&](int i) {
    return descriptor_at(static_cast<std::uint32_t>(events[i].data.u64));
  };
  if (at + far < n) __builtin_prefetch(descriptor(at + far), 1);
  if (at + near >= n) return;
  if (const auto t = descriptor(at + near)->word.waiting(direction::read); t > poll_word::closed)
    record_of(ticket{t}).prefetch();
}

// The waker's half, once it has a ticket out of its slot.
void wake_waiter(ticket t, wake_sink to) noexcept {
  fiber_record& f = record_of(t);
  if (f.word.wake(t.epoch(), wake_code::ready) != wake_duty::enqueue) return;
  if (to.home == nullptr || f.home != to.home)
    enqueue(f);
  else if (to.out == nullptr)
    return;  // a straggler of the runtime that ends here: never resumed
  else if (to.out->size() < to.out->capacity())
    to.out->push_back(&f);
  else
    enqueue(f);
}

void wake_extra_waiters(poll_descriptor& d, wake_sink to) noexcept {
  for (;;) {
    ticket t;
    {
      const base::lock_guard guard(d.lock);
      extra_waiter* w = d.extra_waiters.pop_front();
      if (w == nullptr) return;
      t = w->who;
    }
    wake_waiter(t, to);
  }
}

}  // namespace

bool deliver(poll_descriptor& d, event_kind kind, bool readable, bool writable,
             wake_sink to) noexcept {
  d.word.edge(kind);
  bool waited = false;
  const auto wake_one = [&](direction dir) {
    const auto t = d.word.take(dir);
    if (!t) return;
    wake_waiter(ticket{t}, to);
    waited = true;
  };
  if (readable) wake_one(direction::read);
  if (writable) wake_one(direction::write);
  if (d.word.has_extra_waiters()) [[unlikely]] {
    wake_extra_waiters(d, to);
    waited = true;
  }
  return waited || d.word.has_waiter();  // of the other direction
}

netpoller::unique_number::~unique_number() { ::close(n_); }

netpoller::netpoller()
    : epoll_(need_number(::epoll_create1(EPOLL_CLOEXEC), "epoll")),
      event_(need_number(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd")) {
  epoll_event e{};
  e.events = EPOLLIN;
  e.data.u64 = interrupt_tag;
  need_number(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, event_.get(), &e), "interrupt registration");
}

netpoller::~netpoller() { let_go(); }

void netpoller::let_go() noexcept {
  if (!end_.begin()) return;
  const scheduler* const home = home_.load(std::memory_order_relaxed);
  for (std::uint32_t i = 1; i < descriptor_count(); ++i) {
    poll_descriptor* d = descriptor_at(i);
    if (!end_.may_own(d->owner, this)) continue;
    bool was_mine = false;
    {
      const base::lock_guard guard(d->lock);
      was_mine = d->owner.load(std::memory_order_relaxed) == this;
      // the kernel keeps nothing for an object that may live on
      if (was_mine) remove(*d, keep_open::yes);
    }
    // A waiter that parks after this sees the count changed, looks again, and finds no owner.
    // [POLL-1]
    if (was_mine) deliver(*d, event_kind::regular, true, true, {home, nullptr});
  }
}

bool netpoller::poll(std::int64_t deadline_ns, batch& out) noexcept {
  epoll_event events[events_at_once];
  if (out.capacity() < out.size() + poll_source::longest_batch) {
    try {
      out.reserve(out.size() + poll_source::longest_batch);
    } catch (const std::bad_alloc&) {  // then wake_waiter queues them one by one
    }
  }
  int n;
  if (deadline_ns == 0) {
    n = call_poll(epoll_.get(), events, events_at_once, 0);
  } else {
    // A waiter that was interrupted may still be on its way out while the next one comes.
    const base::lock_guard one_waits(wait_lock_);
    n = wait(events, events_at_once, deadline_ns);
    for (int i = 0; i < n; ++i)
      if (events[i].data.u64 == interrupt_tag) accept_interrupt();
  }
  const wake_sink to{home_.load(std::memory_order_relaxed), &out};
  std::uint64_t in_vain = 0;
  for (int i = 0; i < n; ++i) {
    if (n > few_events) prefetch_waiters(events, i, n);
    const std::uint64_t tag = events[i].data.u64;
    const std::uint32_t what = events[i].events;
    if (tag == interrupt_tag) continue;  // only a blocking poll consumes the interrupt
    poll_descriptor* d = descriptor_at(static_cast<std::uint32_t>(tag));
    constexpr std::uint32_t both = EPOLLERR | EPOLLHUP | EPOLLRDHUP;
    if (d->is_foreign()) {
      // Disarmed now, so all look: those whose direction has not fired arm it again. [POLL-6] An
      // event of the record's last life is older than every arming of this one.
      note_fired(*d, what, arming_of(tag >> 32, d->generation.load(std::memory_order_relaxed)));
      if (!deliver(*d, event_kind::regular, true, true, to)) ++in_vain;
      continue;
    }
    if (d->tag() != tag) continue;  // of the record's last life
    const bool irregular = (what & (both | EPOLLPRI)) != 0;
    if (!deliver(*d, irregular ? event_kind::irregular : event_kind::regular,
                 (what & (EPOLLIN | EPOLLPRI | both)) != 0, (what & (EPOLLOUT | both)) != 0, to))
      ++in_vain;
  }
  return in_vain > 0 && in_vain == registered_.load(std::memory_order_relaxed);
}

int netpoller::wait(void* events, int room, std::int64_t deadline_ns) noexcept {
  auto* const to = static_cast<epoll_event*>(events);
  if (deadline_ns == forever) return call_poll(epoll_.get(), to, room, -1);
  const std::int64_t left = std::max<std::int64_t>(deadline_ns - os::now_ns(), 0);
  if (nanoseconds_.load(std::memory_order_relaxed)) {
    constexpr std::int64_t second = 1'000'000'000;
    const timespec timeout{left / second, left % second};
    const int n = ::epoll_pwait2(epoll_.get(), to, room, &timeout, nullptr);
    // EPERM: container filters of that age refuse what they do not know.
    if (n >= 0 || (os::error_number() != ENOSYS && os::error_number() != EPERM)) return n;
    nanoseconds_.store(false, std::memory_order_relaxed);
  }
  return wait_milliseconds(to, room, left);
}

// Rounded up: to wake before the deadline is to spin up to it.
int netpoller::wait_milliseconds(void* events, int room, std::int64_t nanoseconds) noexcept {
  constexpr std::int64_t millisecond = 1'000'000, longest = 1 << 30;
  const std::int64_t left = nanoseconds / millisecond + (nanoseconds % millisecond != 0);
  return call_poll(epoll_.get(), static_cast<epoll_event*>(events), room,
                   static_cast<int>(std::min(left, longest)));
}

void netpoller::interrupt() noexcept {
  interrupt_event event{*this};
  interrupts_.interrupt(event);
}

void netpoller::announce() noexcept {
  interrupt_writes_.fetch_add(1, std::memory_order_relaxed);
  const std::uint64_t one = 1;
  static_cast<void>(::write(event_.get(), &one, sizeof one));  // cannot be full
}

void netpoller::interrupt_event::empty() noexcept {
  std::uint64_t count = 0;
  static_cast<void>(::read(of.event_.get(), &count, sizeof count));
}

void netpoller::accept_interrupt() noexcept {
  interrupt_event event{*this};
  interrupts_.accept(event);
}

std::unique_ptr<poll_source> make_netpoller() { return std::make_unique<netpoller>(); }

}  // namespace weft::detail
