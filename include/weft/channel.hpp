// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/channel.hpp - Go's chan: a queue of values between senders and receivers, buffered or not.

#include <chrono>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

#include <weft/detail/channel.hpp>
#include <weft/detail/export.hpp>

namespace WEFT_API weft {

/// The end of a send that has a limit.
class [[nodiscard]] send_result {
 public:
  /// The result with that status.
  constexpr send_result(channel_status s) noexcept : status_(s) {}
  /// True if the value was sent.
  constexpr explicit operator bool() const noexcept { return status_ == channel_status::success; }
  /// How the send ended.
  [[nodiscard]] constexpr channel_status status() const noexcept { return status_; }

 private:
  channel_status status_;
};

/// The end of a receive that has a limit: a value, or the reason why there is none. Used like
/// std::optional.
template <class T>
class [[nodiscard]] receive_result {
 public:
  /// True if there is a value.
  [[nodiscard]] bool has_value() const noexcept { return value_.has_value(); }
  /// True if there is a value.
  explicit operator bool() const noexcept { return has_value(); }
  /// How the receive ended.
  [[nodiscard]] channel_status status() const noexcept { return status_; }
  /// The value, which must exist.
  T& operator*() & noexcept { return *value_; }
  /// The value, which must exist.
  const T& operator*() const& noexcept { return *value_; }
  /// The value, which must exist.
  T&& operator*() && noexcept { return *std::move(value_); }
  /// The value, which must exist.
  T* operator->() noexcept { return std::addressof(*value_); }
  /// The value, which must exist.
  const T* operator->() const noexcept { return std::addressof(*value_); }
  /// The value. Throws: std::bad_optional_access if there is none.
  T& value() & { return value_.value(); }
  /// The value. Throws: std::bad_optional_access if there is none.
  const T& value() const& { return value_.value(); }
  /// The value. Throws: std::bad_optional_access if there is none.
  T&& value() && { return std::move(value_).value(); }
  /// The value; `otherwise` if there is none.
  template <class U>
  [[nodiscard]] T value_or(U&& otherwise) const& {
    return value_.value_or(std::forward<U>(otherwise));
  }
  /// The value; `otherwise` if there is none.
  template <class U>
  [[nodiscard]] T value_or(U&& otherwise) && {
    return std::move(value_).value_or(std::forward<U>(otherwise));
  }

 private:
  template <class>
  friend class channel;
  std::optional<T> value_;
  channel_status status_ = channel_status::timeout;
};

/// A queue of at most `capacity` values. With capacity 0 it is a rendezvous: send returns when a
/// receiver has the value.
///
/// Any number of fibers of any runtimes, and of plain threads, may send and receive at the same
/// time. Both sides are served in the order they came.
///
/// After close(), all sends fail, waiting ones too, and leave their value unmoved. Receivers get
/// the remaining values, then nothing. A stop request does not end send(v), receive() or a
/// range-for; pass a std::stop_token for that, as in `while (auto v = c.receive(stop))`.
/// Orders: a send, before the receive that gets its value; close, before the receive that finds the
/// channel closed; with capacity n, the k-th receive, before the return of send k + n.
/// Throws: if moving a T throws, the caller gets the exception and the channel is as before. The
/// move constructor and the destructor of T run under the channel's lock and must not use weft.
/// Memory: one allocation, in the constructor.
/// Lifetime: the receiver of the last value may destroy the channel at once, even before the sender
/// has returned. No one may wait in it then, nor be in a select with several cases of this channel;
/// builds with assertions report the waiters.
/// Example: test/unit/examples_waiting_test.cpp [channel]
/// ```
///   weft::channel<std::string> lines(64);
///   auto counter = weft::spawn([&] {
///     std::size_t n = 0;
///     for (auto& line : lines) n += line.size();  // until closed and drained
///     return n;
///   });
///   lines.send("hello");
///   lines.close();
///   const std::size_t bytes = counter.join();
/// ```
template <class T>
class channel {
  static_assert(
      std::is_object_v<T> && !std::is_const_v<T> && std::is_move_constructible_v<T>,
      "weft::channel<T>: T must be an object type that can be moved; for references use T*");

 public:
  /// The type of the values.
  using value_type = T;
  /// The type of weft's own deadlines.
  using time_point = std::chrono::steady_clock::time_point;

