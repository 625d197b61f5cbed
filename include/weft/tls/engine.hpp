// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/tls/engine.hpp - the compiled part of tls::stream. Nothing here is for applications.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include <weft/detail/waiting.hpp>
#include <weft/net/buffer.hpp>
#include <weft/tls/context.hpp>
#include <weft/tls/session.hpp>

struct ssl_st;  // OpenSSL's SSL

namespace weft::tls::detail {

using weft::detail::wait_limit;

/// The stream below, as the engine sees it.
class transport {
 public:
  virtual std::size_t read(std::span<std::byte> to, const wait_limit& limit,
                           std::error_code& ec) noexcept = 0;
  virtual std::size_t write(std::span<const std::byte> from, const wait_limit& limit,
                            std::error_code& ec) noexcept = 0;
  /// True if a limit can be given.
  [[nodiscard]] virtual bool has_limits() const noexcept = 0;

 protected:
  ~transport() = default;
};

struct engine_state;

/// One connection's TLS. src/tls/README.md says which calls may be in it at the same time.
class engine {
 public:
  engine(const context& c, std::string_view peer);
  engine(engine&&) noexcept;
  engine& operator=(engine&&) noexcept;
  ~engine();

  // Each reports bad_alloc as not_enough_memory. `skip` bytes of the buffers are done already.
  void handshake(transport& below, const wait_limit& limit, std::error_code& ec) noexcept;
  std::size_t read(transport& below, const net::mutable_buffers& to, std::size_t skip,
                   const wait_limit& limit, std::error_code& ec) noexcept;
  std::size_t write(transport& below, const net::const_buffers& from, std::size_t skip,
                    const wait_limit& limit, std::error_code& ec) noexcept;
  void shutdown(transport& below, const wait_limit& limit, std::error_code& ec) noexcept;

  void update_keys();
  void set_deadlines(bool reads, bool writes, std::chrono::steady_clock::time_point t) noexcept;
  [[nodiscard]] std::chrono::steady_clock::time_point read_deadline() const noexcept;
  [[nodiscard]] std::chrono::steady_clock::time_point write_deadline() const noexcept;

  [[nodiscard]] const std::string& peer() const noexcept;
  [[nodiscard]] std::string_view alpn() const noexcept;
  [[nodiscard]] std::string_view server_name() const noexcept;
  [[nodiscard]] std::string_view version() const noexcept;
  [[nodiscard]] std::string_view cipher() const noexcept;
  [[nodiscard]] bool resumed() const noexcept;
  [[nodiscard]] bool handshake_done() const noexcept;
  [[nodiscard]] tls::session session() const;
  void set_session(const tls::session& s);
  [[nodiscard]] ::ssl_st* native_handle() const noexcept;
  [[noreturn]] void fail(const char* operation, std::error_code why) const;

 private:
  std::unique_ptr<engine_state> state_;
};

}  // namespace weft::tls::detail
