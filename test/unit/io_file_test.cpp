// SPDX-License-Identifier: BSL-1.0
// unit/io_file_test.cpp - files read and written at offsets, from fibers and plain threads.
#include <weft/io/file.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "support/agents.hpp"
#include "support/runtimes.hpp"

using namespace weft::test;
using weft::io::file;

namespace {

struct temporary_path {
  temporary_path() { ::close(::mkstemp(text.data())); }
  ~temporary_path() { ::unlink(text.c_str()); }
  temporary_path(const temporary_path&) = delete;
  std::string text = "/tmp/weft_file_XXXXXX";
};

std::string read(const file& f, std::size_t n, std::uint64_t at) {
  std::string s(n, '?');
  s.resize(f.read_at(s, at));
  return s;
}

}  // namespace

TEST_CASE("io::file: what is written at an offset is read there, from all agents") {
  on_all_agents([](agents& a) {
    const temporary_path path;
    const file f(path.text, O_RDWR);
    constexpr int parts = 8;
    for (int i = 0; i < parts; ++i)
      a.start([&f, i] {
        f.write_at({"part ", std::to_string(i)}, static_cast<std::uint64_t>(6 * i));
        REQUIRE(read(f, 6, static_cast<std::uint64_t>(6 * i)) == "part " + std::to_string(i));
      });
    a.join();
    CHECK(f.size() == 6 * parts);
    f.sync();
    f.sync_data();
    CHECK(read(f, 100, 42) == "part 7");
    CHECK(read(f, 100, 48) == "");
    std::array<char, 3> first;
    std::vector<char> second(100);
    CHECK(f.read_at({first, second}, 0) == 6 * parts);
    CHECK(std::string(second.data(), 4) == "t 0p");
    f.resize(3);
    CHECK(read(f, 10, 0) == "par");
    f.resize(5);
    CHECK(read(f, 10, 0) == std::string("par\0\0", 5));
  });
}

TEST_CASE("io::file: more than one call takes, and what is not in memory") {
  each_fiber([] {
    const temporary_path path;
    const file f(path.text, O_RDWR);
    std::vector<std::string> lines;
    for (int i = 0; i < 200; ++i)
      lines.push_back(std::string(1000, static_cast<char>('a' + i % 26)));
    const std::vector<weft::net::const_buffer> buffers(lines.begin(), lines.end());
    f.write_at(buffers, 0);
    f.sync();
    ::posix_fadvise(f.native_handle(), 0, 0, POSIX_FADV_DONTNEED);
    const std::string all = read(f, 300'000, 0);
    CHECK(all.size() == 200'000);
    bool same = true;
    for (std::size_t i = 0; i < lines.size(); ++i)
      same &= all.compare(i * 1000, 1000, lines[i]) == 0;
    CHECK(same);
  });
}

TEST_CASE("io::file: a close lets a write of many system calls complete") {
  each_fiber([] {
    const temporary_path path;
    const std::string page(4096, 'x');
    const std::vector<weft::net::const_buffer> pages(64 * 200, page);
    file f(path.text, O_RDWR), other(path.text, O_RDONLY);
    std::error_code ec;
    auto writer = weft::spawn([&] { return f.write_at(pages, 0, ec); });
    until([&] { return other.size() != 0; });
    f.close();
    CHECK(writer.join() == pages.size() * page.size());
    CHECK_FALSE(ec);
    f.write_at({}, 0, ec);
    CHECK(ec == std::errc::bad_file_descriptor);
  });
}

TEST_CASE("io::file: errors say what was done to which file") {
  each_fiber([] {
    CHECK_THROWS_WITH_AS(file("/nowhere/to/be/found", O_RDONLY),
                         doctest::Contains("/nowhere/to/be/found"), std::system_error);
    std::error_code ec;
    CHECK(!file::open("/nowhere/to/be/found", O_RDONLY, 0, ec).is_open());
    CHECK(ec == std::errc::no_such_file_or_directory);

    const temporary_path path;
    file f(path.text, O_RDONLY);
    CHECK_THROWS_WITH_AS(f.write_at("x", 0), doctest::Contains("writing the file /tmp/weft_file_"),
                         std::system_error);
    f.close();
    CHECK(!f.is_open());
    CHECK(f.size(ec) == 0);
    CHECK(ec == std::errc::bad_file_descriptor);

    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    CHECK_THROWS_WITH_AS(static_cast<void>(file::adopt(ends[0])),
                         doctest::Contains("no regular file"), std::system_error);
    ::close(ends[0]);
    ::close(ends[1]);
  });
}

// For some calls of the kernel's -1 is the position of the file itself.
TEST_CASE("io::file: offsets that no file has are refused, and move nothing") {
  each_fiber([] {
    const temporary_path path;
    file f(path.text, O_RDWR);
    f.write_at("0123456789", 0);
    std::error_code ec;
    std::array<char, 4> room;
    for (const std::uint64_t at : {UINT64_MAX, UINT64_MAX - 1, std::uint64_t{1} << 63}) {
      CHECK(f.read_at(room, at, ec) == 0);
      CHECK(ec == std::errc::invalid_argument);
      CHECK(f.write_at("x", at, ec) == 0);
      CHECK(ec == std::errc::invalid_argument);
    }
    auto ends = weft::net::unix_stream::pair();
    CHECK(ends.first.send_file(f.native_handle(), UINT64_MAX, 1, ec) == 0);
    CHECK(ec == std::errc::invalid_argument);
    CHECK(::lseek(f.native_handle(), 0, SEEK_CUR) == 0);
    CHECK(f.size() == 10);
  });
}

TEST_CASE("io::file: a path with a zero byte names no file") {
  using namespace std::string_literals;
  each_fiber([] {
    const temporary_path path;
    const std::string longer = path.text + "\0.old"s;
    std::error_code ec;
    CHECK(!file::open(longer, O_RDONLY, 0, ec).is_open());
    CHECK(ec == std::errc::invalid_argument);
    CHECK_THROWS_WITH_AS(file(longer, O_RDONLY), doctest::Contains(".old"), std::system_error);
  });
}

TEST_CASE("io::file: adopt, release and moving") {
  each_fiber([] {
    const temporary_path path;
    file f = file::adopt(::open(path.text.c_str(), O_RDWR | O_CLOEXEC));
    f.write_at("abc", 0);
    file other = std::move(f);
    CHECK(!f.is_open());
    const int number = other.release();
    CHECK(::lseek(number, 0, SEEK_END) == 3);
    ::close(number);
    CHECK(other.native_handle() == -1);
  });
}

TEST_CASE("io::file: a call in line does not reach a file that gets the number meanwhile") {
  weft::options o = workers(2);
  o.offload_threads = 1;
  weft::runtime rt(o);
  const temporary_path path, other_path;
  file f(path.text, O_RDWR), other(other_path.text, O_RDWR);
  other.write_at("contents", 0);
  std::atomic<bool> over{false};
  auto block = rt.spawn([&] { weft::offload([&] { until([&] { return over.load(); }); }); });
  until([&] { return rt.offloads().running == 1; });
  auto resize = rt.spawn([&] {
    std::error_code ec;
    f.resize(0, ec);
    return ec;
  });
  until([&] { return rt.offloads().queued == 1; });
  const int number = f.release();
  REQUIRE(::dup2(other.native_handle(), number) == number);
  over = true;
  CHECK(resize.join() == std::errc::bad_file_descriptor);
  block.join();
  CHECK(other.size() == 8);
  ::close(number);
}
