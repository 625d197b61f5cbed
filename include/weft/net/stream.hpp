// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net/stream.hpp - what every stream of bytes can do: the concept, and the forms of a call.
//
// A stream has two primitives: to read and to write some bytes within a limit. stream_forms makes
// the calls of them: until everything is done or just some of it, with exceptions or an error code,
// for a time, until a moment, until a stop is requested.
//
//   s.read_some(buffer)                  s.read_some(buffer, ec)
//   s.read_some_for(buffer, 5s)          s.read_some_for(buffer, 5s, ec)
//   s.read_some_until(buffer, moment)    s.read_some_until(buffer, moment, ec)
//   s.read_some(stop_token, buffer)      s.read_some(stop_token, buffer, ec)
//
// read_exactly, write_some and write_all have the same forms. A limit only ends waits: a call that
// can proceed does so. The stream's own deadlines and a stop request on the calling fiber end
// waits, too.
// Errors: timed_out, operation_canceled, and the stream's own.

#include <chrono>
#include <concepts>
#include <cstddef>
#include <span>
#include <stop_token>
#include <system_error>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>
#include <weft/net/buffer.hpp>
#include <weft/net/error.hpp>

namespace weft {
namespace WEFT_API net {

/// What code needs that works with any stream: TCP, Unix, TLS.
template <class S>
concept stream = requires(S& s, std::span<std::byte> in, std::span<const std::byte> out,
                          std::chrono::steady_clock::time_point when, std::error_code& ec) {
  { s.read_some(in, ec) } -> std::same_as<std::size_t>;
  { s.write_some(out, ec) } -> std::same_as<std::size_t>;
  { s.write_all(out, ec) } -> std::same_as<std::size_t>;
  { s.is_open() } -> std::convertible_to<bool>;
  s.set_read_deadline(when);
  s.set_write_deadline(when);
  s.shutdown_send(ec);
  s.close();
};

/// The forms of reading and writing, for the class `Self`. It has, privately if this class is its
/// friend:
///
/// - `std::size_t read_within(const mutable_buffers&, std::size_t skip, const wait_limit&,
///   std::error_code&) noexcept`
/// - `std::size_t write_within(const const_buffers&, std::size_t skip, const wait_limit&,
///   std::error_code&) noexcept`
/// - `[[noreturn]] void fail(const char* what, std::error_code) const`
///
/// The first two do what read_some and write_some do, after the first `skip` bytes of the buffers.
template <class Self>
class stream_forms {
 public:
  /// Reads what is there: at least one byte, and at most what the buffers hold. Returns 0 at the
  /// end of the stream and, at once, for empty buffers.
  /// Blocks: the fiber, while nothing is there; on a plain thread, that thread.
  /// Throws: std::system_error; see the errors above.
  /// Example: test/unit/net_buffer_test.cpp
  [[nodiscard]] std::size_t read_some(const mutable_buffers& to) {
    return reading([&](std::error_code& ec) { return read_some(to, ec); });
  }
  [[nodiscard]] std::size_t read_some(const mutable_buffers& to, std::error_code& ec) noexcept {
    return self().read_within(to, 0, {}, ec);
  }
  [[nodiscard]] std::size_t read_some(const std::stop_token& stop, const mutable_buffers& to) {
    return reading([&](std::error_code& ec) { return read_some(stop, to, ec); });
  }
  [[nodiscard]] std::size_t read_some(const std::stop_token& stop, const mutable_buffers& to,
                                      std::error_code& ec) noexcept {
    return self().read_within(to, 0, limit(stop), ec);
  }
  template <class Rep, class Period>
  [[nodiscard]] std::size_t read_some_for(const mutable_buffers& to,
                                          const std::chrono::duration<Rep, Period>& time) {
    return reading([&](std::error_code& ec) { return read_some_for(to, time, ec); });
  }
  template <class Rep, class Period>
  [[nodiscard]] std::size_t read_some_for(const mutable_buffers& to,
                                          const std::chrono::duration<Rep, Period>& time,
                                          std::error_code& ec) noexcept {
    return self().read_within(to, 0, limit(detail::deadline_after(time)), ec);
  }
  template <class Clock, class Duration>
  [[nodiscard]] std::size_t read_some_until(const mutable_buffers& to,
                                            const std::chrono::time_point<Clock, Duration>& t) {
    return reading([&](std::error_code& ec) { return read_some_until(to, t, ec); });
  }
  template <class Clock, class Duration>
  [[nodiscard]] std::size_t read_some_until(const mutable_buffers& to,
                                            const std::chrono::time_point<Clock, Duration>& t,
                                            std::error_code& ec) noexcept {
    return self().read_within(to, 0, limit(detail::to_steady(t)), ec);
  }

