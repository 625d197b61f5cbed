// SPDX-License-Identifier: BSL-1.0
// fork() copies one thread and all the memory: a runtime without its workers. The child is told so
// at the first use that needs them; exec and posix_spawn work.
#include <chrono>
#include <csignal>
#include <string>

#include <doctest/doctest.h>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/scope.hpp>

#include "support/in_child.hpp"
#include "support/runtimes.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

extern char** environ;

namespace {

template <class F>
void aborts(F use) {
  const child_end end = in_child([&] {
    alarm(20);
    use();
    return 0;
  });
  CHECK(end.signal == SIGABRT);
  CAPTURE(end.errors);
  CHECK(end.errors.find("weft: this process was forked from one with a running runtime") !=
        std::string::npos);
  CHECK(end.errors.find("posix_spawn") != std::string::npos);
}

int run_true() {
  const char* const arguments[] = {"true", nullptr};
  pid_t child = 0;
  if (posix_spawnp(&child, "true", nullptr, nullptr, const_cast<char**>(arguments), environ) != 0)
    return -1;
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

}  // namespace

TEST_CASE("a child forked by a plain thread is told at its first use") {
  weft::runtime rt;
  rt.spawn([] {}).join();
  aborts([&] { rt.spawn([] {}).join(); });
  aborts([] { weft::spawn([] {}).join(); });
  aborts([] { weft::runtime second; });
  aborts([] { static_cast<void>(weft::run([] {})); });
  aborts([] { static_cast<void>(weft::this_fiber::sleep_for(1ms)); });
  aborts([&] { rt.shutdown(); });
  auto unended = rt.spawn(park_until_stopped);
  aborts([&] { unended.join(); });
  unended.request_stop();
  unended.join();
}

TEST_CASE("a child forked by a fiber is told, too") {
  each_fiber([] {
    aborts([] { weft::spawn([] {}).join(); });
    aborts([] { weft::this_fiber::yield(); });
    aborts([] { static_cast<void>(weft::this_fiber::sleep_for(1ms)); });
    aborts([] { weft::runtime second; });
    aborts([] {
      weft::scope s;
      s.spawn([] {});
    });
  });
}

TEST_CASE("a fiber of the child that ends is told, too") {
  const child_end end = in_child([] {
    weft::options o;
    o.workers = 1;
    weft::runtime rt(o);
    const pid_t grandchild = rt.spawn([] {
                                 std::signal(SIGABRT, SIG_DFL);
                                 return fork();
                               }).join();
    int status = 0;
    waitpid(grandchild, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  });
  CHECK(end.exit_code == SIGABRT);
  CHECK(end.errors.find("forked from one with a running runtime") != std::string::npos);
}

TEST_CASE("a child that does nothing with weft may exit, destructors and all") {
  weft::runtime rt;
  rt.spawn([] {}).join();
  static_cast<void>(weft::spawn([] { return 1; }).join());  // the default one exists
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    std::exit(7);  // static destructors, the default runtime's among them
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 7);
}

TEST_CASE("posix_spawn works, from threads and fibers") {
  each_runtime([](weft::runtime& rt) {
    CHECK(run_true() == 0);
    CHECK(rt.spawn(run_true).join() == 0);
  });
}

TEST_CASE("the parent goes on") {
  each_runtime([](weft::runtime& rt) {
    for (int i = 0; i < 5; ++i) {
      const pid_t child = fork();
      if (child == 0) _exit(0);
      waitpid(child, nullptr, 0);
      CHECK(rt.spawn([] { return weft::spawn([] { return 1; }).join(); }).join() == 1);
    }
  });
}
