// SPDX-License-Identifier: BSL-1.0
// http10k: one thread, one level-triggered epoll loop, and a queue of the requests that wait: all
// wait equally long, so the first is the next. It has one worker whatever WORKERS says. What the
// kernel does not take at once ends the connection: wrk reads before it asks again.
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <deque>
#include <unordered_map>

#include "common/epoll.hpp"

namespace {

struct connection {
  bench::head_scanner scanner;
  std::uint64_t number = 0;  // a descriptor that is used again is another connection
};
struct waiting {
  bench::clock::time_point until;
  int fd;
  std::uint64_t number;
};

class server {
 public:
  server() { bench::watch(epoll_, listener_); }

  void run() {
    epoll_event events[512];
    for (;;) {
      const int ready = epoll_wait(epoll_, events, 512, milliseconds_to_next());
      for (int i = 0; i < ready; ++i)
        events[i].data.fd == listener_ ? accept_one() : read_from(events[i].data.fd);
      answer_due();
    }
  }

 private:
  int milliseconds_to_next() const {
    if (waiting_.empty()) return -1;
    const auto left = waiting_.front().until - bench::clock::now();
    return left.count() <= 0 ? 0 : int(std::chrono::ceil<std::chrono::milliseconds>(left).count());
  }
  void accept_one() {
    const int fd = bench::accept_watched(epoll_, listener_);
    if (fd >= 0) connections_[fd] = {{}, ++accepted_};
  }
  void drop(int fd) {
    connections_.erase(fd);
    close(fd);
  }
  void read_from(int fd) {
    char buffer[4096];
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return drop(fd);
    connection& c = connections_[fd];
    const auto until = bench::clock::now() + std::chrono::milliseconds(10);
    for (auto left = c.scanner.complete_in({buffer, std::size_t(n)}); left > 0; --left)
      waiting_.push_back({until, fd, c.number});
  }
  void answer_due() {
    if (waiting_.empty()) return;
    for (const auto now = bench::clock::now(); !waiting_.empty() && waiting_.front().until <= now;
         waiting_.pop_front()) {
      const auto& [until, fd, number] = waiting_.front();
      const auto c = connections_.find(fd);
      if (c == connections_.end() || c->second.number != number) continue;
      constexpr auto& response = bench::http_response;
      if (send(fd, response.data(), response.size(), MSG_NOSIGNAL) != ssize_t(response.size()))
        drop(fd);
    }
  }

  const int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  const int listener_ = bench::listen_somewhere(SOCK_NONBLOCK);
  std::uint64_t accepted_ = 0;
  std::unordered_map<int, connection> connections_;
  std::deque<waiting> waiting_;
};

}  // namespace

int main(int argc, char** argv) {
  bench::parse(argc, argv, {});
  bench::version("linux");
  server().run();
}
