// SPDX-License-Identifier: BSL-1.0
// http: one thread, one level-triggered epoll loop; what a server without tasks can do.  It has one
// worker whatever WORKERS says.
#include <cerrno>
#include <string>
#include <unordered_map>

#include "common/epoll.hpp"

namespace {

struct connection {
  bench::head_scanner scanner;
  std::string unsent;
};

/// False when the connection is over.
bool flush(int epoll, int fd, std::string& unsent, std::string_view data) {
  const bool waited = !unsent.empty();
  unsent.append(waited ? data : std::string_view{});
  std::string_view left = waited ? std::string_view(unsent) : data;
  while (!left.empty()) {
    const ssize_t n = send(fd, left.data(), left.size(), MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) return false;
    if (n < 0) break;
    left.remove_prefix(std::size_t(n));
  }
  std::string rest(left);
  unsent.swap(rest);
  if (waited != !unsent.empty()) {
    bench::watch(epoll, fd, unsent.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
  }
  return true;
}

bool serve(int epoll, int fd, connection& peer, std::uint32_t events) {
  if ((events & EPOLLOUT) != 0 && !flush(epoll, fd, peer.unsent, {})) return false;
  if ((events & ~std::uint32_t(EPOLLOUT)) == 0) return true;
  char buffer[4096];
  const ssize_t n = read(fd, buffer, sizeof buffer);
  if (n < 0) return errno == EAGAIN;
  if (n == 0) return false;
  for (auto left = peer.scanner.complete_in({buffer, std::size_t(n)}); left > 0; --left) {
    if (!flush(epoll, fd, peer.unsent, bench::http_response)) return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  bench::parse(argc, argv, {});
  bench::version("linux");
  const int listener = bench::listen_somewhere(SOCK_NONBLOCK);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  bench::watch(epoll, listener);
  std::unordered_map<int, connection> connections;
  epoll_event events[512];
  for (;;) {
    const int ready = epoll_wait(epoll, events, 512, -1);
    for (int i = 0; i < ready; ++i) {
      const int fd = events[i].data.fd;
      if (fd == listener) {
        const int accepted = bench::accept_watched(epoll, listener);
        if (accepted >= 0) connections.try_emplace(accepted);
      } else if (!serve(epoll, fd, connections[fd], events[i].events)) {
        connections.erase(fd);
        close(fd);
      }
    }
  }
}
