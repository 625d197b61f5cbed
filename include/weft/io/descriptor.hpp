// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/io/descriptor.hpp - waiting for a descriptor that weft did not open: a socket of libpq,
// hiredis, libcurl or ZeroMQ, a pipe, an eventfd, timerfd, signalfd, inotify or pidfd, a terminal.
//
//   auto socket = weft::io::descriptor::borrow(PQsocket(connection));
//   while (PQisBusy(connection)) {
//     socket.wait_readable();
//     PQconsumeInput(connection);
//   }
//
// It waits and never reads. The library that owns the data may read it in parts: the next wait
// looks again. The first wait registers the descriptor; each wait costs one system call, and
// nothing wakes up while no fiber waits.

#include <chrono>
#include <cstdint>
#include <stop_token>
#include <system_error>
#include <utility>

#include <weft/detail/export.hpp>
#include <weft/detail/waiting.hpp>

namespace weft::detail {
struct poll_descriptor;
}

namespace weft {
namespace WEFT_API io {

enum class readiness : std::uint8_t {
  readable,  // a read would not block: something is there, or the end, or an error
  writable,  // a write would take at least one byte, or fail
};

/// A descriptor to wait for. Move-only. The destructor closes an adopted number; a borrowed one
/// stays the caller's.
///
/// Several fibers of any runtime and plain threads may wait at the same time, in both directions.
/// All of them return then, and one of them may be faster with its read: so make the number
/// non-blocking, which this class does not. Only destroying, moving and assigning need the object
/// for themselves. Several objects may borrow one number, also that of a weft::net socket; waits of
/// the second cost four system calls more.
///
/// Lifetime: close the object before the number is closed (PQfinish, redisFree). If a library
/// closes the number between two waits and opens another file under it (PQreset), the next wait is
/// for that file.
class descriptor {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr time_point no_deadline = time_point::max();

  /// None: everything fails with bad_file_descriptor.
  descriptor() noexcept = default;
  /// Watches `number` and closes it in the end.
  ///
  /// Throws: std::system_error: bad_file_descriptor; not_supported for a regular file or directory,
  /// which is always ready (see weft::io::file); then the number is still the caller's.
  [[nodiscard]] static descriptor adopt(int number);
  /// Watches `number`, which stays the caller's. Throws: as adopt.
  ///
  /// Example: test/unit/examples_waiting_test.cpp [descriptor]
  /// ```
  ///   const auto events = weft::io::descriptor::borrow(number);
  ///   while (sum < 3) {
  ///     events.wait_readable();
  ///     if (::read(number, &count, sizeof count) == sizeof count) sum += count;
  ///   }
  /// ```
  [[nodiscard]] static descriptor borrow(int number);

  descriptor(descriptor&& other) noexcept : d_(std::exchange(other.d_, nullptr)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    if (this != &other) {
      drop();
      d_ = std::exchange(other.d_, nullptr);
    }
    return *this;
  }
  ~descriptor() { drop(); }

  [[nodiscard]] bool is_open() const noexcept;
  /// Ends waits under way with operation_canceled; later ones fail with bad_file_descriptor.
  /// Closing twice is no error. A borrowed number is the caller's alone after the return. An
  /// adopted one is closed when the last wait has returned: at once, if there is none.
  ///
  /// Blocks: never.   Orders: before the failure it causes.
  void close() noexcept;
  /// Gives an adopted number away, too; this object is closed afterwards. -1 if it was already.
  [[nodiscard]] int release() noexcept;
  /// -1 if closed.
  [[nodiscard]] int native_handle() const noexcept;

  /// Waits until a read (a write) would not block. If it would not block now, returns at once,
  /// whatever the deadline and the token say.
  ///
  /// Blocks: the calling fiber or thread; on a plain thread the default runtime watches.
  /// Throws: std::system_error: operation_canceled if another fiber closes the object or asks this
  /// fiber to stop; bad_file_descriptor; too_many_files_open and no_space_on_device, with a text
  /// with the limit to raise.
  void wait_readable() const { must_wait(readiness::readable, {}); }
  void wait_writable() const { must_wait(readiness::writable, {}); }
  /// The same until a stop is requested. Returns whether it is ready.
  [[nodiscard]] bool wait_readable(const std::stop_token& stop) const {
    return must_wait(readiness::readable, detail::wait_limit(stop));
  }
  [[nodiscard]] bool wait_writable(const std::stop_token& stop) const {
    return must_wait(readiness::writable, detail::wait_limit(stop));
  }
  /// The same for a time, and with a token. Returns whether it is ready.
  template <class Rep, class Period>
  [[nodiscard]] bool wait_readable_for(const std::chrono::duration<Rep, Period>& timeout,
                                       const std::stop_token& stop = {}) const {
    return must_wait(readiness::readable,
                     detail::wait_limit(stop, detail::deadline_after(timeout)));
  }
  template <class Rep, class Period>
  [[nodiscard]] bool wait_writable_for(const std::chrono::duration<Rep, Period>& timeout,
                                       const std::stop_token& stop = {}) const {
    return must_wait(readiness::writable,
                     detail::wait_limit(stop, detail::deadline_after(timeout)));
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool wait_readable_until(const std::chrono::time_point<Clock, Duration>& deadline,
                                         const std::stop_token& stop = {}) const {
    return must_wait(readiness::readable, detail::wait_limit(stop, detail::to_steady(deadline)));
  }
  template <class Clock, class Duration>
  [[nodiscard]] bool wait_writable_until(const std::chrono::time_point<Clock, Duration>& deadline,
                                         const std::stop_token& stop = {}) const {
    return must_wait(readiness::writable, detail::wait_limit(stop, detail::to_steady(deadline)));
  }
  /// The form that does not throw: no error, if it is ready; timed_out; operation_canceled for the
  /// token, too; else as above.
  [[nodiscard]] std::error_code wait(readiness what, time_point deadline = no_deadline,
                                     const std::stop_token& stop = {}) const noexcept {
    return try_wait(what, detail::wait_limit(stop, deadline));
  }

  // For weft::select only.
  [[nodiscard]] detail::poll_descriptor* native_descriptor() const noexcept { return d_; }

 private:
  explicit descriptor(detail::poll_descriptor& d) noexcept : d_(&d) {}
  std::error_code try_wait(readiness what, const detail::wait_limit& limit) const noexcept;
  bool must_wait(readiness what, const detail::wait_limit& limit) const;
  void drop() noexcept;

  detail::poll_descriptor* d_ = nullptr;
};

}  // namespace WEFT_API io
}  // namespace weft
