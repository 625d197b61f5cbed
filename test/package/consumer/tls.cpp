// SPDX-License-Identifier: BSL-1.0
// Uses the installed TLS library.
#include <weft/tls.hpp>
#include <weft/weft.hpp>

int main() {
  return weft::run([] {
    weft::tls::stream s(weft::net::tcp_stream(), weft::tls::context::client(), "localhost");
    std::error_code ec;
    s.handshake(ec);
    return ec == std::errc::bad_file_descriptor ? 0 : 1;
  });
}
