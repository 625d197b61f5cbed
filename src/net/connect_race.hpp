// SPDX-License-Identifier: BSL-1.0
#pragma once
// net/connect_race.hpp - several connection attempts side by side, of which the first to succeed
// wins.

#include <chrono>
#include <span>
#include <system_error>
#include <vector>

#include <weft/net/connect.hpp>

namespace weft::detail {

/// By turns of the two families, beginning with that of the first. Not empty.
[[nodiscard]] std::vector<net::endpoint> interleaved(std::span<const net::endpoint> addresses);

class connect_race {
 public:
  connect_race(std::span<const net::endpoint> addresses, const net::connect_options& options);
  /// Once. The others are given up when this object ends.
  [[nodiscard]] net::tcp_stream run(const wait_limit& l, std::error_code& ec);

 private:
  [[nodiscard]] bool begin_next();
  [[nodiscard]] bool look();
  void failed(std::error_code ec) noexcept;

  const std::vector<net::endpoint> addresses_;
  const std::chrono::milliseconds delay_;
  std::size_t next_ = 0;                         // the address to be tried next
  std::vector<net::tcp_stream> attempts_;        // under way
  std::chrono::steady_clock::time_point due_{};  // of the next attempt
  std::error_code error_;                        // the first one's
  net::tcp_stream winner_;
};

}  // namespace weft::detail
