// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/tls/stream.hpp - TLS as blocking code, over any stream.
//
//   auto settings = weft::tls::context::client();
//   weft::tls::stream s(weft::net::tcp_stream(peer), settings, "example.com");
//   s.write_all(request);                      // makes the handshake first, as s.handshake() does
//   while (const std::size_t n = s.read_some(buffer)) ...
//   s.shutdown();                              // sends close_notify
//
// OpenSSL works on memory only, so nothing waits inside it; the stream below waits, by its own
// rules. One fiber may read while another writes. Of two readers (or two writers) one waits for the
// other. Reads and writes have the forms of net::stream_forms.

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <new>
#include <span>
#include <stop_token>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#include <weft/detail/deadline.hpp>
#include <weft/net/stream.hpp>
#include <weft/net/stream_socket.hpp>
#include <weft/tls/context.hpp>
#include <weft/tls/engine.hpp>
#include <weft/tls/error.hpp>
#include <weft/tls/session.hpp>

namespace weft::tls {

/// What TLS needs of the stream below: read_some returns at least one byte, or 0 at the end;
/// write_some takes at least one. Both wait, throw nothing, and may be called at the same time.
template <class S>
concept byte_stream =
    requires(S& s, std::span<std::byte> in, std::span<const std::byte> out, std::error_code& ec) {
      { s.read_some(in, ec) } -> std::convertible_to<std::size_t>;
      { s.write_some(out, ec) } -> std::convertible_to<std::size_t>;
    };

/// A stream with limits for each call, as every stream of weft's. Without them the forms with a
/// time or a token fail with operation_not_supported if they would have to wait.
template <class S>
concept limited_stream =
    byte_stream<S> &&
    requires(S& s, std::span<std::byte> in, std::span<const std::byte> out,
             std::chrono::steady_clock::time_point t, std::stop_token stop, std::error_code& ec) {
      s.read_some_until(in, t, ec);
      s.write_some_until(out, t, ec);
      s.read_some(stop, in, ec);
      s.write_some(stop, out, ec);
    };

/// One TLS connection over an `S`, which it owns; stream<S&> borrows it. It is a client or a
/// server, as its context is.
///
/// read_some returns 0 at the peer's close_notify. An end without one is errc::stream_truncated,
/// because the rest may have been cut off. write_some takes at most 64 KiB; several buffers travel
/// in one record, up to 16 KiB. Deadlines and stop requests only end waits, and the connection can
/// be used afterwards: a handshake continues where it was, a write with what is left of it. (What
/// write_some reports beside an error is encrypted, and goes out before anything else.) Any other
/// failure is permanent.
/// Lifetime: moved, assigned and destroyed by one fiber alone; the context may be gone.
/// Example: test/unit/tls_stream_test.cpp [tls]
/// ```
///   auto serving = weft::spawn([&] {
///     weft::tls::stream s(listener.accept(), server);
///     s.write_all("hello");
///     s.shutdown();
///   });
///   weft::tls::stream s(weft::net::tcp_stream(address), client, "localhost");
///   s.read_exactly(answer);  // makes the handshake first
///   serving.join();
/// ```
template <byte_stream S>
class stream : public net::stream_forms<stream<S>> {
 public:
  /// The stream below.
  using next_layer_type = S;
  /// The type of deadlines.
  using time_point = std::chrono::steady_clock::time_point;
  /// The deadline that never comes.
  static constexpr time_point no_deadline = time_point::max();

  /// A connection over `below`. A client requests `peer`, a host name or an address (SNI), and
  /// accepts only a certificate for it.
  /// Throws: std::system_error with invalid_argument if a client that verifies is given no peer, or
  /// what is no host name.
  stream(S below, const context& settings, std::string_view peer = {})
      : below_(static_cast<S&&>(below)), engine_(settings, peer) {}
  /// Takes over the other connection.
  stream(stream&&) noexcept = default;
  /// Takes over the other connection.
  stream& operator=(stream&&) noexcept = default;
  /// Closes nothing by itself: the stream below does.
  ~stream() = default;

