// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/asio/stream.hpp - a stream of weft's as Asio's SyncReadStream and SyncWriteStream.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <span>
#include <system_error>
#include <type_traits>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/system_executor.hpp>
#include <boost/system/system_error.hpp>
#include <weft/asio/error.hpp>
#include <weft/net/buffer.hpp>

namespace boost::beast {
enum class role_type;  // Beast need not be there
}

namespace weft::asio {

/// Makes a stream with read_some and write_some, such as net::tcp_stream, usable by everything of
/// Asio and Beast that is written for blocking streams: boost::asio::read and write, Beast's HTTP
/// and WebSocket, boost::asio::ssl::stream. It owns an `S`; stream<S&> borrows one.
///
/// Waits park the fiber. They end by deadlines and stop requests as those of `S` do:
/// next_layer().set_deadline(...). The end of the stream is boost::asio::error::eof. The executor
/// exists because layers above make timers of it; nothing runs on it.
/// Example: test/unit/asio_stream_test.cpp [Beast's HTTP, both sides]
template <class S>
class stream {
 public:
  /// The stream below.
  using next_layer_type = std::remove_reference_t<S>;
  /// This class.
  using lowest_layer_type = stream;
  /// What layers above make timers of.
  using executor_type = boost::asio::system_executor;

  /// Takes or borrows the stream below.
  stream(S below) : below_(static_cast<S&&>(below)) {}
  /// Constructs the stream below.
  template <class... Args>
    requires(sizeof...(Args) > 1 && std::is_constructible_v<S, Args...>)
  explicit stream(Args&&... args) : below_(std::forward<Args>(args)...) {}
  /// Takes over the other one.
  stream(stream&&) = default;
  /// Takes over the other one.
  stream& operator=(stream&&) = default;
  /// Destroys the stream below, if it owns it.
  ~stream() = default;

  /// Reads at least one byte, into several buffers by one call if `S` can. Returns 0 if all buffers
  /// are empty.
  /// Blocks: as `S` does.
  /// Throws: boost::system::system_error; eof at the end.
  template <class Buffers>
  std::size_t read_some(const Buffers& buffers) {
    boost::system::error_code ec;
    const std::size_t n = read_some(buffers, ec);
    if (ec) throw boost::system::system_error(ec, "weft: read_some");
    return n;
  }
  template <class Buffers>
  std::size_t read_some(const Buffers& buffers, boost::system::error_code& ec) {
    ec = {};
    std::array<net::mutable_buffer, most_parts> parts;
    const std::size_t count = collect<boost::asio::mutable_buffer>(buffers, parts);
    if (count == 0) return 0;
    std::error_code why;
    const std::size_t n = read_parts(std::span(parts).first(count), why);
    if (why)
      ec = to_boost(why);
    else if (n == 0)
      ec = boost::asio::error::eof;
    return n;
  }

  /// Writes at least one byte. Several buffers are one call: as they are if `S` writes many parts
  /// at once, otherwise joined up to 8 KiB.
  /// Blocks: as `S` does.
  /// Throws: boost::system::system_error.
  template <class Buffers>
  std::size_t write_some(const Buffers& buffers) {
    boost::system::error_code ec;
    const std::size_t n = write_some(buffers, ec);
    if (ec) throw boost::system::system_error(ec, "weft: write_some");
    return n;
  }
  template <class Buffers>
  std::size_t write_some(const Buffers& buffers, boost::system::error_code& ec) {
    ec = {};
    std::array<net::const_buffer, most_parts> parts;
    const std::size_t count = collect<boost::asio::const_buffer>(buffers, parts);
    if (count == 0) return 0;
    std::error_code why;
    const std::size_t n = write_parts(std::span(parts).first(count), why);
    if (why) ec = to_boost(why);
    return n;
  }

  /// What layers above make timers of.
  [[nodiscard]] executor_type get_executor() const noexcept { return {}; }
  /// The stream below.
  [[nodiscard]] next_layer_type& next_layer() noexcept { return below_; }
  /// The stream below.
  [[nodiscard]] const next_layer_type& next_layer() const noexcept { return below_; }
  /// This object.
  [[nodiscard]] lowest_layer_type& lowest_layer() noexcept { return *this; }
  /// This object.
  [[nodiscard]] const lowest_layer_type& lowest_layer() const noexcept { return *this; }

 private:
  static constexpr std::size_t most_parts = 16, most_joined = 8192;

  template <class AsioBuffer, class Buffers, class Buffer>
  static std::size_t collect(const Buffers& buffers, std::array<Buffer, most_parts>& parts) {
    std::size_t count = 0;
    const auto end = boost::asio::buffer_sequence_end(buffers);
    for (auto it = boost::asio::buffer_sequence_begin(buffers); it != end && count < most_parts;
         ++it) {
      const AsioBuffer b(*it);
      if (b.size() != 0) parts[count++] = Buffer(b.data(), b.size());
    }
    return count;
  }
  std::size_t read_parts(std::span<const net::mutable_buffer> parts, std::error_code& why) {
    if constexpr (requires { below_.read_some(parts, why); }) {
      return below_.read_some(parts, why);
    } else {
      const auto& b = parts.front();
      return below_.read_some(std::span(static_cast<std::byte*>(b.data()), b.size()), why);
    }
  }
  std::size_t write_parts(std::span<const net::const_buffer> parts, std::error_code& why) {
    if constexpr (requires { below_.write_some(parts, why); }) {
      return below_.write_some(parts, why);
    } else {
      const auto& b = parts.front();
      if (parts.size() == 1 || b.size() >= most_joined)
        return below_.write_some(std::span(static_cast<const std::byte*>(b.data()), b.size()), why);
      std::array<std::byte, most_joined> joined;
      std::size_t size = 0;
      for (const auto& part : parts) {
        const std::size_t n = std::min(part.size(), joined.size() - size);
        std::memcpy(joined.data() + size, part.data(), n);
        size += n;
      }
      return below_.write_some(std::span<const std::byte>(joined).first(size), why);
    }
  }

  S below_;
};

/// For Beast's WebSocket, which ends the connection below by it, also after failures. TLS says
/// goodbye for a second at most: a peer that does not read must not hold the fiber.
template <class S>
void teardown(boost::beast::role_type, stream<S>& s, boost::system::error_code& ec) {
  ec = {};
  std::error_code ignored;
  constexpr std::chrono::seconds longest(1);
  if constexpr (requires { s.next_layer().shutdown_for(longest, ignored); })
    s.next_layer().shutdown_for(longest, ignored);  // tls::stream
  else if constexpr (requires { s.next_layer().shutdown(ignored); })
    s.next_layer().shutdown(ignored);
  if constexpr (requires { s.next_layer().close(); }) s.next_layer().close();
}

}  // namespace weft::asio
