// SPDX-License-Identifier: BSL-1.0
// net/datagram_socket.cpp - messages, over both kinds of addresses.
#include <weft/net/datagram.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <string>
#include <utility>

#include <weft/net/udp.hpp>
#include <weft/net/unix.hpp>

#include "base/one_line.hpp"
#include "net/datagram_calls.hpp"
#include "net/operation.hpp"
#include "os/os.hpp"
#include "sched/park.hpp"

namespace weft::net {

using detail::bad_descriptor;
using detail::descriptor_use;
using detail::direction;
using detail::failure;
using detail::native_address;
using detail::park_reason;
using detail::poll_word;
using detail::would_block;

namespace {

template <class Endpoint>
void to_native(const Endpoint& e, native_address& out) noexcept {
  out.size = static_cast<socklen_t>(e.to_native(out.storage));
}

// The default is what has no address: an unconnected Unix socket that was never bound.
template <class Endpoint>
Endpoint from_native(const native_address& a) noexcept {
  try {
    if (a.size > sizeof a.storage.ss_family)
      return Endpoint::from_native(reinterpret_cast<const sockaddr&>(a.storage), a.size);
  } catch (const std::system_error&) {  // of another family: not ours to name
  }
  return {};
}

void count_transfer(const detail::native_message* batch, std::size_t n) noexcept {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < n; ++i) bytes += batch[i].size;
  detail::count_transfer(bytes);
}

// Waits until a send may have room. A Unix receiver whose queue is full tells of a free place only
// those who are connected to it: the others look again, after pauses that grow. To them poll(2)
// says on a plain thread that there is room, at once and always; it is believed once.
template <class Endpoint>
class wait_for_room {
 public:
  std::error_code operator()(const descriptor_use& use, poll_word::edge_count seen,
                             const detail::wait_limit& l) noexcept {
    if constexpr (std::is_same_v<Endpoint, endpoint>)
      return detail::wait_for_event(*use, direction::write, seen, park_reason::io_write, l);
    detail::wait_limit until = l;
    const auto pause_end = std::chrono::steady_clock::now() + pause_;
    until.deadline = std::min(until.deadline, pause_end);
    pause_ = std::min(2 * pause_, std::chrono::milliseconds(50));
    const std::error_code why =
        detail::wait_for_event(*use, direction::write, seen, park_reason::io_write, until);
    const bool paused = why == std::errc::timed_out && until.deadline < l.deadline &&
                        os::now_ns() < use->deadline(direction::write);
    if (paused) return {};
    if (why || !std::exchange(was_told_, true)) return why;
    const std::chrono::nanoseconds rest = pause_end - std::chrono::steady_clock::now();
    if (rest.count() <= 0) return {};
    return detail::pause_for_event(*use, direction::write, seen, park_reason::io_write, l,
                                   rest.count());
  }

 private:
  std::chrono::milliseconds pause_{1};
  bool was_told_ = false;
};

}  // namespace

template <class Endpoint>
void datagram_socket<Endpoint>::connect(const Endpoint& peer, std::error_code& ec) noexcept {
  ec.clear();
  const descriptor_use use(descriptor());
  if (!use) {
    ec = bad_descriptor();
    return;
  }
  native_address to;
  to_native(peer, to);
  if (const int n = detail::call_connect_datagram(use.number(), to); n < 0) ec = failure(use, n);
}
template <class Endpoint>
void datagram_socket<Endpoint>::connect(const Endpoint& peer) {
  std::error_code ec;
  connect(peer, ec);
  if (ec)
    throw std::system_error(
        ec, "weft: connect a datagram socket to " + detail::one_line(peer.to_string()));
}

template <class Endpoint>
void datagram_socket<Endpoint>::send_within(const const_buffers& message, const Endpoint* to,
                                            const limit& l, std::error_code& ec) noexcept {
  ec.clear();
  detail::yield_before_transfer();
  const descriptor_use use(descriptor());
  if (!use) {
    ec = bad_descriptor();
    return;
  }
  native_address address;
  if (to != nullptr) to_native(*to, address);
  wait_for_room<Endpoint> wait;
  while (!ec) {
    const poll_word::edge_count seen = use->word.edges();
    const ssize_t n = detail::call_send_message(use.number(), message, address);
    if (n >= 0) return detail::count_transfer(static_cast<std::size_t>(n));
    ec = would_block(n) ? wait(use, seen, l) : failure(use, n);
  }
}

template <class Endpoint>
typename datagram_socket<Endpoint>::received datagram_socket<Endpoint>::receive_within(
    const mutable_buffers& to, const limit& l, std::error_code& ec) noexcept {
  ec.clear();
  detail::yield_before_transfer();
  received got;
  const descriptor_use use(descriptor());
  if (!use) return ec = bad_descriptor(), got;
  native_address from;
  while (!ec) {
    const poll_word::edge_count seen = use->word.edges();
    std::size_t room = 0;
    const ssize_t n = detail::call_recv_message(use.number(), to, from, room);
    // A socket that another fiber has just closed reads as an empty message.
    if (n > 0 || (n == 0 && !use.closing())) {
      got.full_size = static_cast<std::size_t>(n);
      got.size = std::min(got.full_size, room);
      got.from = from_native<Endpoint>(from);
      detail::count_transfer(got.size);
      return got;
    }
    ec = would_block(n)
             ? detail::wait_for_event(*use, direction::read, seen, park_reason::io_read, l)
             : failure(use, n);
  }
  return got;
}