  /// Reads until the buffers are full. The form with `ec` returns how many bytes were read: all of
  /// them, unless `ec` is set. A time limits the whole call.
  /// Blocks: the fiber; on a plain thread, that thread.
  /// Throws: std::system_error; net_errc::end_of_stream if the stream ends before.
  void read_exactly(const mutable_buffers& to) {
    reading([&](std::error_code& ec) { return read_exactly(to, ec); });
  }
  std::size_t read_exactly(const mutable_buffers& to, std::error_code& ec) noexcept {
    return fill(to, {}, ec);
  }
  void read_exactly(const std::stop_token& stop, const mutable_buffers& to) {
    reading([&](std::error_code& ec) { return read_exactly(stop, to, ec); });
  }
  std::size_t read_exactly(const std::stop_token& stop, const mutable_buffers& to,
                           std::error_code& ec) noexcept {
    return fill(to, limit(stop), ec);
  }
  template <class Rep, class Period>
  void read_exactly_for(const mutable_buffers& to, const std::chrono::duration<Rep, Period>& time) {
    reading([&](std::error_code& ec) { return read_exactly_for(to, time, ec); });
  }
  template <class Rep, class Period>
  std::size_t read_exactly_for(const mutable_buffers& to,
                               const std::chrono::duration<Rep, Period>& time,
                               std::error_code& ec) noexcept {
    return fill(to, limit(detail::deadline_after(time)), ec);
  }
  template <class Clock, class Duration>
  void read_exactly_until(const mutable_buffers& to,
                          const std::chrono::time_point<Clock, Duration>& t) {
    reading([&](std::error_code& ec) { return read_exactly_until(to, t, ec); });
  }
  template <class Clock, class Duration>
  std::size_t read_exactly_until(const mutable_buffers& to,
                                 const std::chrono::time_point<Clock, Duration>& t,
                                 std::error_code& ec) noexcept {
    return fill(to, limit(detail::to_steady(t)), ec);
  }

  /// Writes as much as is taken now, at least one byte, and returns how many bytes.
  /// Blocks: the fiber, while nothing is taken; on a plain thread, that thread.
  /// Throws: std::system_error: broken_pipe, connection_reset, ...
  [[nodiscard]] std::size_t write_some(const const_buffers& from) {
    return writing([&](std::error_code& ec) { return write_some(from, ec); });
  }
  [[nodiscard]] std::size_t write_some(const const_buffers& from, std::error_code& ec) noexcept {
    return self().write_within(from, 0, {}, ec);
  }
  [[nodiscard]] std::size_t write_some(const std::stop_token& stop, const const_buffers& from) {
    return writing([&](std::error_code& ec) { return write_some(stop, from, ec); });
  }
  [[nodiscard]] std::size_t write_some(const std::stop_token& stop, const const_buffers& from,
                                       std::error_code& ec) noexcept {
    return self().write_within(from, 0, limit(stop), ec);
  }
  template <class Rep, class Period>
  [[nodiscard]] std::size_t write_some_for(const const_buffers& from,
                                           const std::chrono::duration<Rep, Period>& time) {
    return writing([&](std::error_code& ec) { return write_some_for(from, time, ec); });
  }
  template <class Rep, class Period>
  [[nodiscard]] std::size_t write_some_for(const const_buffers& from,
                                           const std::chrono::duration<Rep, Period>& time,
                                           std::error_code& ec) noexcept {
    return self().write_within(from, 0, limit(detail::deadline_after(time)), ec);
  }
  template <class Clock, class Duration>
  [[nodiscard]] std::size_t write_some_until(const const_buffers& from,
                                             const std::chrono::time_point<Clock, Duration>& t) {
    return writing([&](std::error_code& ec) { return write_some_until(from, t, ec); });
  }
  template <class Clock, class Duration>
  [[nodiscard]] std::size_t write_some_until(const const_buffers& from,
                                             const std::chrono::time_point<Clock, Duration>& t,
                                             std::error_code& ec) noexcept {
    return self().write_within(from, 0, limit(detail::to_steady(t)), ec);
  }
  /// As write_some, by the name of write(2).
  [[nodiscard]] std::size_t write(const const_buffers& from) { return write_some(from); }
  [[nodiscard]] std::size_t write(const const_buffers& from, std::error_code& ec) noexcept {
    return write_some(from, ec);
  }

