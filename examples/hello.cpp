// SPDX-License-Identifier: BSL-1.0
// hello - an echo server and its clients in one process: spawn, join, scope, sockets.
//
// Each fiber is a straight line of blocking calls; a value or an exception comes back through
// join().
#include <fmt/format.h>
#include <weft/weft.hpp>

#include <CLI/CLI.hpp>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

void echo(weft::net::tcp_stream stream) {
  std::array<std::byte, 4096> buffer;
  while (const std::size_t n = stream.read_some(buffer)) {
    stream.write_all(std::span(buffer).first(n));
  }
}

// Says `text`, closes its half of the connection, and returns everything that came back.
std::string ask(std::uint16_t port, const std::string& text) {
  auto stream = weft::net::tcp_stream::connect({"127.0.0.1", port});
  stream.write_all(std::as_bytes(std::span(text)));
  stream.shutdown(weft::net::shutdown_side::send);
  std::string answer;
  std::array<char, 4096> buffer;
  while (const std::size_t n = stream.read_some(std::as_writable_bytes(std::span(buffer)))) {
    answer.append(buffer.data(), n);
  }
  return answer;
}

int talk(std::size_t clients) {
  weft::net::tcp_listener listener(weft::net::endpoint("127.0.0.1", 0));
  const std::uint16_t port = listener.local_endpoint().port();

  auto server = weft::spawn([&listener, clients] {
    weft::scope connections;  // leaving it joins them all
    for (std::size_t i = 0; i < clients; ++i) {
      connections.spawn([stream = listener.accept()]() mutable { echo(std::move(stream)); });
    }
    connections.join();
  });

  std::vector<weft::fiber<std::string>> answers;
  for (std::size_t i = 0; i < clients; ++i) {
    answers.push_back(weft::spawn(ask, port, fmt::format("hello from fiber {}", i + 1)));
  }
  for (auto& answer : answers) fmt::print("{}\n", answer.join());
  server.join();

  // What a fiber throws, join() rethrows.
  auto failing = weft::spawn([]() -> int { throw std::runtime_error("as intended"); });
  try {
    return failing.join();
  } catch (const std::runtime_error& e) {
    fmt::print("a fiber failed, {}\n", e.what());
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t clients = 4;
  CLI::App app{"An echo server and its clients, all of them fibers of one process."};
  app.add_option("--clients", clients, "how many")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  try {
    return weft::run([clients] { return talk(clients); });
  } catch (const std::exception& e) {
    fmt::print(stderr, "hello: {}\n", e.what());
    return 1;
  }
}
