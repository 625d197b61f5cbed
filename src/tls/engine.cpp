// SPDX-License-Identifier: BSL-1.0
// tls/engine.cpp - what a stream's functions do.
#include <weft/tls/engine.hpp>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <weft/this_fiber.hpp>

#include "tls/engine_state.hpp"
#include "tls/exchange.hpp"

namespace weft::tls::detail {
namespace {

using held = std::unique_lock<weft::mutex>;

// One record; and as much as is encrypted in one stretch, and handed down by one call.
constexpr std::size_t record = SSL3_RT_MAX_PLAIN_LENGTH, batch = 4 * record;
// More than a writer ever leaves there for a moment. A peer that asks and asks, and does not read,
// waits for the writer, as it would for one fiber that does both.
constexpr std::size_t most_unsent_answers = 4 * batch;

/// Buffers as OpenSSL wants them: small ones joined to a record, large ones as they are.
class gatherer {
 public:
  gatherer(const net::const_buffers& data, std::size_t skip) noexcept
      : next_(data.begin()), end_(data.end()), offset_(skip) {
    settle();
  }
  [[nodiscard]] bool done() const noexcept { return next_ == end_; }
  [[nodiscard]] std::span<const std::byte> front() {
    const auto first = bytes_of(*next_).subspan(offset_);
    if (first.size() >= record || next_ + 1 == end_) return first;
    joined_.assign(first.begin(), first.end());
    for (const auto* b = next_ + 1; b != end_ && joined_.size() < record; ++b) {
      const auto all = bytes_of(*b);
      const auto piece = all.first(std::min(all.size(), record - joined_.size()));
      joined_.insert(joined_.end(), piece.begin(), piece.end());
    }
    return joined_;
  }
  void took(std::size_t n) noexcept {
    offset_ += n;
    settle();
  }

 private:
  static std::span<const std::byte> bytes_of(const net::const_buffer& b) noexcept {
    return {static_cast<const std::byte*>(b.data()), b.size()};
  }
  void settle() noexcept {
    while (next_ != end_ && offset_ >= next_->size()) {
      offset_ -= next_->size();
      ++next_;
    }
  }
  const net::const_buffer *next_, *end_;
  std::size_t offset_;  // into *next_
  std::vector<std::byte> joined_;
};

// With `writing` held: encrypts up to a batch. Returns how much was taken; 0 without an error if a
// message of the peer's must be read first.
std::size_t encrypt(engine_state& s, gatherer& data, std::error_code& ec) {
  std::size_t taken = 0;
  const openssl_stretch stretch(s);
  while (taken < batch && !data.done()) {
    if (s.failed) {
      ec = s.failed;
      break;
    }
    if (has_part_of_a_message(s)) break;
    std::span<const std::byte> part;
    try {
      part = data.front();
    } catch (const std::bad_alloc&) {
      if (taken == 0) throw;
      break;
    }
    std::size_t n = 0;
    const int result = ::SSL_write_ex(s.ssl, part.data(), std::min(part.size(), batch - taken), &n);
    if (result != 1) {
      // No input is wanted here: there is no renegotiation, and no message has come in part.
      if (outcome_of(s, stretch, result) != ssl_outcome::failed)
        s.failed = std::make_error_code(std::errc::protocol_error);
      ec = s.failed;
      break;
    }
    taken += n;
    data.took(n);
  }
  return taken;
}

template <class F>
std::size_t within_memory(std::error_code& ec, F&& call) noexcept {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    ec = std::make_error_code(std::errc::not_enough_memory);
  } catch (const std::system_error& e) {  // a thread of the application's that cannot wait
    ec = e.code();
  }
  return 0;
}

// A moved-from stream has no state.
bool is_there(const engine_state* s, std::error_code& ec) noexcept {
  ec.clear();
  if (s == nullptr) ec = std::make_error_code(std::errc::bad_file_descriptor);
  return s != nullptr;
}

// `own`: the stream's deadline for what it is about to do.
bool ready(engine_state& s, transport& below, const wait_limit& limit,
           const std::atomic<std::int64_t>& own, std::error_code& ec) {
  if (is_done(s)) return true;
  if (!lock_within(s.shaking, limit, own, ec)) return false;
  const held shaking(s.shaking, std::adopt_lock);
  handshake_locked(s, below, limit, ec);
  return !ec;
}

}  // namespace

engine::engine(const context& c, std::string_view peer)
    : state_(std::make_unique<engine_state>(c, peer)) {}
engine::engine(engine&&) noexcept = default;
engine& engine::operator=(engine&&) noexcept = default;
engine::~engine() = default;

void engine::handshake(transport& below, const wait_limit& limit, std::error_code& ec) noexcept {
  if (!is_there(state_.get(), ec)) return;
  within_memory(ec,
                [&] { return ready(*state_, below, limit, state_->read_deadline, ec) ? 1 : 0; });
}