  /// Writes everything. The form with `ec` returns how many bytes were taken: all of them, unless
  /// `ec` is set. A time limits the whole call. Up to 64 buffers are one system call.
  /// Blocks: the fiber, while the peer is slower; on a plain thread, that thread.
  /// Throws: as write_some.
  /// Example: test/unit/net_buffer_test.cpp
  void write_all(const const_buffers& from) {
    writing([&](std::error_code& ec) { return write_all(from, ec); });
  }
  std::size_t write_all(const const_buffers& from, std::error_code& ec) noexcept {
    return drain(from, {}, ec);
  }
  void write_all(const std::stop_token& stop, const const_buffers& from) {
    writing([&](std::error_code& ec) { return write_all(stop, from, ec); });
  }
  std::size_t write_all(const std::stop_token& stop, const const_buffers& from,
                        std::error_code& ec) noexcept {
    return drain(from, limit(stop), ec);
  }
  template <class Rep, class Period>
  void write_all_for(const const_buffers& from, const std::chrono::duration<Rep, Period>& time) {
    writing([&](std::error_code& ec) { return write_all_for(from, time, ec); });
  }
  template <class Rep, class Period>
  std::size_t write_all_for(const const_buffers& from,
                            const std::chrono::duration<Rep, Period>& time,
                            std::error_code& ec) noexcept {
    return drain(from, limit(detail::deadline_after(time)), ec);
  }
  template <class Clock, class Duration>
  void write_all_until(const const_buffers& from,
                       const std::chrono::time_point<Clock, Duration>& t) {
    writing([&](std::error_code& ec) { return write_all_until(from, t, ec); });
  }
  template <class Clock, class Duration>
  std::size_t write_all_until(const const_buffers& from,
                              const std::chrono::time_point<Clock, Duration>& t,
                              std::error_code& ec) noexcept {
    return drain(from, limit(detail::to_steady(t)), ec);
  }

 protected:
  /// Only for derived classes.
  stream_forms() = default;
  /// Only for derived classes.
  ~stream_forms() = default;
  /// Only for derived classes.
  stream_forms(const stream_forms&) = default;
  /// Only for derived classes.
  stream_forms& operator=(const stream_forms&) = default;

 private:
  using limit = detail::wait_limit;
  Self& self() noexcept { return static_cast<Self&>(*this); }

  template <class Call>
  std::size_t reading(Call&& call) {
    std::error_code ec;
    const std::size_t n = call(ec);
    if (ec) [[unlikely]]
      self().fail("read from", ec);
    return n;
  }
  template <class Call>
  std::size_t writing(Call&& call) {
    std::error_code ec;
    const std::size_t n = call(ec);
    if (ec) [[unlikely]]
      self().fail("write to", ec);
    return n;
  }
  // After a part a close between two calls is one in the middle of the whole.
  static void closed_meanwhile(std::size_t done, std::error_code& ec) noexcept {
    if (done > 0 && ec == std::errc::bad_file_descriptor)
      ec = std::make_error_code(std::errc::operation_canceled);
  }
  std::size_t fill(const mutable_buffers& to, const limit& l, std::error_code& ec) noexcept {
    if (ec) ec.clear();
    const std::size_t all = to.bytes();
    std::size_t done = 0;
    while (done < all) {
      const std::size_t n = self().read_within(to, done, l, ec);
      if (ec) break;
      if (n == 0) {
        ec = net_errc::end_of_stream;
        break;
      }
      done += n;
    }
    if (ec) closed_meanwhile(done, ec);
    return done;
  }
  std::size_t drain(const const_buffers& from, const limit& l, std::error_code& ec) noexcept {
    if (ec) ec.clear();
    const std::size_t all = from.bytes();
    std::size_t done = 0;
    while (done < all) {
      done += self().write_within(from, done, l, ec);
      if (ec) break;
    }
    if (ec) closed_meanwhile(done, ec);
    return done;
  }
};

}  // namespace WEFT_API net
}  // namespace weft