  /// An open channel that buffers up to `capacity` values.
  /// Throws: std::bad_alloc; std::length_error if the buffer would exceed the address space.
  explicit channel(std::size_t capacity = 0)
      : core_(detail::make_channel(detail::element_type_of<T>, capacity)) {}
  /// Destroys the values that remain.
  ~channel() { detail::destroy_channel(core_); }
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;

  /// Sends `value`, and waits while there is no room. Returns false, and leaves `value` unmoved, if
  /// the channel is closed or becomes closed during the wait.
  /// Blocks: the calling fiber or thread.
  /// Throws: what moving T throws.
  bool send(T&& value) {
    return detail::channel_send(*core_, std::addressof(value)) == channel_status::success;
  }
  /// Sends a copy of `value`.
  bool send(const T& value)
    requires std::copy_constructible<T>
  {
    return send(T(value));
  }
  /// Sends `value`, and waits until there is room or a stop is requested on `stop`. Unless it is
  /// sent, `value` is unmoved.
  send_result send(T&& value, const std::stop_token& stop) {
    return detail::channel_send(*core_, std::addressof(value), detail::wait_limit(stop));
  }
  /// Sends a copy of `value`, and waits until there is room or a stop is requested on `stop`.
  send_result send(const T& value, const std::stop_token& stop)
    requires std::copy_constructible<T>
  {
    return send(T(value), stop);
  }
  /// Sends `value` if there is room or a waiting receiver; true if it did.
  /// Blocks: never.
  [[nodiscard]] bool try_send(T&& value) {
    return detail::channel_try_send(*core_, std::addressof(value)) == channel_status::success;
  }
  /// Sends a copy of `value` if there is room or a waiting receiver; true if it did.
  [[nodiscard]] bool try_send(const T& value)
    requires std::copy_constructible<T>
  {
    return try_send(T(value));
  }
  /// Sends `value`, and waits for at most `timeout`. Unless it is sent, `value` is unmoved.
  template <class Rep, class Period>
  send_result send_for(T&& value, const std::chrono::duration<Rep, Period>& timeout) {
    return detail::channel_send(*core_, std::addressof(value),
                                detail::wait_limit(detail::deadline_after(timeout)));
  }
  /// The same, until `deadline` at the latest.
  template <class Clock, class Duration>
  send_result send_until(T&& value, const std::chrono::time_point<Clock, Duration>& deadline) {
    return detail::channel_send(*core_, std::addressof(value),
                                detail::wait_limit(detail::to_steady(deadline)));
  }
  /// Sends a copy of `value`, and waits for at most `timeout`.
  template <class Rep, class Period>
  send_result send_for(const T& value, const std::chrono::duration<Rep, Period>& timeout)
    requires std::copy_constructible<T>
  {
    return send_for(T(value), timeout);
  }
  /// The same, until `deadline` at the latest.
  template <class Clock, class Duration>
  send_result send_until(const T& value, const std::chrono::time_point<Clock, Duration>& deadline)
    requires std::copy_constructible<T>
  {
    return send_until(T(value), deadline);
  }
  /// The same, for at most `timeout` and until a stop is requested on `stop`.
  template <class Rep, class Period>
  send_result send_for(T&& value, const std::stop_token& stop,
                       const std::chrono::duration<Rep, Period>& timeout) {
    return detail::channel_send(*core_, std::addressof(value),
                                detail::wait_limit(stop, detail::deadline_after(timeout)));
  }
  /// The same, until `deadline` at the latest and until a stop is requested on `stop`.
  template <class Clock, class Duration>
  send_result send_until(T&& value, const std::stop_token& stop,
                         const std::chrono::time_point<Clock, Duration>& deadline) {
    return detail::channel_send(*core_, std::addressof(value),
                                detail::wait_limit(stop, detail::to_steady(deadline)));
  }