namespace {

std::size_t read_some(engine_state& s, transport& below, std::span<std::byte> buffer,
                      const wait_limit& limit, std::error_code& ec) {
  if (!ready(s, below, limit, s.read_deadline, ec)) return 0;
  if (!lock_within(s.reading, limit, s.read_deadline, ec)) return 0;
  const held reading(s.reading, std::adopt_lock);
  for (;;) {
    bool broke = false, answers = false, many = false;
    {
      const openssl_stretch stretch(s);
      if (s.failed || s.read_failed) {
        ec = s.failed ? s.failed : s.read_failed;
        return 0;
      }
      std::size_t n = 0;
      const int result = ::SSL_read_ex(s.ssl, buffer.data(), buffer.size(), &n);
      if (result == 1) return n;
      const ssl_outcome outcome = outcome_of(s, stretch, result);
      if (outcome == ssl_outcome::ended) return 0;
      broke = outcome == ssl_outcome::failed;
      if (broke) ec = s.failed;
      answers = !s.output.empty();
      many = s.output.size() > most_unsent_answers;
    }
    if (broke) {
      // The holder of `writing` sends what he finds when he is done; else we do.
      using namespace std::chrono_literals;
      const held writing(s.writing, 1s);
      if (writing) send_alert(s, below, limit);
      return 0;
    }
    if (many) {
      if (!lock_within(s.writing, limit, s.read_deadline, ec)) return 0;
      const held writing(s.writing, std::adopt_lock);
      wait_limit within = limit;
      if (below.has_limits())
        within.deadline =
            std::min(limit.deadline,
                     weft::detail::steady_at(s.read_deadline.load(std::memory_order_relaxed)));
      flush(s, below, within, ec);
      if (ec) return 0;
    } else if (answers)  // to a message that was no data; who holds `writing` does it, if anybody
      if (const held writing(s.writing, std::try_to_lock); writing) send_alert(s, below, limit);
    if (fill(s, below, limit, ec)) continue;
    if (!ec) ec = s.read_failed = errc::stream_truncated;
    return 0;
  }
}

// Until no message of the peer's is there in part. A reader that holds `reading` reads it; without
// one we do. We do not wait for that lock: its holder may wait for what we are about to write.
bool read_rest(engine_state& s, transport& below, const wait_limit& limit, std::error_code& ec) {
  using namespace std::chrono_literals;
  for (;;) {
    if (const held reading(s.reading, std::try_to_lock); reading) {
      {
        const openssl_stretch stretch(s);
        if (!s.failed && !has_part_of_a_message(s)) return true;
        const int result = s.failed ? -1 : ::SSL_do_handshake(s.ssl);
        if (result == 1) return true;
        if (s.failed || outcome_of(s, stretch, result) != ssl_outcome::want_input) {
          ec = s.failed ? s.failed : make_error_code(errc::stream_truncated);
          return false;
        }
      }
      if (!fill(s, below, limit, ec)) {
        if (!ec) ec = s.read_failed = errc::stream_truncated;
        return false;
      }
      continue;
    }
    {
      const openssl_stretch stretch(s);
      if (!has_part_of_a_message(s)) return true;
    }
    if (has_ended(limit, s.write_deadline, ec)) return false;
    weft::this_fiber::sleep_for(1ms);
  }
}

std::size_t write_some(engine_state& s, transport& below, gatherer data, const wait_limit& limit,
                       std::error_code& ec) {
  if (!ready(s, below, limit, s.write_deadline, ec)) return 0;
  do {
    if (!lock_within(s.writing, limit, s.write_deadline, ec)) return 0;
    const held writing(s.writing, std::adopt_lock);
    if (s.closed) {
      ec = std::make_error_code(std::errc::broken_pipe);
      return 0;
    }
    flush(s, below, limit, ec);  // what a wait that ended left behind
    if (ec) return 0;
    const std::size_t taken = encrypt(s, data, ec);
    if (ec)
      send_alert(s, below, limit);
    else
      flush(s, below, limit, ec);
    if (taken > 0 || ec) return taken;
  } while (read_rest(s, below, limit, ec));
  return 0;
}

// True: done, or an error.
bool close_notify(engine_state& s, transport& below, const wait_limit& limit, std::error_code& ec) {
  if (!lock_within(s.writing, limit, s.write_deadline, ec)) return true;
  const held writing(s.writing, std::adopt_lock);
  if (!s.closed) {
    const openssl_stretch stretch(s);
    if (!s.failed && has_part_of_a_message(s)) return false;
    if (!s.failed && ::SSL_shutdown(s.ssl) < 0) s.failed = stretch.first_error();
    ec = s.failed;
    s.closed = !ec;
  }
  if (!ec) flush(s, below, limit, ec);
  return true;
}

}  // namespace

