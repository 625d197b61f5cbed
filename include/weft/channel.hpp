// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/channel.hpp - Go's chan: values from whoever sends to whoever receives, with as much room
// between as it is given.

#include <chrono>
#include <concepts>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

#include <weft/detail/channel.hpp>

namespace weft {

/// The end of a send that may give up.
class [[nodiscard]] send_result {
 public:
  constexpr send_result(channel_status s) noexcept : status_(s) {}
  /// Was it sent?
  constexpr explicit operator bool() const noexcept { return status_ == channel_status::success; }
  [[nodiscard]] constexpr channel_status status() const noexcept { return status_; }

 private:
  channel_status status_;
};

/// The end of a receive that may give up: a value, or why there is none. Reads like std::optional.
template <class T>
class [[nodiscard]] receive_result {
 public:
  [[nodiscard]] bool has_value() const noexcept { return value_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }
  [[nodiscard]] channel_status status() const noexcept { return status_; }
  T& operator*() & noexcept { return *value_; }
  T&& operator*() && noexcept { return *std::move(value_); }
  T* operator->() noexcept { return std::addressof(*value_); }
  /// Throws: std::bad_optional_access if there is none.
  T& value() & { return value_.value(); }
  T&& value() && { return std::move(value_).value(); }

 private:
  template <class>
  friend class channel;
  std::optional<T> value_;
  channel_status status_ = channel_status::timeout;
};

/// A queue of at most `capacity` values; with capacity 0 a rendezvous: send returns when a receiver
/// has the value. Any number of fibers, of any runtimes, and of plain threads send and receive at
/// the same time; both sides are served in the order they came.
///
/// Closing: later sends, and those that wait, return false, the value unmoved. Receivers get what
/// is left, then nothing. Stop requests: send(v), receive() and a range-for are not ended by one.
/// Pass a std::stop_token for that, as in
///         `while (auto v = c.receive(stop))`.
/// Orders: a send before the receive that gets its value; close before the receive that finds the
/// channel closed; with
///         capacity n, the k-th receive before the return of send k + n.
/// T:      movable; its move constructor and destructor run under the channel's lock: they must not
///         use weft. If the move throws, the exception reaches the one who called, and the channel
///         is as it was before.
/// Memory: one allocation, at construction.
/// Lifetime: whoever has received the last value may destroy the channel at once, even while the
/// sender returns. Nobody
///         may wait in it; builds with assertions report who does.
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
  using value_type = T;
  using time_point = std::chrono::steady_clock::time_point;

  /// Throws: std::bad_alloc; std::length_error for more than the address space holds.
  explicit channel(std::size_t capacity = 0)
      : core_(detail::make_channel(detail::element_type_of<T>, capacity)) {}
  ~channel() { detail::destroy_channel(core_); }
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;

  /// Sends `value`, waiting while there is no room. False, and `value` unmoved: the channel is
  /// closed, or was meanwhile.
  /// Blocks: the calling fiber, or thread.   Throws: what moving T throws.
  bool send(T&& value) {
    return detail::channel_send(*core_, std::addressof(value)) == channel_status::success;
  }
  bool send(const T& value)
    requires std::copy_constructible<T>
  {
    return send(T(value));
  }
  /// The same until a stop is requested.
  send_result send(T&& value, const std::stop_token& stop) {
    return detail::channel_send(*core_, std::addressof(value), detail::wait_limit(stop));
  }
  send_result send(const T& value, const std::stop_token& stop)
    requires std::copy_constructible<T>
  {
    return send(T(value), stop);
  }
  /// Sends if nobody has to wait for it. Blocks: never.
  [[nodiscard]] bool try_send(T&& value) {
    return detail::channel_try_send(*core_, std::addressof(value)) == channel_status::success;
  }
  [[nodiscard]] bool try_send(const T& value)
    requires std::copy_constructible<T>
  {
    return try_send(T(value));
  }
  /// Gives up after that time, `value` unmoved.
  template <class Rep, class Period>
  send_result send_for(T&& value, const std::chrono::duration<Rep, Period>& timeout) {
    return detail::channel_send(*core_, std::addressof(value),
                                detail::wait_limit(detail::deadline_after(timeout)));
  }
  template <class Clock, class Duration>
  send_result send_until(T&& value, const std::chrono::time_point<Clock, Duration>& deadline) {
    return detail::channel_send(*core_, std::addressof(value),
                                detail::wait_limit(detail::to_steady(deadline)));
  }
  template <class Rep, class Period>
  send_result send_for(T&& value, const std::stop_token& stop,
                       const std::chrono::duration<Rep, Period>& timeout) {
    return detail::channel_send(*core_, std::addressof(value),
                                detail::wait_limit(stop, detail::deadline_after(timeout)));
  }
  template <class Clock, class Duration>
  send_result send_until(T&& value, const std::stop_token& stop,
                         const std::chrono::time_point<Clock, Duration>& deadline) {
    return detail::channel_send(*core_, std::addressof(value),
                                detail::wait_limit(stop, detail::to_steady(deadline)));
  }

