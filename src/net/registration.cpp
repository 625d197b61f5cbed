// SPDX-License-Identifier: BSL-1.0
// net/registration.cpp - epoll_ctl: which record hears of which number (the class is netpoller).
//
// The kernel knows a registration by the epoll, the number and the open file. Nothing tells weft
// when another library closes a number, so EPOLL_CTL_MOD and _DEL could hit somebody else's
// registration:
//   a number's holder   the last foreign record that was added by that number. Only it changes or
//                       deletes the registration, under the number's lock.
//   a second record     of one number (EEXIST) is registered by a duplicate, which lasts as long as
//                       somebody waits: kept longer, it would hide the end of the stream from the
//                       peer
//   a socket            takes the number from its holder, who goes on by a duplicate. Without one,
//                       EEXIST means a socket that was closed here and lives on elsewhere: its
//                       registration is changed, too
#include <cerrno>

#include <sys/epoll.h>

#include "base/lock_guard.hpp"
#include "net/calls.hpp"
#include "net/netpoller.hpp"
#include "os/errno_guard.hpp"

namespace weft::detail {
namespace {

std::uint32_t awaited_events(const poll_descriptor& d) noexcept {
  std::uint32_t events = EPOLLONESHOT;
  if (d.foreign.is_to_be_armed(direction::read)) events |= EPOLLIN | EPOLLRDHUP;
  if (d.foreign.is_to_be_armed(direction::write)) events |= EPOLLOUT;
  return events;
}

int number_of(const poll_descriptor& d) noexcept {
  return d.number.load(std::memory_order_relaxed);
}

}  // namespace

int netpoller::control(int operation, int number, std::uint32_t events,
                       std::uint64_t tag) noexcept {
  epoll_event e{};
  e.events = events;
  e.data.u64 = tag;
  return ::epoll_ctl(epoll_.get(), operation, number, &e) == 0 ? 0 : os::error_number();
}

// False: it has ended.
bool netpoller::take_over(poll_descriptor& d, const scheduler& mine) noexcept {
  // always the same; read by poll, which looks at d after us
  home_.store(&mine, std::memory_order_relaxed);
  registered_.fetch_add(1, std::memory_order_relaxed);
  if (end_.own(d.owner, this)) return true;
  remove(d, keep_open::no);
  return false;
}

std::error_code netpoller::add(poll_descriptor& d, const scheduler& mine,
                               poll_descriptor*& displaced) noexcept {
  if (!take_over(d, mine)) return std::make_error_code(std::errc::operation_canceled);
  const int error = add_socket(d, displaced);
  if (error == 0) return {};
  remove(d, keep_open::no);
  return {error, std::system_category()};
}

int netpoller::add_socket(poll_descriptor& d, poll_descriptor*& displaced) noexcept {
  // EPOLLPRI: urgent data make short reads say nothing (poll_word.hpp, irregular).
  constexpr std::uint32_t events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
  const int number = number_of(d);
  number_holder* const its = holders_.find(number);
  if (its == nullptr) [[likely]] {
    const int error = control(EPOLL_CTL_ADD, number, events, d.tag());
    if (error != EEXIST) return error;
    if (holders_.find(number) == nullptr) return control(EPOLL_CTL_MOD, number, events, d.tag());
    return add_socket(d, displaced);  // a foreign record was faster
  }
  const base::lock_guard guard(its->lock);
  int error = control(EPOLL_CTL_ADD, number, events, d.tag());
  if (error == EEXIST) error = control(EPOLL_CTL_MOD, number, events, d.tag());
  if (error == 0) displaced = std::exchange(its->record, nullptr);
  return error;
}

std::error_code netpoller::arm(poll_descriptor& d, const scheduler& mine) noexcept {
  // Not null under the lock: it has not let go of it, so it is there.
  netpoller* const owner = d.owner.load(std::memory_order_relaxed);
  if (owner == nullptr && !take_over(d, mine))
    return std::make_error_code(std::errc::operation_canceled);
  const int error = (owner != nullptr ? owner : this)->arm_number(d);
  if (error == 0) return {};
  if (owner == nullptr) remove(d, keep_open::yes);
  return {error, std::system_category()};
}

int netpoller::arm_number(poll_descriptor& d) noexcept {
  const std::uint32_t events = awaited_events(d);
  if (const int copy = d.duplicate.load(std::memory_order_relaxed); copy >= 0)
    return control(EPOLL_CTL_MOD, copy, events, d.tag());  // another waits by it now
  const int number = number_of(d);
  if (number_holder* const its = holders_.make(number)) {
    const base::lock_guard guard(its->lock);
    if (its->record == &d) {
      const int error = control(EPOLL_CTL_MOD, number, events, d.tag());
      if (error != ENOENT) return error;  // that: it names something else by now
    }
    const int error = control(EPOLL_CTL_ADD, number, events, d.tag());
    if (error == 0) its->record = &d;
    if (error != EEXIST) return error;
  }
  return arm_duplicate(d, events);
}

int netpoller::arm_duplicate(poll_descriptor& d, std::uint32_t events) noexcept {
  const int copy = call_duplicate(number_of(d));
  if (copy < 0) return -copy;
  const int error = control(EPOLL_CTL_ADD, copy, events, d.tag());
  if (error != 0) {
    call_close(copy);
    return error;
  }
  d.duplicate.store(copy, std::memory_order_relaxed);
  return 0;
}

void netpoller::drop_duplicate(poll_descriptor& d) noexcept {
  const int copy = d.duplicate.exchange(-1, std::memory_order_relaxed);
  if (copy < 0) return;
  // Out of the epoll before it is closed: what it is a duplicate of would stay registered.
  static_cast<void>(control(EPOLL_CTL_DEL, copy, 0, 0));
  call_close(copy);
}

void netpoller::let_go_of_number(poll_descriptor& d, keep_open keep) noexcept {
  const int number = number_of(d);
  number_holder* const its = holders_.find(number);
  if (its == nullptr) return;
  const base::lock_guard guard(its->lock);
  if (its->record != &d) return;
  its->record = nullptr;
  if (keep == keep_open::yes) static_cast<void>(control(EPOLL_CTL_DEL, number, 0, 0));
}

void netpoller::remove(poll_descriptor& d, keep_open keep) noexcept {
  registered_.fetch_sub(1, std::memory_order_relaxed);
  if (d.is_foreign()) {
    drop_duplicate(d);
    let_go_of_number(d, keep);
  } else if (keep == keep_open::yes) {
    static_cast<void>(control(EPOLL_CTL_DEL, number_of(d), 0, 0));
  }
  // Last, and release: the destructor of this object passes over records that have another owner.
  d.owner.store(nullptr, std::memory_order_release);
}

}  // namespace weft::detail
