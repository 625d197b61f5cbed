// SPDX-License-Identifier: BSL-1.0
// tls/engine_io.cpp - between OpenSSL's buffers and the stream below; the handshake.
#include <algorithm>
#include <chrono>
#include <utility>

#include "tls/engine_state.hpp"
#include "tls/exchange.hpp"

namespace weft::tls::detail {
namespace {

bool only_the_wait_ended(const std::error_code& ec) noexcept {
  return ec == std::errc::timed_out || ec == std::errc::operation_canceled;
}

}  // namespace

void flush(engine_state& s, transport& below, const wait_limit& limit, std::error_code& ec) {
  if (s.write_failed) {
    ec = s.write_failed;
    return;
  }
  send_output(s, [&](const std::vector<std::byte>& sending, std::size_t& sent) {
    const std::size_t n = below.write(std::span(sending).subspan(sent), limit, ec);
    sent += n;
    if (!ec && n == 0) ec = std::make_error_code(std::errc::broken_pipe);
    if (ec && !only_the_wait_ended(ec)) s.write_failed = ec;
    return !ec;
  });
}

bool fill(engine_state& s, transport& below, const wait_limit& limit, std::error_code& ec) {
  const std::span<std::byte> room = s.input.room();
  const std::size_t n = below.read(room, limit, ec);
  if (ec) return false;
  s.input.filled(n);
  return n != 0;
}

void send_alert(engine_state& s, transport& below, const wait_limit& limit) {
  using namespace std::chrono_literals;  // the kernel's buffer has room for it, or the peer is gone
  wait_limit short_one = limit;
  if (below.has_limits())
    short_one.deadline = std::min(limit.deadline, std::chrono::steady_clock::now() + 1s);
  std::error_code ignored;
  flush(s, below, short_one, ignored);
}

void handshake_locked(engine_state& s, transport& below, const wait_limit& limit,
                      std::error_code& ec) {
  std::error_code not_sent;
  const auto step = [&] {
    auto now = handshake_step::wants_input;
    {
      const openssl_stretch stretch(s);
      if (!s.failed) {
        const int result = ::SSL_do_handshake(s.ssl);
        if (result == 1)
          now = handshake_step::finished;
        else if (outcome_of(s, stretch, result) == ssl_outcome::ended)
          s.failed = errc::stream_truncated;  // closed before it began
      }
      ec = s.failed;
    }
    if (!ec) return now;
    send_alert(s, below, limit);
    return handshake_step::failed;
  };
  const auto send = [&] {
    std::error_code unsent;
    flush(s, below, limit, unsent);
    if (only_the_wait_ended(unsent)) {
      ec = unsent;
      return false;
    }
    // A peer that takes nothing more may have said why.
    if (unsent) not_sent = unsent;
    return true;
  };
  const auto receive = [&] {
    if (fill(s, below, limit, ec)) return true;
    if (not_sent)
      ec = not_sent;
    else if (!ec)
      ec = errc::stream_truncated;
    return false;
  };
  shake_hands(s, step, send, receive);
  if (is_done(s)) ec.clear();  // a later write says what was not sent
}

}  // namespace weft::tls::detail
