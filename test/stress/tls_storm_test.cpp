// SPDX-License-Identifier: BSL-1.0
// Handshakes, echoes, ends and broken connections of TLS while everything happens at once
// (support/lives.hpp). Two fibers use one stream, in both directions. OpenSSL's own memory does not
// run out here, but weft's does.
#include "support/lives.hpp"

#include <array>
#include <span>
#include <vector>

#include "support/tls.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

using stream = weft::tls::stream<weft::net::unix_stream>;

std::byte byte_at(std::size_t n) { return static_cast<std::byte>(n * 7 % 251); }

class world {
 public:
  explicit world(choices&) {}
  void step(choices& pick, int depth);
  void before_shutdown() {}
  void settle() { CHECK(wrong_ == 0); }

 private:
  void echo(stream& s, choices& pick);
  void expect(bool right) noexcept { add(wrong_, right ? 0 : 1); }

  const weft::tls::context client_ = client_context(), server_ = server_context();
  count wrong_{0};
};

/// The server's half, to the end of the stream, or less.
void world::echo(stream& s, choices& pick) {
  std::error_code ec;
  if (pick.below(4) == 0)
    s.handshake_for(std::chrono::microseconds(pick.below(3000)), ec);
  else
    s.handshake(ec);
  if (ec || pick.below(8) == 0) return;
  std::array<std::byte, 5000> buffer;
  while (const std::size_t n = s.read_some(buffer, ec)) {
    if (pick.below(32) == 0) return;  // and the connection breaks
    if (s.write_all(std::span(buffer).first(n), ec); ec) return;
  }
  if (!ec) s.shutdown(ec);
}

void world::step(choices& pick, int) {
  auto [here, there] = weft::net::unix_stream::pair();
  stream near(std::move(here), client_, "localhost"), far(std::move(there), server_);
  std::size_t sent = 0, got = 0;
  std::error_code ec, write_error;
  bool server_left = false;
  {
    weft::scope all;
    all.spawn([&, own = choices(pick.below(~0ULL))]() mutable {
      echo(far, own);
      far.close();
      server_left = true;
    });
    if (near.handshake(ec); !ec) {
      all.spawn([&, own = choices(pick.below(~0ULL))]() mutable {
        std::vector<std::byte> piece;
        for (std::uint64_t n = own.below(6); n > 0 && !write_error; --n) {
          piece.resize(1 + own.below(40'000));
          for (std::size_t i = 0; i < piece.size(); ++i) piece[i] = byte_at(sent + i);
          sent += near.write_all(piece, write_error);
        }
        if (!write_error) near.shutdown(write_error);
      });
      if (pick.below(6) == 0) near.set_read_deadline(std::chrono::steady_clock::now() + 500us);
      std::array<std::byte, 3000> buffer;
      bool right = true;
      while (const std::size_t n = near.read_some(buffer, ec)) {
        for (std::size_t i = 0; i < n; ++i) right &= buffer[i] == byte_at(got + i);
        got += n;
      }
      expect(right);
    }
    if (ec) near.close();
  }
  expect(server_left);
  expect(ec || got == sent);  // an end that is said is the end of all
}

}  // namespace

TEST_CASE("TLS at once, and a shutdown in the middle: no byte is wrong, no end is invented") {
  lives<world>();
}
