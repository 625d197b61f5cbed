// SPDX-License-Identifier: BSL-1.0
// unit/net_shown_test.cpp - what the kernel keeps or makes behind weft's back: registrations of
// descriptors that live on elsewhere, descriptors that come with a message, sizes of devices.
#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/io/file.hpp>

#include "net/poll_descriptor.hpp"
#include "support/descriptors.hpp"
#include "support/net.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

// Registrations of all epolls of this process.
std::size_t registered() {
  std::size_t n = 0;
  for (const auto& info : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
    std::ifstream text(info.path());
    for (std::string line; std::getline(text, line);) n += line.starts_with("tfd:") ? 1 : 0;
  }
  return n;
}
// Those of processes, and of /dev/null. The monitor opens others in between.
std::size_t open_descriptors() {
  std::size_t n = 0;
  for (const auto& fd : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::string to = std::filesystem::read_symlink(fd.path(), gone).string();
    n += to.find("pidfd") != to.npos || to == "/dev/null" ? 1 : 0;
  }
  return n;
}

}  // namespace

TEST_CASE("net: a closed socket wakes nobody, though somebody has its descriptor, too") {
  weft::run([] {
    auto ab = connected_pair();
    auto &a = ab.first, &b = ab.second;
    std::array<std::byte, 1> data;
    auto reader = weft::spawn([&] { return b.read_some(data); });  // registers it
    yield_until([&] { return is_parked(reader); });
    a.write_all("x");
    CHECK(reader.join() == 1);
    const std::size_t before = registered();
    const int elsewhere = ::dup(b.native_handle());
    b.close();
    CHECK(registered() == before - 1);
    ::close(elsewhere);
  });
}

namespace {

struct adopted_end {
  adopted_end() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    number = ends[0];
    peer = ends[1];
    elsewhere = ::fcntl(number, F_DUPFD_CLOEXEC, 0);
  }
  adopted_end(const adopted_end&) = delete;
  adopted_end& operator=(const adopted_end&) = delete;
  ~adopted_end() {
    ::close(peer);
    ::close(elsewhere);
  }
  // Once more, by that number, after a close.
  void adopt_again() {
    REQUIRE(::fcntl(elsewhere, F_DUPFD_CLOEXEC, number) == number);
    stream = weft::net::unix_stream::adopt(number);
  }
  std::error_code wait() {
    std::error_code ec;
    CHECK(stream.read_some_for(byte, 1ms, ec) == 0);
    return ec;
  }
  int number = -1, peer = -1, elsewhere = -1;
  weft::net::unix_stream stream;
  std::array<std::byte, 1> byte;
};

}  // namespace

TEST_CASE("net: a closed socket wakes nobody, though whoever lent it has it still") {
  weft::run([] {
    adopted_end a;
    a.stream = weft::net::unix_stream::adopt(a.number);
    CHECK(a.wait() == std::errc::timed_out);
    const std::size_t before = registered();
    a.stream.close();
    CHECK(registered() == before - 1);
    a.adopt_again();
    CHECK(a.wait() == std::errc::timed_out);
  });
}

TEST_CASE("net: a registration that was left behind is no error for the next one") {
  weft::run([] {
    adopted_end a;
    a.stream = weft::net::unix_stream::adopt(a.number);
    CHECK(a.wait() == std::errc::timed_out);
    a.stream.native_descriptor()->adopted = false;  // as if a child process had it
    a.stream.close();
    a.adopt_again();
    CHECK(a.wait() == std::errc::timed_out);
    auto reader = weft::spawn([&] { return a.stream.read_some(a.byte); });
    yield_until([&] { return is_parked(reader); });
    CHECK(::write(a.peer, "x", 1) == 1);
    CHECK(reader.join() == 1);
  });
}

TEST_CASE("net: a descriptor of the sender that came with a message is not kept") {
  weft::run([] {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    constexpr int pass_pidfd = 76;  // SO_PASSPIDFD, Linux 6.5
    const int on = 1;
    const bool known = ::setsockopt(ends[0], SOL_SOCKET, pass_pidfd, &on, sizeof on) == 0;
    auto here = weft::net::unix_stream::adopt(ends[0]);
    auto there = weft::net::unix_stream::adopt(ends[1]);
    if (!known) {
      MESSAGE("not on this kernel: it has no SO_PASSPIDFD");
      return;
    }
    std::array<std::byte, 8> data;
    std::array<weft::net::received_descriptor, 4> numbers;
    const int some = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    const std::size_t before = open_descriptors();
    for (int i = 0; i < 5; ++i) {
      const std::array sent{some};
      there.send_descriptors("x", sent);
      const auto got = here.receive_descriptors(data, numbers);
      CHECK(got.descriptors == 1);
      for (auto& d : numbers) d = {};
    }
    CHECK(open_descriptors() == before);
    ::close(some);
  });
}

TEST_CASE("io::file: the size of a block device is that of the device") {
  for (const auto& device : std::filesystem::directory_iterator("/sys/block")) {
    std::uint64_t blocks = 0;  // of 512 bytes
    std::ifstream(device.path() / "size") >> blocks;
    const std::string path = "/dev/" + device.path().filename().string();
    const int n = blocks != 0 ? ::open(path.c_str(), O_RDONLY | O_CLOEXEC) : -1;
    if (n < 0) continue;
    const weft::io::file f = weft::io::file::adopt(n);
    CHECK(f.size() == blocks * 512);
    return;
  }
  MESSAGE("no block device can be opened here");
}
