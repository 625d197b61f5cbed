// SPDX-License-Identifier: BSL-1.0
// test/trace/known_program.cpp - does things it can count, and says how many on stdout, for
// command_test.cpp.
#include <weft/weft.hpp>

#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

namespace {

constexpr int sleepers = 40, items = 30, offloads = 5, yields = 25;

[[gnu::noinline]] void spawn_the_sleepers(std::vector<weft::fiber<void>>& all) {
  for (int i = 0; i < sleepers; ++i)
    all.push_back(weft::spawn(
        [] { static_cast<void>(weft::this_fiber::sleep_for(std::chrono::milliseconds(2))); }));
}

// The CPU time of this thread, which a fiber keeps while it is preempted.
std::chrono::nanoseconds cpu_time() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

// Computes on and on, beside others that do: it is preempted, in here.
[[gnu::noinline]] void spin_in_here() {
  const auto until = cpu_time() + std::chrono::milliseconds(150);
  volatile unsigned x = 0;
  while (cpu_time() < until)
    for (int i = 0; i < 100'000; ++i) x = x + 1;
}
void hog() {
  std::vector<weft::fiber<void>> all;
  for (int i = 0; i < 6; ++i) all.push_back(weft::spawn([] { spin_in_here(); }));
  for (auto& f : all) f.join();
}

// Four fibers block in the kernel without a word, until a processor was taken from one of them.
// Then one says that it blocks.
void block(const weft::runtime& rt) {
  while (weft::metrics(rt).retakes == 0) {
    std::vector<weft::fiber<void>> all;
    for (int i = 0; i < 4; ++i) all.push_back(weft::spawn([] { usleep(20'000); }));
    for (auto& f : all) f.join();
  }
  weft::block_in_place([] { usleep(20'000); });
}

// Whoever has the lock sleeps; the first one until seven others wait for it. The sleeps are long:
// what a slow machine adds to them is little.
void convoy(const weft::runtime& rt) {
  weft::mutex m;
  std::unique_lock guard(m);
  std::vector<weft::fiber<void>> all;
  for (int i = 0; i < 7; ++i)
    all.push_back(weft::spawn([&] {
      const std::lock_guard mine(m);
      static_cast<void>(weft::this_fiber::sleep_for(std::chrono::milliseconds(50)));
    }));
  do static_cast<void>(weft::this_fiber::sleep_for(std::chrono::milliseconds(50)));
  while (weft::metrics(rt).waiting < 7);
  guard.unlock();
  for (auto& f : all) f.join();
}

// A name with all that a report of lines, a folded stack and JSON each take amiss.
void names() {
  weft::attributes a;
  a.name = "two\nlines;\"caf\u00e9\"\xff";
  weft::spawn(a, [] {
    static_cast<void>(weft::this_fiber::sleep_for(std::chrono::milliseconds(2)));
  }).join();
}

// Sleeps and computes until its standard input ends.
void stay() {
  std::vector<weft::fiber<void>> all;
  weft::event stop;
  for (int i = 0; i < 3; ++i)
    all.push_back(weft::spawn([&] {
      volatile unsigned x = 0;
      while (!stop.wait_for(std::chrono::milliseconds(1)))
        for (int n = 0; n < 100'000; ++n) x = x + 1;
    }));
  std::puts("ready");
  std::fflush(stdout);
  weft::offload([] {
    char some[64];
    while (read(STDIN_FILENO, some, sizeof some) > 0) {
    }
  });
  stop.set();
  for (auto& f : all) f.join();
}

// A crash while the flight recorder's file is being written.
void crash_in_snapshot(const char* path) {
  const std::string text(1000, 'x');
  for (int i = 0; i < 64'000; ++i) weft::trace::log(text);
  const std::jthread writer([&] {
    try {
      weft::trace::snapshot(path);
    } catch (const std::system_error&) {  // the crash's turn
    }
  });
  struct stat file{};
  while (stat(path, &file) != 0 || file.st_size < 1'000'000) std::this_thread::yield();
  std::raise(SIGABRT);
}

void known() {
  std::vector<weft::fiber<void>> all;
  spawn_the_sleepers(all);
  weft::attributes a;
  a.name = "the \"receiver\"";
  weft::channel<int> c(0);
  auto receiver = weft::spawn(a, [&] {
    const weft::trace::region here("receiving");
    for ([[maybe_unused]] const int x : c) {
    }
  });
  for (int i = 0; i < items; ++i) c.send(i);
  c.close();
  for (int i = 0; i < offloads; ++i) weft::offload([] { usleep(1000); });
  for (int i = 0; i < yields; ++i) weft::this_fiber::yield();
  receiver.join();
  for (auto& f : all) f.join();
  weft::trace::log("done");
  std::printf("spawned=%d sleeps=%d offloads=%d\n", 1 + sleepers + 1, sleepers, offloads);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string how = argc > 1 ? argv[1] : "";
  if (how == "children") {
    std::puts(waitpid(-1, nullptr, WNOHANG) < 0 ? "no child" : "a child");
    return 0;
  }
  std::barrier all_there(4);
  weft::options o;
  o.workers = 2;
  weft::runtime rt(o);
  rt.spawn([&] {
      if (how == "hog") return hog();
      if (how == "block") return block(rt);
      if (how == "convoy") return convoy(rt);
      if (how == "names") return names();
      if (how == "stay") return stay();
      if (how == "abort in snapshot") return crash_in_snapshot(argv[2]);
      known();
      std::fflush(stdout);
      if (how == "twice" && std::system(argv[2]) != 0) std::abort();
      if (how == "abort elsewhere" && chdir("/") != 0) return;
      std::vector<std::jthread> threads;
      for (int i = 0; how == "abort together" && i < 3; ++i)
        threads.emplace_back([&] {
          all_there.arrive_and_wait();
          std::raise(SIGABRT);
        });
      if (!threads.empty()) all_there.arrive_and_wait();
      if (how.starts_with("abort")) std::raise(SIGABRT);
      if (how == "segv") std::raise(SIGSEGV);
      if (how == "exit") std::exit(3);
    }).join();
  return 0;
}