  /// Takes the oldest value, and waits while there is none. Returns nothing if the channel is
  /// closed and drained.
  /// Blocks: the calling fiber or thread.
  /// Throws: what moving T throws; the value then stays in the channel.
  std::optional<T> receive() {
    return receive_by([this](void* to) { return detail::channel_receive(*core_, to); });
  }
  /// Takes the oldest value, and waits until there is one or a stop is requested on `stop`.
  receive_result<T> receive(const std::stop_token& stop) {
    return receive_within(detail::wait_limit(stop));
  }
  /// Takes the oldest value if there is one now.
  /// Blocks: never.
  [[nodiscard]] std::optional<T> try_receive() {
    return receive_by([this](void* to) { return detail::channel_try_receive(*core_, to); });
  }
  /// Takes the oldest value, and waits for at most `timeout`.
  template <class Rep, class Period>
  receive_result<T> receive_for(const std::chrono::duration<Rep, Period>& timeout) {
    return receive_within(detail::wait_limit(detail::deadline_after(timeout)));
  }
  /// The same, until `deadline` at the latest.
  template <class Clock, class Duration>
  receive_result<T> receive_until(const std::chrono::time_point<Clock, Duration>& deadline) {
    return receive_within(detail::wait_limit(detail::to_steady(deadline)));
  }
  /// The same, for at most `timeout` and until a stop is requested on `stop`.
  template <class Rep, class Period>
  receive_result<T> receive_for(const std::stop_token& stop,
                                const std::chrono::duration<Rep, Period>& timeout) {
    return receive_within(detail::wait_limit(stop, detail::deadline_after(timeout)));
  }
  /// The same, until `deadline` at the latest and until a stop is requested on `stop`.
  template <class Clock, class Duration>
  receive_result<T> receive_until(const std::stop_token& stop,
                                  const std::chrono::time_point<Clock, Duration>& deadline) {
    return receive_within(detail::wait_limit(stop, detail::to_steady(deadline)));
  }

  /// Ends sending, and wakes all waiters. Returns false if the channel was closed before.
  /// Blocks: never.
  bool close() noexcept { return detail::channel_close(*core_); }
  /// True if the channel is closed; there may still be values in it.
  [[nodiscard]] bool closed() const noexcept { return detail::channel_closed(*core_); }
  /// The values in the buffer now.
  [[nodiscard]] std::size_t size() const noexcept { return detail::channel_size(*core_); }
  /// The capacity it was made with.
  [[nodiscard]] std::size_t capacity() const noexcept { return detail::channel_capacity(*core_); }

  /// Receives a value at each step. It ends when the channel is closed and drained. If several
  /// loops run over a channel, each value goes to one of them.
  class iterator {
   public:
    /// The type of the values.
    using value_type = T;
    /// As iterators have it.
    using difference_type = std::ptrdiff_t;
    /// As iterators have it.
    using reference = T&;
    /// As iterators have it.
    using pointer = T*;
    /// An input iterator: one pass.
    using iterator_category = std::input_iterator_tag;

    /// The value received last.
    T& operator*() const noexcept { return *value_; }
    /// The value received last.
    T* operator->() const noexcept { return std::addressof(*value_); }
    /// Receives the next value.
    iterator& operator++() {
      value_.reset();
      static_cast<void>(detail::receive_into(
          value_, [this](void* to) { return detail::channel_receive(*from_, to); }));
      return *this;
    }
    /// Receives the next value.
    void operator++(int) { ++*this; }
    /// True if the channel was closed and drained.
    friend bool operator==(const iterator& i, std::default_sentinel_t) noexcept {
      return !i.value_;
    }

   private:
    friend class channel;
    explicit iterator(detail::channel_core& from) : from_(&from) { ++*this; }
    detail::channel_core* from_;
    mutable std::optional<T> value_;
  };
  /// Receives the first value.
  [[nodiscard]] iterator begin() { return iterator(*core_); }
  /// The end.
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

  /// For weft's own templates.
  [[nodiscard]] detail::channel_core& native_core() const noexcept { return *core_; }

 private:
  receive_result<T> receive_within(const detail::wait_limit& limit) {
    receive_result<T> r;
    r.status_ = detail::receive_into(
        r.value_, [&](void* to) { return detail::channel_receive(*core_, to, limit); });
    return r;
  }
  template <class Receive>
  std::optional<T> receive_by(Receive&& receive) {
    if constexpr (detail::arrives_as_bytes<T>) {
      detail::receive_buffer<T> place;
      if (receive(static_cast<void*>(std::addressof(place))) != channel_status::success)
        return std::nullopt;
      return place.value();
    } else {
      return receive_object(std::forward<Receive>(receive));
    }
  }
  // The value arrives in what the caller gets: a second move could throw, and nobody would have it.
  // A function of its own, because g++ before 14 moves a variable of an inner block.
  template <class Receive>
  std::optional<T> receive_object(Receive&& receive) {
    std::optional<T> value;
    static_cast<void>(receive(static_cast<void*>(std::addressof(value))));
    return value;
  }

  detail::channel_core* const core_;
};

}  // namespace WEFT_API weft
