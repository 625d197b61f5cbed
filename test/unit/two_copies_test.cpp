// SPDX-License-Identifier: BSL-1.0
// Two copies of weft in one process, a program's and a plugin's: each takes the signals that are
// its own, and knows its own fibers only.
#include <atomic>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>

#include <dlfcn.h>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "support/in_child.hpp"
#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

using function = int (*)();

function find(void* plugin, const char* name) {
  return reinterpret_cast<function>(dlsym(plugin, name));
}

// The program's runtime computes, and is preempted, at the same time.
int both() {
  void* const plugin = dlopen(WEFT_SECOND_COPY, RTLD_NOW | RTLD_LOCAL);
  if (plugin == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    return 10;
  }
  weft::options o;
  o.workers = 1;
  o.name = "host";
  weft::runtime rt(o);
  std::atomic<bool> stop{false};
  auto hog = rt.spawn([&] {
    while (!stop.load(std::memory_order_relaxed)) {
    }
  });
  auto ticks = rt.spawn([&] {
    int n = 0;
    while (!stop) {
      static_cast<void>(weft::this_fiber::sleep_for(1ms));
      ++n;
    }
    return n;
  });
  int result = 0;
  for (int i = 0; i < 3 && result == 0; ++i) result = find(plugin, "second_copy_works")();
  stop = true;
  hog.join();
  if (ticks.join() == 0 && result == 0) result = 11;
  if (result == 0 && find(plugin, "second_copy_default_runtime")() != 3) result = 12;
  // On a fiber of the program's, which is a plain thread to the plugin.
  if (result == 0)
    result = rt.spawn([&] {
                 return weft::offload([&] { return find(plugin, "second_copy_works")(); });
               }).join();
  return result;
}

}  // namespace

TEST_CASE("a program and a plugin with a weft each run fibers at the same time, and both preempt") {
  const child_end end = in_child([] {
    alarm(100);
    return both();
  });
  CHECK(end.exit_code == 0);
  CHECK(end.signal == 0);
  CHECK(end.errors == "");
}

TEST_CASE(
    "the plugin first, unloaded before the program's begins, and a crash still ends the process by "
    "its signal") {
  const child_end end = in_child([] {
    alarm(100);
    void* const plugin = dlopen(WEFT_SECOND_COPY, RTLD_NOW | RTLD_LOCAL);
    if (plugin == nullptr || find(plugin, "second_copy_works")() != 0) return 20;
    dlclose(plugin);
    if (const int failed = both()) return failed;
    weft::run([] { std::raise(SIGURG); });
    std::raise(SIGSEGV);
    return 21;
  });
  CHECK(end.exit_code == -1);
  CHECK(end.signal == SIGSEGV);
}