  /// The oldest value, waiting while there is none. Nothing: closed and drained.
  /// Blocks: the calling fiber, or thread.   Throws: what moving T throws; the value stays.
  std::optional<T> receive() {
    return receive_by([this](void* to) { return detail::channel_receive(*core_, to); });
  }
  /// The same until a stop is requested.
  receive_result<T> receive(const std::stop_token& stop) {
    return receive_within(detail::wait_limit(stop));
  }
  /// A value that is there now. Blocks: never.
  [[nodiscard]] std::optional<T> try_receive() {
    return receive_by([this](void* to) { return detail::channel_try_receive(*core_, to); });
  }
  /// Gives up after that time.
  template <class Rep, class Period>
  receive_result<T> receive_for(const std::chrono::duration<Rep, Period>& timeout) {
    return receive_within(detail::wait_limit(detail::deadline_after(timeout)));
  }
  template <class Clock, class Duration>
  receive_result<T> receive_until(const std::chrono::time_point<Clock, Duration>& deadline) {
    return receive_within(detail::wait_limit(detail::to_steady(deadline)));
  }
  template <class Rep, class Period>
  receive_result<T> receive_for(const std::stop_token& stop,
                                const std::chrono::duration<Rep, Period>& timeout) {
    return receive_within(detail::wait_limit(stop, detail::deadline_after(timeout)));
  }
  template <class Clock, class Duration>
  receive_result<T> receive_until(const std::stop_token& stop,
                                  const std::chrono::time_point<Clock, Duration>& deadline) {
    return receive_within(detail::wait_limit(stop, detail::to_steady(deadline)));
  }

  /// Ends sending. False: it was closed before. Blocks: never. Wakes everybody who waits.
  bool close() noexcept { return detail::channel_close(*core_); }
  [[nodiscard]] bool closed() const noexcept { return detail::channel_closed(*core_); }
  /// Values in the buffer now.
  [[nodiscard]] std::size_t size() const noexcept { return detail::channel_size(*core_); }
  [[nodiscard]] std::size_t capacity() const noexcept { return detail::channel_capacity(*core_); }

  /// Receives as it goes on; ends when the channel is closed and drained. Several loops share the
  /// values.
  class iterator {
   public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using reference = T&;
    using pointer = T*;
    using iterator_category = std::input_iterator_tag;

    T& operator*() const noexcept { return *value_; }
    T* operator->() const noexcept { return std::addressof(*value_); }
    iterator& operator++() {
      value_.reset();
      static_cast<void>(detail::receive_into(
          value_, [this](void* to) { return detail::channel_receive(*from_, to); }));
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& i, std::default_sentinel_t) noexcept {
      return !i.value_;
    }

   private:
    friend class channel;
    explicit iterator(detail::channel_core& from) : from_(&from) { ++*this; }
    detail::channel_core* from_;
    mutable std::optional<T> value_;
  };
  [[nodiscard]] iterator begin() { return iterator(*core_); }
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
      std::optional<T> value;
      static_cast<void>(receive(static_cast<void*>(std::addressof(value))));
      return value;
    }
  }

  detail::channel_core* const core_;
};

}  // namespace weft