std::size_t engine::read(transport& below, const net::mutable_buffers& to, std::size_t skip,
                         const wait_limit& limit, std::error_code& ec) noexcept {
  if (!is_there(state_.get(), ec)) return 0;
  for (const auto& b : to) {
    if (skip >= b.size()) {
      skip -= b.size();
      continue;
    }
    const std::span buffer(static_cast<std::byte*>(b.data()) + skip, b.size() - skip);
    return within_memory(ec, [&] { return read_some(*state_, below, buffer, limit, ec); });
  }
  return 0;
}

std::size_t engine::write(transport& below, const net::const_buffers& from, std::size_t skip,
                          const wait_limit& limit, std::error_code& ec) noexcept {
  if (!is_there(state_.get(), ec)) return 0;
  gatherer data(from, skip);
  if (data.done()) return 0;
  return within_memory(ec, [&] { return write_some(*state_, below, std::move(data), limit, ec); });
}

void engine::shutdown(transport& below, const wait_limit& limit, std::error_code& ec) noexcept {
  if (!is_there(state_.get(), ec)) return;
  engine_state& s = *state_;
  if (!is_done(s)) {
    ec = std::make_error_code(std::errc::not_connected);
    return;
  }
  within_memory(ec, [&] {
    while (!close_notify(s, below, limit, ec) && read_rest(s, below, limit, ec)) continue;
    return 0;
  });
}

void engine::update_keys() {
  if (std::error_code ec; !is_there(state_.get(), ec)) fail("key update", ec);
  const openssl_stretch stretch(*state_);
  // The message is made at once: until then OpenSSL takes the connection for one in a handshake,
  // and neither closes it nor makes other keys.
  if (::SSL_key_update(state_->ssl, SSL_KEY_UPDATE_REQUESTED) != 1 ||
      ::SSL_do_handshake(state_->ssl) != 1)
    throw std::system_error(stretch.first_error(), "weft: tls key update");
}

void engine::set_deadlines(bool reads, bool writes,
                           std::chrono::steady_clock::time_point t) noexcept {
  if (!state_) return;
  const std::int64_t ns = t.time_since_epoch().count();
  if (reads) state_->read_deadline.store(ns, std::memory_order_relaxed);
  if (writes) state_->write_deadline.store(ns, std::memory_order_relaxed);
}
std::chrono::steady_clock::time_point engine::read_deadline() const noexcept {
  return weft::detail::steady_at(state_->read_deadline.load(std::memory_order_relaxed));
}
std::chrono::steady_clock::time_point engine::write_deadline() const noexcept {
  return weft::detail::steady_at(state_->write_deadline.load(std::memory_order_relaxed));
}

const std::string& engine::peer() const noexcept { return state_->peer; }
bool engine::handshake_done() const noexcept { return state_ && is_done(*state_); }
::ssl_st* engine::native_handle() const noexcept { return state_->ssl; }

std::string_view engine::alpn() const noexcept {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  ::SSL_get0_alpn_selected(state_->ssl, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}
std::string_view engine::server_name() const noexcept {
  const char* name = ::SSL_get_servername(state_->ssl, TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? std::string_view() : name;
}
std::string_view engine::version() const noexcept { return ::SSL_get_version(state_->ssl); }
std::string_view engine::cipher() const noexcept { return ::SSL_get_cipher_name(state_->ssl); }
bool engine::resumed() const noexcept { return ::SSL_session_reused(state_->ssl) == 1; }

session engine::session() const {
  const std::lock_guard lock(state_->guard);
  return {state_->session, state_->peer};
}

void engine::set_session(const tls::session& session) {
  if (!session || state_->settings->side != role::client || handshake_done() ||
      session.peer() != state_->peer)
    throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                            "weft: tls: a session is for a client of " + session.peer() +
                                " before its handshake, not for " + state_->peer);
  const openssl_stretch stretch(*state_);
  if (::SSL_set_session(state_->ssl, session.native_handle()) != 1)
    throw std::system_error(stretch.first_error(), "weft: tls: session");
  // What it resumes is not verified again, and its own connection may have accepted anything.
  if (::SSL_get_verify_mode(state_->ssl) == SSL_VERIFY_NONE ||
      ::SSL_get_verify_result(state_->ssl) == X509_V_OK)
    return;
  ::SSL_set_session(state_->ssl, nullptr);
  ::SSL_set_verify_result(state_->ssl, X509_V_OK);
  throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                          "weft: tls: a session whose peer was not verified to be " + state_->peer +
                              " is not for a client that verifies");
}

void engine::fail(const char* operation, std::error_code why) const {
  std::string text = std::string("weft: tls ") + operation;
  if (!state_) throw std::system_error(why, text);
  text += state_->peer.empty() ? " a client" : " " + state_->peer;
  throw std::system_error(why, text);
}

}  // namespace weft::tls::detail
