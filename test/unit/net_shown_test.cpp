// SPDX-License-Identifier: BSL-1.0
// unit/net_shown_test.cpp - what the kernel keeps or makes behind weft's back: registrations of
// descriptors that live on elsewhere, descriptors that come with a message, sizes of devices.
#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/io/file.hpp>

#include "support/descriptors.hpp"
#include "support/net.hpp"

using namespace weft::test;

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
std::size_t open_descriptors() {
  std::size_t n = 0;
  for (const auto& fd : std::filesystem::directory_iterator("/proc/self/fd"))
    n += fd.is_symlink() ? 1 : 0;
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
