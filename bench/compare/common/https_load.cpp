// SPDX-License-Identifier: BSL-1.0
// common/https_load.cpp - the load of https: each of so many connections sends a request by TLS,
// reads the answer, checks it, and sends the next. The handshakes are over before it begins.
#include <fcntl.h>
#include <openssl/ssl.h>

#include <cstring>
#include <string>

#include "common/load.hpp"

namespace {

constexpr std::string_view request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

struct connection {
  SSL* stream = nullptr;
  bool agreed = false;  // the handshake is over
  std::string got;
  bench::clock::time_point asked;
};

// True: that was the last step of its handshake.
bool agree(connection& c) {
  if (c.agreed) return false;
  const int n = SSL_connect(c.stream);
  if (n != 1 && SSL_get_error(c.stream, n) != SSL_ERROR_WANT_READ)
    bench::refuse("a handshake failed");
  return c.agreed = n == 1;
}

void agree_all(int epoll, std::size_t left) {
  epoll_event events[512];
  while (left > 0) {
    const int n = epoll_wait(epoll, events, 512, -1);
    for (int i = 0; i < n; ++i) left -= agree(*static_cast<connection*>(events[i].data.ptr));
  }
}

void ask(connection& c) {
  c.got.clear();
  c.asked = bench::clock::now();
  if (SSL_write(c.stream, request.data(), int(request.size())) != int(request.size()))
    bench::refuse("a request could not be sent");
}

// True: the answer is whole, and right.
bool receive(connection& c) {
  char buffer[1024];
  const int n = SSL_read(c.stream, buffer, sizeof buffer);
  if (n <= 0) {
    if (SSL_get_error(c.stream, n) == SSL_ERROR_WANT_READ) return false;
    bench::refuse("the server ended a connection");
  }
  c.got.append(buffer, std::size_t(n));
  if (c.got.size() < bench::http_response.size() && !c.got.ends_with("World!\n")) return false;
  if (!c.got.starts_with("HTTP/1.1 200 OK\r\n") || !c.got.ends_with("\r\n\r\nHello, World!\n"))
    bench::refuse(c.got.c_str());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::load_arguments to(argc, argv);
  std::vector<connection> all(static_cast<std::size_t>(std::atoi(to.connections)));
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  SSL_CTX* const settings = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_mode(settings, SSL_MODE_RELEASE_BUFFERS);
  std::size_t left = all.size();
  for (connection& c : all) {
    const int fd = bench::connected_socket(to, SOCK_STREAM, epoll, &c);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    c.stream = SSL_new(settings);
    SSL_set_fd(c.stream, fd);
    left -= agree(c);
  }
  agree_all(epoll, left);
  bench::say_connected();
  bench::answer_times times;
  const auto start = bench::clock::now();
  for (connection& c : all) ask(c);
  const auto ready = [&](connection& c) {
    if (!receive(c)) return;
    times.add(c.asked);
    ask(c);
  };
  bench::run_load<connection>(epoll, start + to.time, ready, std::chrono::seconds(1), [] {});
  times.report(start, "req/s");
}