  /// Agrees on keys, and verifies the peer. Returns at once if that is done. Reads and writes do it
  /// themselves; a call of its own has its own limit.
  /// Blocks: the fiber, as the stream below does.
  /// Throws: std::system_error of tls::category() if the peers do not agree or the certificate is
  /// refused (verify_error()); errc::stream_truncated if the peer left.
  void handshake() {
    shaking([&](std::error_code& ec) { handshake(ec); });
  }
  void handshake(std::error_code& ec) noexcept { handshake_within({}, ec); }
  void handshake(const std::stop_token& stop) {
    shaking([&](std::error_code& ec) { handshake(stop, ec); });
  }
  void handshake(const std::stop_token& stop, std::error_code& ec) noexcept {
    handshake_within(limit(stop), ec);
  }
  template <class Rep, class Period>
  void handshake_for(const std::chrono::duration<Rep, Period>& time) {
    shaking([&](std::error_code& ec) { handshake_for(time, ec); });
  }
  template <class Rep, class Period>
  void handshake_for(const std::chrono::duration<Rep, Period>& time, std::error_code& ec) noexcept {
    handshake_within(limit(weft::detail::deadline_after(time)), ec);
  }
  template <class Clock, class Duration>
  void handshake_until(const std::chrono::time_point<Clock, Duration>& t) {
    shaking([&](std::error_code& ec) { handshake_until(t, ec); });
  }
  template <class Clock, class Duration>
  void handshake_until(const std::chrono::time_point<Clock, Duration>& t,
                       std::error_code& ec) noexcept {
    handshake_within(limit(weft::detail::to_steady(t)), ec);
  }

  /// Sends close_notify: the peer reads the end, and knows that it is the end. Reads continue until
  /// the peer's own close_notify; writes fail with broken_pipe. A second call does nothing.
  /// Throws: std::system_error with not_connected before the handshake.
  void shutdown() {
    shutting_down([&](std::error_code& ec) { shutdown(ec); });
  }
  void shutdown(std::error_code& ec) noexcept { shutdown_within({}, ec); }
  void shutdown(const std::stop_token& stop) {
    shutting_down([&](std::error_code& ec) { shutdown(stop, ec); });
  }
  void shutdown(const std::stop_token& stop, std::error_code& ec) noexcept {
    shutdown_within(limit(stop), ec);
  }
  template <class Rep, class Period>
  void shutdown_for(const std::chrono::duration<Rep, Period>& time) {
    shutting_down([&](std::error_code& ec) { shutdown_for(time, ec); });
  }
  template <class Rep, class Period>
  void shutdown_for(const std::chrono::duration<Rep, Period>& time, std::error_code& ec) noexcept {
    shutdown_within(limit(weft::detail::deadline_after(time)), ec);
  }
  template <class Clock, class Duration>
  void shutdown_until(const std::chrono::time_point<Clock, Duration>& t) {
    shutting_down([&](std::error_code& ec) { shutdown_until(t, ec); });
  }
  template <class Clock, class Duration>
  void shutdown_until(const std::chrono::time_point<Clock, Duration>& t,
                      std::error_code& ec) noexcept {
    shutdown_within(limit(weft::detail::to_steady(t)), ec);
  }
  /// As shutdown(), by the name that every stream has.
  void shutdown_send() { shutdown(); }
  void shutdown_send(std::error_code& ec) noexcept { shutdown(ec); }
  /// As stream_socket::shutdown_receive, on the stream below: a read there ends at once.
  void shutdown(net::shutdown_side side, std::error_code& ec) noexcept
    requires requires(S& s, std::error_code& e) { s.shutdown(net::shutdown_side::receive, e); }
  {
    ec.clear();
    if (side != net::shutdown_side::receive) shutdown(ec);
    if (side == net::shutdown_side::send) return;
    std::error_code why;
    below_.shutdown(net::shutdown_side::receive, why);
    if (!ec) ec = why;
  }

  /// Sets when waits for reading end with timed_out, for waits that begin later.
  void set_read_deadline(time_point t) noexcept
    requires requires(S& s, time_point when) { s.set_read_deadline(when); }
  {
    engine_.set_deadlines(true, false, t);
    below_.set_read_deadline(t);
  }
  /// The same for writing.
  void set_write_deadline(time_point t) noexcept
    requires requires(S& s, time_point when) { s.set_write_deadline(when); }
  {
    engine_.set_deadlines(false, true, t);
    below_.set_write_deadline(t);
  }
  /// The same for reading and writing.
  void set_deadline(time_point t) noexcept
    requires requires(S& s, time_point when) { s.set_write_deadline(when); }
  {
    set_read_deadline(t);
    set_write_deadline(t);
  }

  /// Makes new keys for both directions; TLS 1.3. The peer hears of it with the next write.
  /// Blocks: only while another fiber is in OpenSSL.
  /// Throws: std::system_error.
  void update_keys() { engine_.update_keys(); }

  /// Closes the stream below, without a word to the peer.
  void close() noexcept
    requires requires(S& s) { s.close(); }
  {
    below_.close();
  }
  /// True if the stream below is open.
  [[nodiscard]] bool is_open() const noexcept
    requires requires(const S& s) { s.is_open(); }
  {
    return below_.is_open();
  }

