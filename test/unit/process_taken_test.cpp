// SPDX-License-Identifier: BSL-1.0
// unit/process_taken_test.cpp - a child whose status other code takes before it can be watched, and
// one that cannot be watched: no signal goes to a number that may be another's.
#include <weft/process.hpp>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <string>
#include <system_error>

#include <dlfcn.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "support/emulator.hpp"
#include "support/in_child.hpp"
#include "support/old_kernel.hpp"
#include "support/runtimes.hpp"

using namespace weft::test;
using weft::process;

namespace {

// Of the functions below, which stand before those of the C library.
constinit std::atomic<bool> takes_status{false};
constinit std::atomic<int> kills{0};

}  // namespace

extern "C" {
int posix_spawnp(pid_t* child, const char* file, const posix_spawn_file_actions_t* actions,
                 const posix_spawnattr_t* attributes, char* const arguments[],
                 char* const environment[]) {
  static const auto real =
      reinterpret_cast<decltype(&::posix_spawnp)>(::dlsym(RTLD_NEXT, "posix_spawnp"));
  const int error = real(child, file, actions, attributes, arguments, environment);
  if (error == 0 && takes_status) ::waitpid(*child, nullptr, 0);
  return error;
}
int kill(pid_t to, int signal) noexcept {
  ++kills;
  return static_cast<int>(::syscall(SYS_kill, to, signal));
}
}

namespace {

std::error_code thrown_by_start(const weft::process_options& o, std::string* what = nullptr) {
  try {
    const process p(o);
  } catch (const std::system_error& e) {
    if (what != nullptr) *what = e.what();
    return e.code();
  }
  return {};
}

}  // namespace

TEST_CASE("process: a status that is taken at once is an error, and nothing is killed") {
  kills = 0;
  takes_status = true;
  each_fiber([] {
    std::string what;
    CHECK(thrown_by_start({.program = "true"}, &what) == std::errc::no_child_process);
    CHECK_MESSAGE(what.find("true was started") != std::string::npos, what);
    CHECK_MESSAGE(what.find("SIGCHLD is ignored") != std::string::npos, what);
  });
  takes_status = false;
  CHECK(kills == 0);
}

TEST_CASE("process: a child that cannot be watched ends, and no other process" *
          not_under_qemu("it has no filters of system calls")) {
  const child_end end = in_child([] {
    if (!refuse({{SYS_pidfd_open, EMFILE}})) return 77;
    kills = 0;
    if (thrown_by_start({.program = "sleep", .arguments = {"1000"}}) !=
        std::errc::too_many_files_open)
      return 2;
    if (kills != 1 || ::waitpid(-1, nullptr, WNOHANG) != -1) return 3;
    takes_status = true;
    if (thrown_by_start({.program = "true"}) != std::errc::too_many_files_open) return 4;
    return kills == 1 ? 0 : 5;
  });
  if (end.exit_code == 77) return;  // nor has this machine
  CHECK(end.exit_code == 0);
}
