// SPDX-License-Identifier: BSL-1.0
#pragma once
// support/emulator.hpp - for what qemu's user mode (the preset aarch64) cannot do: the test says so
// itself, is skipped, and names what is missing. The same program runs all of it on a real machine.
//
//   TEST_CASE("..." * not_under_qemu("setrlimit(RLIMIT_AS) has no effect"))    the whole case
//   if (qemu_lacks("more than an int of TCP_INFO")) return;                    a part of one
//   run(command_of(WEFT_TRACE_TOOL) + ...)                                     another program
//
// A test program of which all cases are skipped is skipped for ctest, too (main.cpp).
//
// Where we run is asked of /proc/thread-self/exe: qemu answers for the guest under /proc/self and
// /proc/PID only, so this link leads to qemu.
// Rejected: an option of the build, and a variable that ctest sets (neither is right for a program
// that is started by hand, here or there); uname(2) and AT_PLATFORM (the guest's); /proc/cpuinfo
// (newer ones of qemu show the guest's).

#include <cstdio>
#include <string>

#include <unistd.h>

#include <doctest/doctest.h>

namespace weft::test {

/// The emulator's path; empty on a real machine.
inline const std::string& emulator() {
  static const std::string found = [] {
    char path[4096];
    const ssize_t n = readlink("/proc/thread-self/exe", path, sizeof path);
    const std::string whole(path, n > 0 ? static_cast<std::size_t>(n) : 0);
    return whole.compare(whole.rfind('/') + 1, 5, "qemu-") == 0 ? whole : std::string();
  }();
  return found;
}

inline bool under_qemu() { return !emulator().empty(); }

/// How a shell starts a program for the machine of this one: qemu does not pass itself on.
inline std::string command_of(const std::string& program) {
  return under_qemu() ? emulator() + " " + program : program;
}

/// A decorator: the case is skipped under qemu. `why` lives for ever.
struct not_under_qemu {
  const char* why;
  explicit not_under_qemu(const char* reason) : why(reason) {}
  void fill(doctest::detail::TestCase& of) const {
    if (!under_qemu()) return;
    of.m_skip = true;
    of.m_description = why;
  }
};

/// Why no deadlock is certain there.
inline constexpr const char* emulator_thread =
    "it has a thread of its own, of which nobody can tell whether it wakes somebody";

/// True under qemu, and says what is left out for it.
inline bool qemu_lacks(const char* what) {
  if (!under_qemu()) return false;
  std::printf("SKIPPED under qemu: a part of a test: there is no %s\n", what);
  std::fflush(stdout);  // a child (in_child.hpp) ends without
  return true;
}

}  // namespace weft::test
