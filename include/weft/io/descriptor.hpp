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

/// What a wait is for.
enum class readiness : std::uint8_t {
  /// A read would not block: there is data, or the end, or an error.
  readable,
  /// A write would take at least one byte, or fail.
  writable,
};

/// Waits for a descriptor. Move-only. The destructor closes an adopted number; a borrowed one stays
/// the caller's.
///
/// Several fibers of any runtime and plain threads may wait at the same time, in both directions.
/// All of them return then, and one of them may be faster with its read: so make the number
/// non-blocking, which this class does not do. Only destroying, moving and assigning need the
/// object for themselves. Several objects may borrow one number, also that of a weft::net socket;
/// waits of the second object cost four system calls more.
/// Lifetime: close the object before the number is closed (PQfinish, redisFree). If a library
/// closes the number between two waits and opens another file under it (PQreset), the next wait is
/// for that file.
class descriptor {
 public:
  /// The type of deadlines.
  using time_point = std::chrono::steady_clock::time_point;
  /// The deadline that never comes.
  static constexpr time_point no_deadline = time_point::max();

  /// No descriptor: every operation fails with bad_file_descriptor.
  descriptor() noexcept = default;

  /// Watches `number`, and closes it in the end.
  /// Throws: std::system_error with bad_file_descriptor; not_supported for a regular file or
  /// directory, which is always ready (see weft::io::file). The number is still the caller's then.
  [[nodiscard]] static descriptor adopt(int number);

  /// Watches `number`, which stays the caller's.
  /// Throws: as adopt.
  /// Example: test/unit/examples_waiting_test.cpp [descriptor]
  /// ```
  ///   const auto events = weft::io::descriptor::borrow(number);
  ///   while (sum < 3) {
  ///     events.wait_readable();
  ///     if (::read(number, &count, sizeof count) == sizeof count) sum += count;
  ///   }
  /// ```
  [[nodiscard]] static descriptor borrow(int number);

  /// Takes over `other`, which is closed afterwards.
  descriptor(descriptor&& other) noexcept : d_(std::exchange(other.d_, nullptr)) {}
  /// Closes this object and takes over `other`.
  descriptor& operator=(descriptor&& other) noexcept {
    if (this != &other) {
      drop();
      d_ = std::exchange(other.d_, nullptr);
    }
    return *this;
  }
  /// Closes an adopted number.
  ~descriptor() { drop(); }

  /// True until it is closed, released or moved from.
  [[nodiscard]] bool is_open() const noexcept;

  /// Ends waits under way with operation_canceled; later ones fail with bad_file_descriptor.
  /// Closing twice is no error.
  ///
  /// A borrowed number is the caller's alone after the return. An adopted number is closed when the
  /// last wait has returned; at once, if there is none.
  /// Blocks: never.
  /// Orders: before the failure it causes.
  void close() noexcept;
  /// Gives up the number, also an adopted one, and returns it; -1 if it was closed already. The
  /// object is closed afterwards.
  [[nodiscard]] int release() noexcept;
  /// The number; -1 if closed.
  [[nodiscard]] int native_handle() const noexcept;

  /// Waits until a read would not block. Returns at once if it would not block now, whatever the
  /// deadline and the token say.
  /// Blocks: the calling fiber or thread; on a plain thread the default runtime watches.
  /// Throws: std::system_error with operation_canceled if another fiber closes the object or a stop
  /// is requested on this fiber; bad_file_descriptor; too_many_files_open and no_space_on_device,
  /// with a text that has the limit to raise.
  void wait_readable() const { must_wait(readiness::readable, {}); }
  /// The same for a write.
  void wait_writable() const { must_wait(readiness::writable, {}); }
  /// Waits until a read would not block or a stop is requested on `stop`; true if it is ready.
  [[nodiscard]] bool wait_readable(const std::stop_token& stop) const {
    return must_wait(readiness::readable, detail::wait_limit(stop));
  }
  /// The same for a write.
  [[nodiscard]] bool wait_writable(const std::stop_token& stop) const {
    return must_wait(readiness::writable, detail::wait_limit(stop));
  }
  /// Waits until a read would not block, for at most `timeout` and until a stop is requested on
  /// `stop`; true if it is ready.
  template <class Rep, class Period>
  [[nodiscard]] bool wait_readable_for(const std::chrono::duration<Rep, Period>& timeout,
                                       const std::stop_token& stop = {}) const {
    return must_wait(readiness::readable,
                     detail::wait_limit(stop, detail::deadline_after(timeout)));
  }
  /// The same for a write.
  template <class Rep, class Period>
  [[nodiscard]] bool wait_writable_for(const std::chrono::duration<Rep, Period>& timeout,
                                       const std::stop_token& stop = {}) const {
    return must_wait(readiness::writable,
                     detail::wait_limit(stop, detail::deadline_after(timeout)));
  }
  /// Waits until a read would not block, until `deadline` at the latest and until a stop is
  /// requested on `stop`; true if it is ready.
  template <class Clock, class Duration>
  [[nodiscard]] bool wait_readable_until(const std::chrono::time_point<Clock, Duration>& deadline,
                                         const std::stop_token& stop = {}) const {
    return must_wait(readiness::readable, detail::wait_limit(stop, detail::to_steady(deadline)));
  }
  /// The same for a write.
  template <class Clock, class Duration>
  [[nodiscard]] bool wait_writable_until(const std::chrono::time_point<Clock, Duration>& deadline,
                                         const std::stop_token& stop = {}) const {
    return must_wait(readiness::writable, detail::wait_limit(stop, detail::to_steady(deadline)));
  }
  /// The form that does not throw. Returns no error if it is ready, timed_out, or
  /// operation_canceled, also for the token; otherwise the errors above.
  [[nodiscard]] std::error_code wait(readiness what, time_point deadline = no_deadline,
                                     const std::stop_token& stop = {}) const noexcept {
    return try_wait(what, detail::wait_limit(stop, deadline));
  }

  /// For weft's own templates.
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
