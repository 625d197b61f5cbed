// SPDX-License-Identifier: BSL-1.0
#pragma once
// tls/engine_state.hpp - one connection: OpenSSL's object between two buffers, and four locks.
//
//   shaking  held over the handshake; nobody takes the next two before `done`
//   reading  held over waits of the stream below for input; the input buffer is its holder's
//   writing  held over waits of the stream below for output; `sending` is its holder's
//   guard    over every call to OpenSSL, and never over a wait
// Taken in that order. TLS-1, TLS-2 and TLS-3: README.md

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <vector>

#include <openssl/ssl.h>

#include <weft/mutex.hpp>
#include <weft/tls/engine.hpp>

#include "tls/context_state.hpp"
#include "tls/error.hpp"

namespace weft::tls::detail {

/// Bytes from the stream below that OpenSSL has not taken yet. Small until a read fills it.
struct input_buffer {
  static constexpr std::size_t small = 4096, large = 32 * 1024;

  std::unique_ptr<std::byte[]> data;
  std::size_t capacity = 0, begin = 0, end = 0;
  bool was_filled = false;

  [[nodiscard]] std::size_t size() const noexcept { return end - begin; }
  /// Makes room, when empty. Throws std::bad_alloc.
  [[nodiscard]] std::span<std::byte> room();
  void filled(std::size_t n) noexcept;
};

struct engine_state {
  engine_state(const context& c, std::string_view peer_name);
  ~engine_state();
  engine_state(const engine_state&) = delete;
  engine_state& operator=(const engine_state&) = delete;

  std::shared_ptr<context_state> settings;
  std::string peer;
  std::shared_ptr<::SSL_SESSION> session;  // guard

  weft::mutex shaking;
  weft::mutex reading;
  weft::mutex writing;
  weft::mutex guard;

  ::SSL* ssl = nullptr;            // guard
  input_buffer input;              // reading; BIO callbacks also under guard
  std::vector<std::byte> output;   // guard: what OpenSSL wants to be sent
  std::vector<std::byte> sending;  // writing: what was taken of it
  std::size_t sent = 0;            // writing: how much of `sending` is gone
  bool out_of_memory = false;      // guard: `output` could not grow
  std::error_code failed;          // guard: OpenSSL must not be asked any more
  std::error_code read_failed;     // reading: the end came too early
  std::error_code write_failed;    // writing: the stream below takes no more
  bool closed = false;             // writing: our close_notify is out
  // Of the stream, for the waits for its locks; the stream below has its own. Relaxed: they hold
  // for waits that begin afterwards.
  std::atomic<std::int64_t> read_deadline{weft::detail::never_ns};
  std::atomic<std::int64_t> write_deadline{weft::detail::never_ns};
  std::atomic<bool> done{false};  // the handshake [TLS-3]: exchange.hpp
};

/// A stretch: OpenSSL is ours, the queue is empty. [TLS-1]
class openssl_stretch {
 public:
  explicit openssl_stretch(engine_state& s) : lock_(s.guard) {}
  [[nodiscard]] std::error_code first_error() const noexcept { return errors_.first(); }

 private:
  std::lock_guard<weft::mutex> lock_;  // first: it may wait, and the queue is this thread's
  error_queue errors_;
};

/// What a call on the SSL object that did not succeed means.
enum class ssl_outcome : std::uint8_t { want_input, ended, failed };
[[nodiscard]] ssl_outcome outcome_of(engine_state& s, const openssl_stretch& stretch,
                                     int result) noexcept;

/// A new one over the buffers of `s`; null without memory.
[[nodiscard]] ::BIO* make_bio(engine_state& s) noexcept;
/// What SSL objects know their engine by.
[[nodiscard]] int index_of_engine() noexcept;
void keep_sessions(::SSL_CTX* c) noexcept;

/// The limit on waiting for one of the locks.
[[nodiscard]] bool lock_within(weft::mutex& m, const wait_limit& limit,
                               const std::atomic<std::int64_t>& own, std::error_code& ec);
/// True if no wait may begin any more; `ec` says why.
[[nodiscard]] bool has_ended(const wait_limit& limit, const std::atomic<std::int64_t>& own,
                             std::error_code& ec);
/// Under guard: a message of the peer's that is no data (a ticket) has come in some of its records,
/// not in all. Until it is whole OpenSSL reads in every call, in writes, too. [TLS-3]
[[nodiscard]] bool has_part_of_a_message(const engine_state& s) noexcept;

// With `writing` held, or `shaking`: sends all there is.
void flush(engine_state& s, transport& below, const wait_limit& limit, std::error_code& ec);
// With `reading` held, or `shaking`, and the input empty. False: `ec` or the end of the stream.
[[nodiscard]] bool fill(engine_state& s, transport& below, const wait_limit& limit,
                        std::error_code& ec);
// An alert, after a failure: as far as it gets within a second.
void send_alert(engine_state& s, transport& below, const wait_limit& limit);

// With `shaking` held, which stands for `reading` and `writing` until `done`.
void handshake_locked(engine_state& s, transport& below, const wait_limit& limit,
                      std::error_code& ec);

}  // namespace weft::tls::detail
