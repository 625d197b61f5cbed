// SPDX-License-Identifier: BSL-1.0
// mixed: a thread per client, per served connection and per job.
#include "common/thread.hpp"
#include "common/http.hpp"
#include "mixed/mixed.hpp"

namespace {

void require(bool good, const char* what) {
  if (good) return;
  std::perror(what);
  std::exit(1);
}

std::int64_t receive(int fd) {
  std::int64_t number = 0;
  require(recv(fd, &number, sizeof number, MSG_WAITALL) == sizeof number, "recv");
  return number;
}

void send_number(int fd, std::int64_t number) {
  require(send(fd, &number, sizeof number, MSG_NOSIGNAL) == sizeof number, "send");
}

void serve(int fd, std::int64_t rounds) {
  bench::no_delay(fd);
  for (std::int64_t i = 0; i < rounds; ++i) send_number(fd, receive(fd) + 1);
  close(fd);
}

void ask(int listener, std::int64_t rounds, bench::mixed_result& result) {
  sockaddr_in server{};
  socklen_t length = sizeof server;
  const auto address = reinterpret_cast<sockaddr*>(&server);
  require(getsockname(listener, address, &length) == 0, "getsockname");
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  require(fd >= 0 && connect(fd, address, length) == 0, "connect");
  bench::no_delay(fd);
  bench::mixed_client(rounds, result, [&](std::int64_t number) {
    send_number(fd, number);
    return receive(fd);
  });
  close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"CLIENTS", "ROUNDS", "JOBS", "LIMIT"});
  bench::begin_threads(size);
  bench::mixed_result result;
  const int listener = bench::listen_somewhere(0);
  const auto start = bench::clock::now();
  std::vector<std::thread> threads;
  for (std::int64_t i = 0; i < size[0]; ++i) {
    threads.emplace_back([&] { ask(listener, size[1], result); });
  }
  for (std::int64_t i = 0; i < size[2]; ++i) {
    threads.emplace_back([&] { result.add(bench::primes_below(size[3])); });
  }
  for (std::int64_t i = 0; i < size[0]; ++i) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    require(fd >= 0, "accept");
    threads.emplace_back(serve, fd, size[1]);
  }
  for (auto& thread : threads) thread.join();
  result.report(start);
  bench::answer(result.total());
}
