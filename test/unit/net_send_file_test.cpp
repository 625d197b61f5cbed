// SPDX-License-Identifier: BSL-1.0
// unit/net_send_file_test.cpp - a file through sendfile(2): whole, in part, behind its end, to a
// slow peer, to one that is gone.
#include <atomic>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>
#include <csignal>

#include <weft/offload.hpp>

#include "support/net.hpp"
#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;
using weft::net::tcp_stream;

namespace {

struct file_closer {
  void operator()(std::FILE* f) const { std::fclose(f); }
};

// Unlinked already; holds pattern(size).
std::unique_ptr<std::FILE, file_closer> file_of(std::size_t size) {
  std::unique_ptr<std::FILE, file_closer> f(std::tmpfile());
  REQUIRE(f);
  const auto data = pattern(size);
  REQUIRE(std::fwrite(data.data(), 1, size, f.get()) == size);
  REQUIRE(std::fflush(f.get()) == 0);
  return f;
}

std::vector<std::byte> rest_of(tcp_stream& s) {
  std::vector<std::byte> all, room(65536);
  while (const std::size_t n = s.read_some(room))
    all.insert(all.end(), room.begin(), room.begin() + static_cast<std::ptrdiff_t>(n));
  return all;
}

}  // namespace

TEST_CASE("send_file: all of it, to a peer that is slower") {
  constexpr std::size_t size = 5'000'003;
  const auto file = file_of(size);
  // Dropped from memory, as far as the file system lets us: then the pool reads it.
  ::fsync(fileno(file.get()));
  ::posix_fadvise(fileno(file.get()), 0, 0, POSIX_FADV_DONTNEED);
  at_worker_counts([&] {
    auto ab = connected_pair();
    auto reader = weft::spawn([&] { return rest_of(ab.second); });
    CHECK(ab.first.send_file(fileno(file.get()), 0, size) == size);
    ab.first.shutdown_send();
    CHECK(reader.join() == pattern(size));
  });
}

TEST_CASE("send_file: a part, and what ends before the count") {
  const auto file = file_of(1000);
  at_worker_counts([&] {
    auto ab = connected_pair();
    const int number = fileno(file.get());
    CHECK(ab.first.send_file(number, 300, 200) == 200);
    CHECK(ab.first.send_file(number, 900, 500) == 100);
    CHECK(ab.first.send_file(number, 5000, 10) == 0);
    CHECK(ab.first.send_file(number, 0, 0) == 0);
    ab.first.close();
    auto expected = pattern(200, 300);
    const auto second = pattern(100, 900);
    expected.insert(expected.end(), second.begin(), second.end());
    CHECK(rest_of(ab.second) == expected);
  });
}

TEST_CASE("send_file: errors are those of the stream and of the file; no SIGPIPE") {
  const auto file = file_of(100'000);
  struct sigaction before{};
  REQUIRE(::sigaction(SIGPIPE, nullptr, &before) == 0);
  REQUIRE((before.sa_handler == SIG_DFL));  // a SIGPIPE would end the test
  at_worker_counts([&] {
    auto ab = connected_pair();
    tcp_stream& a = ab.first;
    std::error_code ec;
    CHECK(a.send_file(-1, 0, 10, ec) == 0);
    CHECK(ec == std::errc::bad_file_descriptor);
    CHECK(a.is_open());
    a.shutdown_send();
    CHECK(a.send_file(fileno(file.get()), 0, 10, ec) == 0);
    CHECK(ec == std::errc::broken_pipe);
    CHECK(thrown_by([&] { a.send_file(fileno(file.get()), 0, 10); }) == std::errc::broken_pipe);
    a.close();
    CHECK(a.send_file(fileno(file.get()), 0, 10, ec) == 0);
    CHECK(ec == std::errc::bad_file_descriptor);
  });
}

TEST_CASE("send_file: its wait ends at a deadline, by a time and by a token") {
  const auto file = file_of(4 << 20);
  at_worker_counts([&] {
    auto ab = connected_pair();
    ab.first.set_write_deadline(clock::now() + 5ms);
    std::error_code ec;
    std::size_t sent = 0;
    while (!ec) sent += ab.first.send_file(fileno(file.get()), 0, 4 << 20, ec);
    CHECK(ec == std::errc::timed_out);
    // By the call's own limits, too; what was sent is counted.
    ab.first.set_write_deadline(tcp_stream::no_deadline);
    sent += ab.first.send_file_for(fileno(file.get()), 0, 4 << 20, 1ms, ec);
    CHECK(ec == std::errc::timed_out);
    sent += ab.first.send_file_until(fileno(file.get()), 0, 4 << 20, clock::now(), ec);
    CHECK(ec == std::errc::timed_out);
    std::stop_source stop;
    auto stuck = weft::spawn([&] {
      std::error_code why;
      sent += ab.first.send_file(stop.get_token(), fileno(file.get()), 0, 4 << 20, why);
      return why;
    });
    weft::this_fiber::sleep_for(1ms);
    stop.request_stop();
    CHECK(stuck.join() == std::errc::operation_canceled);
    ab.first.close();
    CHECK(rest_of(ab.second).size() == sent);
    auto cd = connected_pair();
    CHECK(thrown_by([&] {
            for (;;) cd.first.send_file(stop.get_token(), fileno(file.get()), 0, 4 << 20);
          }) == std::errc::operation_canceled);
  });
}

TEST_CASE("send_file: in line for the pool it does not reach what gets the number meanwhile") {
  weft::options o;
  o.workers = 2;
  o.offload_threads = 1;
  weft::runtime rt(o);
  const auto file = file_of(1 << 20);
  ::fsync(fileno(file.get()));
  ::posix_fadvise(fileno(file.get()), 0, 0, POSIX_FADV_DONTNEED);
  auto ends = weft::net::unix_stream::pair(), others = weft::net::unix_stream::pair();
  std::atomic<bool> over{false}, sent{false};
  auto block = rt.spawn([&] { weft::offload([&] { until([&] { return over.load(); }); }); });
  until([&] { return rt.offloads().running == 1; });
  auto sending = rt.spawn([&] {
    std::error_code ec;
    static_cast<void>(ends.first.send_file(fileno(file.get()), 0, 1000, ec));
    sent = true;
    return ec;
  });
  until([&] { return rt.offloads().queued == 1 || sent; });
  const bool in_line = !sent;
  const int number = ends.first.release();
  const bool ours = ::dup2(others.first.native_handle(), number) == number;
  over = true;
  const std::error_code ec = sending.join();
  block.join();
  ::close(number);
  others.first.close();
  if (!in_line) {
    MESSAGE("not here: the file system keeps its files in memory");
    return;
  }
  CHECK(ours);
  CHECK(ec == std::errc::operation_canceled);
  std::byte room[8];
  CHECK(others.second.read_some(room) == 0);
}
