// SPDX-License-Identifier: BSL-1.0
// net/accept.cpp - see accept.hpp.
//
// A burst of connections may arrive as one edge: accept is always tried before waiting, so none is
// left behind.
#include "net/accept.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <optional>
#include <string>

#include "net/calls.hpp"
#include "net/netpoller.hpp"
#include "net/operation.hpp"
#include "os/os.hpp"
#include "sched/park.hpp"

namespace weft::detail {

constinit short_acceptors acceptors_short_of_descriptors{};

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

struct shortage {
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
    acceptors_short_of_descriptors.enter(me_, listener);
  }
  ~shortage_wait() { acceptors_short_of_descriptors.leave(me_); }
  shortage_wait(const shortage_wait&) = delete;
  shortage_wait& operator=(const shortage_wait&) = delete;

  std::error_code pause(poll_word::edge_count seen, const wait_limit& l) noexcept {
    constexpr std::int64_t longest_ns = 100'000'000;
    const std::int64_t time = pause_ns_;
    pause_ns_ = std::min(2 * pause_ns_, longest_ns);
    return pause_for_event(listener_, direction::read, seen, park_reason::io_accept, l, time);
  }

 private:
  short_acceptors::acceptor me_;
  poll_descriptor& listener_;
  std::int64_t pause_ns_ = 1'000'000;
};

}  // namespace

void wake_acceptors_short_of_descriptors() noexcept {
  acceptors_short_of_descriptors.tell(
      [](poll_descriptor& l) { deliver(l, event_kind::regular, true, false, {}); });
}

poll_descriptor* accept_connection(const descriptor_use& use, const wait_limit& l,
                                   net::endpoint& from, std::error_code& ec) noexcept {
  std::optional<shortage_wait> waits_for_room;
  spare_descriptor record;  // before the connection is taken out of the backlog
  for (;;) {
    const poll_word::edge_count seen = use->word.edges();
    const int number = record.obtain() ? call_accept(use.number(), from) : -ENOMEM;
    if (number >= 0) {
      count_transfer(0);
      return &record.make(number);
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
        waits_for_room.emplace(*use);  // and once more [ACCEPT-1]
    } else if (!of_a_dead_connection(-number)) {
      ec.assign(-number, std::generic_category());
    }
    if (ec) return nullptr;
  }
}

}  // namespace weft::detail
