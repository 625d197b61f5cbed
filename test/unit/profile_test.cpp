// SPDX-License-Identifier: BSL-1.0
// The sampling profiler: CPU time goes to the fibers and functions that used it.
#include <weft/weft.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "debug/profile_ring.hpp"
#include "os/os.hpp"
#include "os/signal_context.hpp"
#include "support/emulator.hpp"
#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

std::chrono::nanoseconds cpu_of_process() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

[[gnu::noinline]] void burn(int n) {
  [[maybe_unused]] volatile int last = 0;  // or it has no frame, and its caller is not seen
  for (int i = 0; i < n; ++i) last = i;
}
[[gnu::noinline]] void burn_three_parts(int n) {
  burn(3 * n);
  asm volatile("" : : : "memory");
}
[[gnu::noinline]] void burn_one_part(int n) {
  burn(n);
  asm volatile("" : : : "memory");
}

struct folded {
  std::map<std::string, std::uint64_t> of_fiber;
  std::uint64_t all = 0, with_entry = 0;
  // somewhere in the stack, by the part of its name
  std::map<std::string, std::uint64_t> of_function;
};

folded read(const std::string& path) {
  folded f;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    const std::size_t space = line.rfind(' ');
    REQUIRE(space != std::string::npos);
    const std::uint64_t n = std::stoull(line.substr(space + 1));
    const std::string stack = line.substr(0, space);
    const std::size_t root = stack.find(';');
    REQUIRE(root != std::string::npos);
    f.all += n;
    f.of_fiber[stack.substr(0, root)] += n;
    if (stack.substr(root).find("run_callable<") != std::string::npos) f.with_entry += n;
    for (const char* function : {"burn_three_parts", "burn_one_part", "burn(int)",
                                 "spawned by (anonymous namespace)::spawn_heavy(",
                                 "spawned by (anonymous namespace)::spawn_light("})
      if (stack.find(function) != std::string::npos) f.of_function[function] += n;
  }
  return f;
}

struct profile_file {
  std::string path = "profile_test_" + std::to_string(getpid()) + ".folded";
  ~profile_file() { std::remove(path.c_str()); }
  [[nodiscard]] weft::profile::options options(int hertz) const {
    weft::profile::options o;
    o.path = path;
    o.hertz = hertz;
    return o;
  }
};

weft::attributes named(const char* name) {
  weft::attributes a;
  a.name = name;
  return a;
}

