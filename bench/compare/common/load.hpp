// SPDX-License-Identifier: BSL-1.0
// common/load.hpp - what the loads share: sockets to the server, the time of each answer, the lines
// that tools/compare reads.
//
//   load PORT CONNECTIONS SECONDS   prints "connected" when all connections are there; in the end
//                                   rate=, p50=, p99= and seconds=, how long it really was
//
// One thread and an epoll loop: a load must not cost more than what it loads.
#pragma once

#include <sys/epoll.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "common/bench.hpp"
#include "common/http.hpp"

namespace bench {

[[noreturn]] inline void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

[[noreturn]] inline void refuse(const char* why) {
  std::fprintf(stderr, "%s\n", why);
  std::exit(1);
}

/// The arguments of a load; the descriptor limit is raised meanwhile.
struct load_arguments {
  sockaddr_in server{};
  const char* connections = "";
  std::chrono::seconds time{};

  load_arguments(int argc, char** argv) {
    if (argc != 4) {
      std::fprintf(stderr, "usage: %s PORT CONNECTIONS SECONDS\n", argv[0]);
      std::exit(2);
    }
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    server.sin_family = AF_INET;
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[1])));
    connections = argv[2];
    time = std::chrono::seconds(std::atoi(argv[3]));
  }
};

/// A socket to the server that the loop `epoll` watches; its events bring `owner`.
inline int connected_socket(const load_arguments& to, int type, int epoll, void* owner) {
  const int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  const auto* address = reinterpret_cast<const sockaddr*>(&to.server);
  if (fd < 0 || connect(fd, address, sizeof to.server) != 0) fail("connect");
  if (type == SOCK_STREAM) no_delay(fd);
  epoll_event e{};
  e.events = EPOLLIN;
  e.data.ptr = owner;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) != 0) fail("epoll_ctl");
  return fd;
}

/// All connections are there: from here on tools/compare counts the server's CPU.
inline void say_connected() {
  std::puts("connected");
  std::fflush(stdout);
}

/// How long answers took.
class answer_times {
 public:
  answer_times() { took_.reserve(1 << 22); }
  void add(clock::time_point asked) { took_.push_back((clock::now() - asked).count()); }
  void report(clock::time_point start, const char* unit) {
    if (took_.empty()) refuse("nothing came back");
    const double seconds = std::chrono::duration<double>(clock::now() - start).count();
    metric("rate", double(took_.size()) / seconds, unit);
    metric("p50", percentile(took_, 0.50) / 1e6, "ms");
    metric("p99", percentile(took_, 0.99) / 1e6, "ms");
    metric("seconds", seconds, "s");
  }

 private:
  std::vector<std::int64_t> took_;
};

/// Calls ready(*owner) for every socket with something to read, until `end`; at least once in
/// `most`, it calls look().
template <class Owner, class Ready, class Look>
void run_load(int epoll, clock::time_point end, Ready ready, std::chrono::milliseconds most,
              Look look) {
  epoll_event events[512];
  while (clock::now() < end) {
    const int n = epoll_wait(epoll, events, 512, int(most.count()));
    for (int i = 0; i < n; ++i) ready(*static_cast<Owner*>(events[i].data.ptr));
    look();
  }
}

}  // namespace bench