  // ---- what was agreed on; after the handshake
  /// The application protocol; empty if none was agreed on.
  /// Lifetime: valid while the stream lives.
  [[nodiscard]] std::string_view alpn() const noexcept { return engine_.alpn(); }
  /// The name that the client requested; empty if none.
  [[nodiscard]] std::string_view server_name() const noexcept { return engine_.server_name(); }
  /// The version of the protocol, in words.
  [[nodiscard]] std::string_view version() const noexcept { return engine_.version(); }
  /// The cipher, in words.
  [[nodiscard]] std::string_view cipher() const noexcept { return engine_.cipher(); }
  /// True if an earlier session was resumed.
  [[nodiscard]] bool resumed() const noexcept { return engine_.resumed(); }
  /// True if the handshake is done.
  [[nodiscard]] bool is_ready() const noexcept { return engine_.handshake_done(); }

  /// Of a client: the session that it can resume later. In TLS 1.3 it comes after the handshake,
  /// with the first read; empty until then.
  [[nodiscard]] tls::session session() const { return engine_.session(); }
  /// Sets the session to resume; before the handshake.
  /// Throws: std::system_error with invalid_argument if it is another peer's, or too late, or if
  /// this client verifies its peer, and the session's could not be verified.
  void set_session(const tls::session& s) { engine_.set_session(s); }

  /// The stream below.
  [[nodiscard]] std::remove_reference_t<S>& next_layer() noexcept { return below_; }
  /// The stream below.
  [[nodiscard]] const std::remove_reference_t<S>& next_layer() const noexcept { return below_; }
  /// OpenSSL's object, for what has no function here. No other fiber may be in this stream
  /// meanwhile.
  [[nodiscard]] ::ssl_st* native_handle() const noexcept { return engine_.native_handle(); }

 private:
  friend class net::stream_forms<stream>;
  using limit = weft::detail::wait_limit;

  // The stream below, with the limit of one call.
  class limited final : public detail::transport {
   public:
    explicit limited(S& below) noexcept : below_(below) {}
    std::size_t read(std::span<std::byte> to, const limit& l,
                     std::error_code& ec) noexcept override {
      if constexpr (limited_stream<std::remove_reference_t<S>>) {
        if (l.deadline != no_deadline) return below_.read_some_until(to, l.deadline, ec);
        if (l.stop != nullptr) return below_.read_some(*l.stop, to, ec);
      } else if (!is_unlimited(l, ec)) {
        return 0;
      }
      return below_.read_some(to, ec);
    }
    std::size_t write(std::span<const std::byte> from, const limit& l,
                      std::error_code& ec) noexcept override {
      if constexpr (limited_stream<std::remove_reference_t<S>>) {
        if (l.deadline != no_deadline) return below_.write_some_until(from, l.deadline, ec);
        if (l.stop != nullptr) return below_.write_some(*l.stop, from, ec);
      } else if (!is_unlimited(l, ec)) {
        return 0;
      }
      return below_.write_some(from, ec);
    }
    [[nodiscard]] bool has_limits() const noexcept override {
      return limited_stream<std::remove_reference_t<S>>;
    }

   private:
    static bool is_unlimited(const limit& l, std::error_code& ec) noexcept {
      const bool is = l.deadline == no_deadline && l.stop == nullptr;
      if (!is) ec = std::make_error_code(std::errc::operation_not_supported);
      return is;
    }
    S& below_;
  };

  void handshake_within(const limit& l, std::error_code& ec) noexcept {
    limited below(below_);
    engine_.handshake(below, l, ec);
  }
  template <class Call>
  void shutting_down(Call&& call) {
    std::error_code ec;
    call(ec);
    if (ec) engine_.fail("shutdown of", ec);
  }
  void shutdown_within(const limit& l, std::error_code& ec) noexcept {
    limited below(below_);
    engine_.shutdown(below, l, ec);
  }
  std::size_t read_within(const net::mutable_buffers& to, std::size_t skip, const limit& l,
                          std::error_code& ec) noexcept {
    limited below(below_);
    return engine_.read(below, to, skip, l, ec);
  }
  std::size_t write_within(const net::const_buffers& from, std::size_t skip, const limit& l,
                           std::error_code& ec) noexcept {
    limited below(below_);
    return engine_.write(below, from, skip, l, ec);
  }
  [[noreturn]] void fail(const char* what, std::error_code why) const { engine_.fail(what, why); }
  template <class F>
  void shaking(F&& call) {
    std::error_code ec;
    call(ec);
    if (ec) engine_.fail("handshake with", ec);
  }

  S below_;
  detail::engine engine_;
};

}  // namespace weft::tls