[[gnu::noinline]] weft::fiber<void> spawn_heavy(weft::runtime& rt, std::chrono::nanoseconds end) {
  return rt.spawn(named("heavy"), [end] {
    while (cpu_of_process() < end) {
      burn_three_parts(30'000);
      weft::this_fiber::yield();
    }
  });
}
[[gnu::noinline]] weft::fiber<void> spawn_light(weft::runtime& rt, std::chrono::nanoseconds end) {
  return rt.spawn(named("light;\r\xff"
                        "er"),
                  [end] {
                    while (cpu_of_process() < end) {
                      burn_one_part(30'000);
                      weft::this_fiber::yield();
                    }
                  });
}

}  // namespace

TEST_CASE("two fibers that burn three parts and one get three parts and one, with whole stacks") {
  const profile_file file;
  weft::options o;
  o.workers = 1;
  weft::profile::statistics s{};
  with_runtime(o, [&](weft::runtime& rt) {
    weft::profile::start(file.options(250));
    const auto end = cpu_of_process() + 1500ms;
    auto heavy = spawn_heavy(rt, end);
    auto light = spawn_light(rt, end);
    heavy.join();
    light.join();
    s = weft::profile::stop();
  });
  folded f = read(file.path);
  CHECK(s.samples > 50);
  CHECK(s.samples + s.elsewhere == f.all);
  for (const char* site : {"spawned by (anonymous namespace)::spawn_heavy(",
                           "spawned by (anonymous namespace)::spawn_light("})
    CHECK(f.of_function[site] > 0);
  CHECK(s.dropped == 0);
  CHECK(s.threads >= 1);
  const auto part = [&](const char* name) {
    const auto at = f.of_fiber.find(name);
    return at == f.of_fiber.end() ? 0.0
                                  : static_cast<double>(at->second) / static_cast<double>(f.all);
  };
  CAPTURE(part("heavy"));
  CAPTURE(part(R"(light:\x0d\xffer)"));
  // TSan calls handlers later, when the fiber has given way: much of it is no fiber's, then.
  if (WEFT_TSAN != 0) {
    CHECK(part("heavy") > part(R"(light:\x0d\xffer)"));
    return;
  }
  // On a busy machine more of the CPU time is the switches' and the monitor's.
  const double both = part("heavy") + part(R"(light:\x0d\xffer)");
  CHECK(both > 0.5);
  CHECK(part("heavy") / both > 0.5);
  CHECK(part("heavy") / both < 0.94);
  // ASan's own functions, which are much of a yield there, have no frame pointers.
  if (WEFT_ASAN != 0) return;
  CHECK(f.with_entry > (f.of_fiber["heavy"] + f.of_fiber[R"(light:\x0d\xffer)"]) * 9 / 10);
  CHECK(f.of_function.at("burn_three_parts") > f.of_function.at("burn_one_part"));
  CHECK(f.of_function.at("burn(int)") > f.all / 2);
}

TEST_CASE("fibers that never call weft share by preemption, and each is seen under its own name") {
  const profile_file file;
  weft::options o;
  o.workers = 1;
  o.time_slice = 5ms;
  with_runtime(o, [&](weft::runtime& rt) {
    weft::profile::start(file.options(250));
    const auto end = cpu_of_process() + 1s;
    std::vector<weft::fiber<void>> fibers;
    for (const char* name : {"first", "second", "third"})
      fibers.push_back(rt.spawn(named(name), [&] {
        while (cpu_of_process() < end) burn(10'000);
      }));
    for (auto& f : fibers) f.join();
    static_cast<void>(weft::profile::stop());
    CHECK(weft::metrics(rt).preemptions > 0);
  });
  folded f = read(file.path);
  for (const char* name : {"first", "second", "third"}) {
    CAPTURE(name);
    CHECK(f.of_fiber[name] > f.all / 12);
  }
}

TEST_CASE("what other threads use is counted, though not sampled") {
  const profile_file file;
  weft::options o;
  o.workers = 1;
  weft::profile::statistics s{};
  with_runtime(o, [&](weft::runtime& rt) {
    weft::profile::start(file.options(100));
    const auto end = cpu_of_process() + 500ms;
    rt.spawn([&] {
        weft::offload([&] {
          while (cpu_of_process() < end) burn(10'000);
        });
      }).join();
    s = weft::profile::stop();
  });
  folded f = read(file.path);
  CHECK(s.elsewhere > 20);
  CHECK(f.of_fiber["(other threads)"] == s.elsewhere);
}

TEST_CASE(
    "runtimes and threads that come while it runs are sampled, and those that went are no more") {
  const profile_file file;
  weft::profile::start(file.options(200));
  for (int round = 0; round < 2; ++round) {
    weft::options o;
    o.workers = 2;
    with_runtime(o, [&](weft::runtime& rt) {
      const auto end = cpu_of_process() + 300ms;
      rt.spawn(named(round == 0 ? "earlier" : "later"), [&] {
          while (cpu_of_process() < end) burn(10'000);
        }).join();
    });
  }
  const weft::profile::statistics s = weft::profile::stop();
  folded f = read(file.path);
  CHECK(f.of_fiber["earlier"] > 0);
  CHECK(f.of_fiber["later"] > 0);
  CHECK(s.threads >= 2);
}

TEST_CASE("a full ring drops and counts, and what was in it comes out in order") {
  auto ring = std::make_unique<weft::detail::profile_ring>();
  for (std::uint32_t round = 0; round < 3; ++round) {
    for (std::uint32_t i = 0; i < weft::detail::profile_ring::size + 5; ++i)
      if (auto* s = ring->begin()) {
        s->fiber = i;
        ring->end();
      }
    std::uint64_t next = 0;
    ring->take([&](const weft::detail::profile_sample& s) { CHECK(s.fiber == next++); });
    CHECK(next == weft::detail::profile_ring::size);
    CHECK(ring->take_dropped() == 5);
    CHECK(ring->take_dropped() == 0);
  }
}

#if !WEFT_TSAN  // it calls handlers itself, later
namespace {
std::vector<std::pair<int, weft::os::interrupted_state>> heard;
bool on_one_of_two(int signal, siginfo_t*, void* context) {
  heard.emplace_back(signal, weft::os::interrupted(context));
  return true;
}
}  // namespace

TEST_CASE("of two signals at once, both handlers see what the first one interrupted") {
  heard.reserve(4);
  sigset_t both, before;
  sigemptyset(&both);
  for (const int s : {SIGUSR1, SIGUSR2}) {
    REQUIRE(!weft::os::install_signal_handler(s, &on_one_of_two));
    sigaddset(&both, s);
  }
  pthread_sigmask(SIG_BLOCK, &both, &before);
  for (const int s : {SIGUSR1, SIGUSR2}) pthread_kill(pthread_self(), s);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  for (const int s : {SIGUSR1, SIGUSR2}) weft::os::restore_signal_handler(s);
  REQUIRE(heard.size() == 2);
  CHECK(heard[0].first != heard[1].first);
  CHECK(heard[0].second.instruction == heard[1].second.instruction);
  CHECK(heard[0].second.stack_pointer == heard[1].second.stack_pointer);
  CHECK(heard[0].second.frame_pointer == heard[1].second.frame_pointer);
}
#endif

TEST_CASE("it says what is wrong") {
  const profile_file file;
  CHECK_THROWS_WITH_AS(weft::profile::start(file.options(0)),
                       doctest::Contains("options::hertz is 0; it must be 1 to 1000"),
                       std::system_error);
  weft::profile::options o;
  o.path = "/nonexistent/directory/file";
  CHECK_THROWS_WITH_AS(weft::profile::start(o), doctest::Contains("/nonexistent/directory/file"),
                       std::system_error);
  o.path = std::string("/tmp/weft_profile\0x", 19);
  CHECK_THROWS_WITH_AS(weft::profile::start(o), doctest::Contains("zero byte"), std::system_error);
  o = file.options(100);
  for (const int never : {SIGKILL, SIGSEGV, SIGABRT, 0, -1, 1000}) {
    o.signal = never;
    CHECK_THROWS_AS(weft::profile::start(o), std::system_error);
  }
  CHECK(weft::profile::stop().samples == 0);  // none runs
  weft::profile::start(file.options(100));
  CHECK_THROWS_AS(weft::profile::start(file.options(100)), std::system_error);
  static_cast<void>(weft::profile::stop());
}

TEST_CASE("burns under a name" * doctest::skip()) {  // what the next one starts
  weft::options o;
  o.workers = 1;
  weft::runtime rt(o);
  const auto end = cpu_of_process() + 300ms;
  rt.spawn(named("from the environment"), [&] {
      while (cpu_of_process() < end) burn(10'000);
    }).join();
}

TEST_CASE("WEFT_PROFILE writes a profile when the process exits, and says what is wrong with it") {
  const profile_file file;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  const std::string rest = " " + command_of("'" + self + "'") +
                           " --no-skip --test-case='burns under a name' >/dev/null 2>" + file.path +
                           ".errors";
  CHECK(std::system(("WEFT_PROFILE=" + file.path + rest).c_str()) == 0);
  CHECK(read(file.path).of_fiber["from the environment"] > 0);
  CHECK(std::system(("WEFT_PROFILE=/nonexistent/file" + rest).c_str()) == 0);
  std::ifstream in(file.path + ".errors");
  std::string text;
  std::getline(in, text);
  CHECK(text.find("weft: WEFT_PROFILE=/nonexistent/file: weft::profile: /nonexistent/file: No such "
                  "file or directory; "
                  "nothing is profiled") == 0);
  std::remove((file.path + ".errors").c_str());
}