template <class Endpoint>
std::size_t datagram_socket<Endpoint>::receive_batch_within(std::span<incoming> batch,
                                                            const limit& l,
                                                            std::error_code& ec) noexcept {
  ec.clear();
  const descriptor_use use(descriptor());
  if (!use) return ec = bad_descriptor(), 0;
  std::array<detail::native_message, detail::batch_size> messages;
  std::size_t done = 0;
  while (done < batch.size()) {
    detail::yield_before_transfer();
    const std::size_t wanted = std::min(batch.size() - done, messages.size());
    for (std::size_t i = 0; i < wanted; ++i) {
      messages[i].data = batch[done + i].space.data();
      messages[i].size = batch[done + i].space.size();
    }
    const poll_word::edge_count seen = use->word.edges();
    const int n = detail::call_recv_batch(use.number(), messages.data(), wanted);
    if (n > 0 && !(use.closing() && messages[0].full_size == 0)) {
      for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i)
        batch[done + i].got = {messages[i].size, messages[i].full_size,
                               from_native<Endpoint>(messages[i].address)};
      count_transfer(messages.data(), static_cast<std::size_t>(n));
      done += static_cast<std::size_t>(n);
      if (static_cast<std::size_t>(n) < wanted) break;  // nothing more is there, or it is an error
      continue;
    }
    if (done > 0) break;  // an error is the next call's
    ec = would_block(n)
             ? detail::wait_for_event(*use, direction::read, seen, park_reason::io_read, l)
             : failure(use, n);
    if (ec) break;
  }
  return done;
}

template <class Endpoint>
std::size_t datagram_socket<Endpoint>::send_batch_within(std::span<const outgoing> batch,
                                                         const limit& l,
                                                         std::error_code& ec) noexcept {
  ec.clear();
  const descriptor_use use(descriptor());
  if (!use) return ec = bad_descriptor(), 0;
  std::array<detail::native_message, detail::batch_size> messages;
  std::size_t done = 0;
  wait_for_room<Endpoint> wait;
  while (done < batch.size() && !ec) {
    detail::yield_before_transfer();
    if (use.closing()) return ec = failure(use, 0), done;
    const std::size_t wanted = std::min(batch.size() - done, messages.size());
    for (std::size_t i = 0; i < wanted; ++i) {
      const outgoing& o = batch[done + i];
      messages[i].data = const_cast<void*>(o.data.data());
      messages[i].size = o.data.size();
      messages[i].address.size = 0;
      if (o.to != Endpoint{}) to_native(o.to, messages[i].address);
    }
    const poll_word::edge_count seen = use->word.edges();
    const int n = detail::call_send_batch(use.number(), messages.data(), wanted);
    if (n >= 0) {
      count_transfer(messages.data(), static_cast<std::size_t>(n));
      done += static_cast<std::size_t>(n);
      wait = {};
    } else {
      ec = would_block(n) ? wait(use, seen, l) : failure(use, n);
    }
  }
  return done;
}

template <class Endpoint>
void datagram_socket<Endpoint>::checked_send(const const_buffers& message, const Endpoint& to,
                                             const limit& l) {
  std::error_code ec;
  send_within(message, &to, l, ec);
  if (ec) fail(("send a message to " + detail::one_line(to.to_string())).c_str(), ec);
}
template <class Endpoint>
std::size_t datagram_socket<Endpoint>::checked_send(std::span<const outgoing> batch,
                                                    const limit& l) {
  std::error_code ec;
  const std::size_t n = send_batch_within(batch, l, ec);
  if (ec) fail("send messages", ec);
  return n;
}
template <class Endpoint>
std::size_t datagram_socket<Endpoint>::checked_receive(std::span<incoming> batch, const limit& l) {
  std::error_code ec;
  const std::size_t n = receive_batch_within(batch, l, ec);
  if (ec) fail("receive messages", ec);
  return n;
}

template <class Endpoint>
Endpoint datagram_socket<Endpoint>::local_endpoint() const {
  const descriptor_use use(descriptor());
  native_address a;
  check("asking a datagram socket for its local endpoint",
        use ? detail::call_name(use.number(), detail::which_end::local, a) : -EBADF);
  return from_native<Endpoint>(a);
}
template <class Endpoint>
Endpoint datagram_socket<Endpoint>::remote_endpoint() const {
  const descriptor_use use(descriptor());
  native_address a;
  check("asking a datagram socket for its remote endpoint",
        use ? detail::call_name(use.number(), detail::which_end::remote, a) : -EBADF);
  return from_native<Endpoint>(a);
}

template class datagram_socket<endpoint>;
template class datagram_socket<unix_endpoint>;

}  // namespace weft::net
