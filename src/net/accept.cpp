// SPDX-License-Identifier: BSL-1.0
// net/accept.cpp - see accept.hpp.
//
// A burst of connections may arrive as one edge: accept is always tried before waiting, so none is
// left behind.
#include "net/accept.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <optional>
#include <string>

#include "base/futex_lock.hpp"
#include "net/calls.hpp"
#include "net/netpoller.hpp"
#include "net/operation.hpp"
#include "os/os.hpp"
#include "sched/park.hpp"

namespace weft::detail {

constinit std::atomic<std::uint32_t> acceptors_short_of_descriptors{0};

namespace {

// The connection failed before it was taken; accept(2) reports it in place of the next one.
bool of_a_dead_connection(int error) noexcept {
  switch (error) {
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

// It waits in the backlog until there is room for it.
bool is_shortage(int error) noexcept {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

struct short_acceptor {
  poll_descriptor* listener = nullptr;
  short_acceptor* next = nullptr;
  short_acceptor** at = nullptr;  // what points to this one
};

struct shortage {
  base::ranked_futex_lock<base::lock_rank::netpoller> lock;
  short_acceptor* first = nullptr;         // under the lock
  std::atomic<std::uint64_t> failures{0};  // since the last line
  std::atomic<std::int64_t> next_line_ns{0};
};
constinit shortage the_shortage{};

constexpr std::int64_t between_lines_ns = 60'000'000'000;

// Once a minute, for all listeners: one line is enough to find the reason.
void report_shortage(const descriptor_use& use, int error) noexcept {
  the_shortage.failures.fetch_add(1, std::memory_order_relaxed);
  const std::int64_t now = os::now_ns();
  std::int64_t due = the_shortage.next_line_ns.load(std::memory_order_relaxed);
  if (now < due || !the_shortage.next_line_ns.compare_exchange_strong(due, now + between_lines_ns,
                                                                      std::memory_order_relaxed))
    return;
  const std::uint64_t failed = the_shortage.failures.exchange(0, std::memory_order_relaxed);
  try {
    const std::error_code why(error, std::generic_category());
    std::string line = "weft: accept at " + name_of_local(use.number()) + ": " + why.message() +
                       remedy_for(why) + "; connections wait until there is room";
    if (failed > 1) line += " (" + std::to_string(failed) + " failures since the last such line)";
    os::write_stderr(line + "\n");
  } catch (...) {  // no memory for a text either
  }
}

// One acceptor that has met a shortage, until it has a connection or gives up.
class shortage_wait {
 public:
  explicit shortage_wait(poll_descriptor& listener) noexcept : listener_(listener) {
    me_.listener = &listener;
    const std::lock_guard guard(the_shortage.lock);
    me_.next = the_shortage.first;
    me_.at = &the_shortage.first;
    if (me_.next != nullptr) me_.next->at = &me_.next;
    the_shortage.first = &me_;
    // Relaxed: the kernel's lock of the descriptor table orders it [ACCEPT-1].
    acceptors_short_of_descriptors.fetch_add(1, std::memory_order_relaxed);
  }
  ~shortage_wait() {
    const std::lock_guard guard(the_shortage.lock);
    *me_.at = me_.next;
    if (me_.next != nullptr) me_.next->at = me_.at;
    acceptors_short_of_descriptors.fetch_sub(1, std::memory_order_relaxed);
  }
  shortage_wait(const shortage_wait&) = delete;
  shortage_wait& operator=(const shortage_wait&) = delete;

  std::error_code pause(poll_word::edge_count seen, const wait_limit& l) noexcept {
    constexpr std::int64_t longest_ns = 100'000'000;
    const std::int64_t time = pause_ns_;
    pause_ns_ = std::min(2 * pause_ns_, longest_ns);
    return pause_for_event(listener_, direction::read, seen, park_reason::io_accept, l, time);
  }

 private:
  short_acceptor me_;
  poll_descriptor& listener_;
  std::int64_t pause_ns_ = 1'000'000;
};

}  // namespace

// Delivered outside the lock; an acceptor that has left meanwhile is told for nothing. Of very many
// some have to wait for their pause to end.
void wake_acceptors_short_of_descriptors() noexcept {
  std::array<poll_descriptor*, 16> listeners;
  std::size_t n = 0;
  {
    const std::lock_guard guard(the_shortage.lock);
    for (const short_acceptor* a = the_shortage.first; a != nullptr && n < listeners.size();
         a = a->next) {
      auto* const end = listeners.data() + n;
      if (std::find(listeners.data(), end, a->listener) == end) listeners[n++] = a->listener;
    }
  }
  for (std::size_t i = 0; i < n; ++i) deliver(*listeners[i], event_kind::regular, true, false, {});
}

int accept_connection(const descriptor_use& use, const wait_limit& l, net::endpoint& from,
                      std::error_code& ec) noexcept {
  std::optional<shortage_wait> waits_for_room;
  for (;;) {
    const poll_word::edge_count seen = use->word.edges();
    const int number = call_accept(use.number(), from);
    if (number >= 0) {
      count_transfer(0);
      return number;
    }
    if (use.closing()) {
      ec = std::make_error_code(std::errc::operation_canceled);
    } else if (would_block(number) || (is_shortage(-number) && !call_has_input(use.number()))) {
      // Nobody comes: then it does not matter what there is no room for.
      waits_for_room.reset();
      ec = wait_for_event(*use, direction::read, seen, park_reason::io_accept, l);
    } else if (is_shortage(-number)) {
      report_shortage(use, -number);
      if (waits_for_room)
        ec = waits_for_room->pause(seen, l);
      else
        waits_for_room.emplace(
            *use);  // and once more: a close before this is seen by accept itself
    } else if (!of_a_dead_connection(-number)) {
      ec.assign(-number, std::generic_category());
    }
    if (ec) return -1;
  }
}

}  // namespace weft::detail
