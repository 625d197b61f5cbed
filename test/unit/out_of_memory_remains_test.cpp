// SPDX-License-Identifier: BSL-1.0
// unit/out_of_memory_remains_test.cpp - what is left of a call that found no memory: no file that
// is open, no thread that is not sampled, no deadlock that is not told; and what needs none.
#include "support/out_of_memory.hpp"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "api/runtime_access.hpp"
#include "debug/deadlock_report.hpp"
#include "os/os.hpp"
#include "support/in_child.hpp"
#include "support/runtimes.hpp"

using namespace std::chrono_literals;
using namespace weft::test;

namespace {

struct some_file {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("weft-left-" + std::to_string(::getpid())))
          .string();
  ~some_file() { std::filesystem::remove(path); }
};

bool is_open(const std::string& path) {
  for (int i = 0; i < 1024; ++i) {
    std::error_code none;
    if (std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(i), none) == path)
      return true;
  }
  return false;
}

std::size_t address_space() {
  std::size_t pages = 0;
  std::FILE* const f = std::fopen("/proc/self/statm", "r");
  if (std::fscanf(f, "%zu", &pages) != 1) pages = 0;
  std::fclose(f);
  return pages * weft::os::page_size();
}

}  // namespace

TEST_CASE("out of memory: a selector that takes no case has no place for it either") {
  weft::channel<int> c(1);
  bool reached = true;
  for (std::uint64_t n = 1; reached; ++n) {
    weft::selector s;
    memory::fail_at(n, failing::once);
    try {
      s.add(weft::on_receive(c, [](std::optional<int>) {}));
    } catch (const std::bad_alloc&) {
    }
    reached = memory::recover();
    CAPTURE(n);
    CHECK(s.size() == (reached ? 0 : 1));
    CHECK_THROWS_AS(s.disable(s.size()), std::out_of_range);
    if (!reached) break;
    CHECK(s.add(weft::on_receive(c, [](std::optional<int>) {})) == 0);
    s.add(weft::on_default([] {}));  // in case the one before is never ready
    CHECK(c.send(1));
    CHECK(s.select() == 0);
  }
}

TEST_CASE("out of memory: a file's operation without a thread, and without memory to say so") {
  const some_file file;
  weft::runtime rt(one_worker());
  weft::os::test_hooks.thread_error = EAGAIN;  // of the pool, which has none yet
  rt.spawn([&] {
      bool reached = true;
      for (std::uint64_t n = 1; reached && n < most_allocations; ++n) {
        std::error_code ec;
        memory::fail_at(n, failing::from_then_on);
        static_cast<void>(weft::io::file::open(file.path, O_RDWR | O_CREAT, 0600, ec));
        reached = memory::recover();
        CAPTURE(n);
        CHECK(ec ==
              (reached ? std::errc::not_enough_memory : std::errc::resource_unavailable_try_again));
      }
    }).join();
  weft::os::test_hooks.thread_error = 0;
}

TEST_CASE("out of memory: a profile that cannot be written leaves nothing to the next one") {
  const some_file file;
  weft::runtime rt(one_worker());
  std::atomic<bool> ends{false};
  auto busy = rt.spawn([&] {
    while (!ends) weft::this_fiber::yield();
  });
  weft::profile::options o;
  o.path = file.path;
  o.hertz = 1000;
  bool reached = true;
  for (std::uint64_t n = 1; reached && n < most_allocations; n += 1 + n / 2) {
    weft::profile::start(o);
    std::this_thread::sleep_for(30ms);
    memory::fail_at(n, failing::from_then_on);
    try {
      weft::profile::stop();
    } catch (const std::bad_alloc&) {
    }
    reached = memory::recover();
    CAPTURE(n);
    CHECK(!is_open(file.path));
    weft::profile::start(o);
    std::this_thread::sleep_for(30ms);
    CHECK(weft::profile::stop().threads >= 1);
  }
  ends = true;
  busy.join();
}

TEST_CASE("out of memory: the flight recorder writes its file all the same") {
  const some_file file;
  const child_end end = in_child([&]() -> int {
    weft::trace::flight_options o;
    o.path = file.path;
    o.signal = SIGUSR2;
    weft::trace::start_flight_recorder(o);
    memory::fail_one_in(1);
    std::raise(SIGUSR2);
    struct stat is{};
    for (int i = 0; i < 10'000; ++i) {
      const timespec moment{0, 1'000'000};
      ::nanosleep(&moment, nullptr);
      if (::stat(file.path.c_str(), &is) == 0 && weft::trace::look().file_bytes > 0) break;
    }
    memory::fail_one_in(0);
    weft::trace::stop();  // the collector has told by then
    _exit(is.st_size > 0 ? 0 : 1);
  });
  CHECK(end.exit_code == 0);
  CHECK_MESSAGE(end.errors.find("last moments are in " + file.path) != std::string::npos,
                end.errors);
}

TEST_CASE("out of memory: rings that cannot be had take no address space") {
  const child_end end = in_child([] {
    constexpr std::size_t gib = std::size_t{1} << 30;
    weft::trace::flight_options o;
    o.memory = gib;
    const std::size_t before = address_space();
    for (std::uint64_t n = 1; n < most_allocations; ++n) {
      memory::fail_at(n, failing::once);
      try {
        weft::trace::start_flight_recorder(o);
      } catch (const std::bad_alloc&) {
      } catch (const std::system_error&) {
      }
      const bool reached = memory::recover();
      weft::trace::stop();
      if (!reached) return address_space() - before < gib + gib / 2 ? 0 : 1;
    }
    return 2;
  });
  CHECK(end.exit_code == 0);
}

TEST_CASE("out of memory: a deadlock is told once there is memory for it, and once") {
  const child_end end = in_child([]() -> int {
    weft::runtime rt(one_worker());
    static weft::mutex a, b;
    std::atomic<int> has{0};
    const auto lock = [&](weft::mutex& first, weft::mutex& second) {
      first.lock();
      ++has;
      while (has < 2) weft::this_fiber::yield();
      ++has;
      second.lock();
    };
    rt.spawn([&] { lock(a, b); }).detach();
    rt.spawn([&] { lock(b, a); }).detach();
    until([&] { return has == 4; });
    std::this_thread::sleep_for(50ms);
    auto& s = weft::detail::runtime_access::scheduler_of(rt);
    int failed_first = 0;
    for (std::uint64_t n = 1; n < most_allocations; ++n) {
      memory::fail_at(n, failing::once);
      weft::detail::check_for_deadlock(s);
      if (!memory::recover()) break;
      ++failed_first;
    }
    weft::detail::check_for_deadlock(s);
    _exit(failed_first > 0 ? 0 : 1);
  });
  CAPTURE(end.errors);
  CHECK(end.signal == 0);
  CHECK(end.exit_code == 0);
  const std::size_t at = end.errors.find("fibers wait for each other");
  CHECK(at != std::string::npos);
  CHECK(end.errors.find("fibers wait for each other", at + 1) == std::string::npos);
}
