// SPDX-License-Identifier: BSL-1.0
// mixed: a fiber per client, per served connection and per job; the jobs are not declared.
#include <span>

#include <weft/net/tcp.hpp>

#include "common/weft.hpp"
#include "mixed/mixed.hpp"

namespace {

auto bytes_of(std::int64_t& number) { return std::as_writable_bytes(std::span(&number, 1)); }

void serve(weft::net::tcp_stream stream, std::int64_t rounds) {
  std::int64_t number = 0;
  for (std::int64_t i = 0; i < rounds; ++i) {
    stream.read_exactly(bytes_of(number));
    ++number;
    stream.write_all(bytes_of(number));
  }
}

void ask(const weft::net::endpoint& server, std::int64_t rounds, bench::mixed_result& result) {
  weft::net::tcp_stream stream = weft::net::tcp_stream::connect(server);
  bench::mixed_client(rounds, result, [&](std::int64_t number) {
    stream.write_all(bytes_of(number));
    stream.read_exactly(bytes_of(number));
    return number;
  });
}

}  // namespace

int main(int argc, char** argv) {
  const auto size = bench::parse(argc, argv, {"CLIENTS", "ROUNDS", "JOBS", "LIMIT"});
  bench::mixed_result result;
  const int status = bench::run_weft(size.workers, [&] {
    weft::net::tcp_listener listener(weft::net::endpoint("127.0.0.1", 0));
    const auto start = bench::clock::now();
    std::vector<weft::fiber<void>> fibers;
    for (std::int64_t i = 0; i < size[0]; ++i) {
      fibers.push_back(weft::spawn([&] { ask(listener.local_endpoint(), size[1], result); }));
    }
    for (std::int64_t i = 0; i < size[2]; ++i) {
      fibers.push_back(weft::spawn([&] { result.add(bench::primes_below(size[3])); }));
    }
    for (std::int64_t i = 0; i < size[0]; ++i) {
      fibers.push_back(weft::spawn(serve, listener.accept(), size[1]));
    }
    for (auto& fiber : fibers) fiber.join();
    result.report(start);
    return 0;
  });
  bench::answer(result.total());
  return status;
}
