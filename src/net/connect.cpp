// SPDX-License-Identifier: BSL-1.0
// net/connect.cpp - RFC 8305: several connection attempts of one fiber, side by side.
//
// The attempts are sockets that connect; the fiber waits for any of them by a select. No fiber for
// each attempt: it works on plain threads, and nothing has to be stopped and joined.
#include <weft/net/connect.hpp>

#include <algorithm>
#include <new>
#include <optional>
#include <string>

#include <weft/select.hpp>
#include <weft/this_fiber.hpp>

#include "base/one_line.hpp"
#include "net/connect_race.hpp"
#include "net/operation.hpp"

namespace weft::detail {
namespace {

using clock = std::chrono::steady_clock;

enum class woken_by : unsigned char { attempt, time, stop };

}  // namespace

// The family of the best address first, then by turns (RFC 8305, 4).
std::vector<net::endpoint> interleaved(std::span<const net::endpoint> addresses) {
  std::vector<net::endpoint> first, second, all;
  for (const net::endpoint& e : addresses)
    (e.is_v6() == addresses.front().is_v6() ? first : second).push_back(e);
  for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i < first.size()) all.push_back(first[i]);
    if (i < second.size()) all.push_back(second[i]);
  }
  return all;
}

connect_race::connect_race(std::span<const net::endpoint> addresses,
                           const net::connect_options& options)
    : addresses_(interleaved(addresses)), delay_(options.attempt_delay) {
  attempts_.reserve(addresses_.size());
}

// Begins attempts until one is under way, or has connected at once.
bool connect_race::begin_next() {
  while (next_ < addresses_.size()) {
    std::error_code ec;
    net::tcp_stream s = net::tcp_stream::begin_connect(addresses_[next_++], ec);
    if (!ec) return winner_ = std::move(s), true;
    if (ec == std::errc::operation_in_progress) {
      attempts_.push_back(std::move(s));
      due_ = deadline_after(delay_);
      return false;
    }
    failed(ec);
  }
  return false;
}

void connect_race::failed(std::error_code ec) noexcept {
  if (!error_) error_ = ec;
}

// True: one has connected. Those that have failed are gone, and the next has begun in their place.
bool connect_race::look() {
  bool one_failed = false;
  for (std::size_t i = 0; i < attempts_.size();) {
    std::error_code ec;
    attempts_[i].continue_connect(ec);
    if (!ec) return winner_ = std::move(attempts_[i]), true;
    if (ec == std::errc::operation_in_progress) {
      ++i;
      continue;
    }
    failed(ec);
    one_failed = true;
    attempts_.erase(attempts_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return one_failed && begin_next();
}

net::tcp_stream connect_race::run(const wait_limit& l, std::error_code& ec) {
  ec.clear();
  if (begin_next()) return std::move(winner_);
  while (!attempts_.empty()) {
    woken_by why = woken_by::attempt;
    selector any;
    for (const net::tcp_stream& s : attempts_)
      any.add(on_writable(s, [&] { why = woken_by::attempt; }));
    const clock::time_point until =
        next_ < addresses_.size() ? std::min(due_, l.deadline) : l.deadline;
    if (until != clock::time_point::max())
      any.add(on_deadline(until, [&] { why = woken_by::time; }));
    any.add(on_stop(this_fiber::stop_token(), [&] { why = woken_by::stop; }));
    if (l.stop != nullptr) any.add(on_stop(*l.stop, [&] { why = woken_by::stop; }));
    any.select();
    if (look()) return std::move(winner_);
    if (why == woken_by::stop)
      return ec = std::make_error_code(std::errc::operation_canceled), net::tcp_stream();
    if (why != woken_by::time) continue;
    if (clock::now() >= l.deadline)
      return ec = std::make_error_code(std::errc::timed_out), net::tcp_stream();
    if (begin_next()) return std::move(winner_);
  }
  ec = error_;
  return {};
}

net::tcp_stream connect_to_any(std::span<const net::endpoint> addresses, const wait_limit& l,
                               const net::connect_options& options, std::error_code& ec) noexcept {
  try {
    if (!addresses.empty()) return connect_race(addresses, options).run(l, ec);
    ec = net::net_errc::host_not_found;
  } catch (const std::system_error& e) {
    ec = e.code();
  } catch (const std::bad_alloc&) {
    ec = std::make_error_code(std::errc::not_enough_memory);
  }
  return {};
}

net::tcp_stream connect_within(std::string_view host, const net::service& s, const wait_limit& l,
                               std::error_code& ec) noexcept {
  try {
    const auto addresses = resolve_within(host, s, net::address_family::any, l, ec);
    if (ec) return {};
    return connect_to_any(addresses, l, {}, ec);
  } catch (const std::system_error& e) {  // a thread of the application's that cannot wait
    ec = e.code();
  } catch (const std::bad_alloc&) {
    ec = std::make_error_code(std::errc::not_enough_memory);
  }
  return {};
}

net::tcp_stream connect_or_throw(std::string_view host, const net::service& s,
                                 const wait_limit& l) {
  std::error_code ec;
  net::tcp_stream stream = connect_within(host, s, l, ec);
  if (ec)
    throw std::system_error(
        ec, "weft: connect to " + one_line(host) + ":" + one_line(s.text()) + remedy_for(ec));
  return stream;
}

}  // namespace weft::detail
