// SPDX-License-Identifier: BSL-1.0
#pragma once
// support/dumps.hpp - what tests look for in the text of dump_fibers, and whether it can be there.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <regex>
#include <string>
#include <thread>

#include <sys/syscall.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <weft/debug.hpp>

#include "debug/running_snapshot.hpp"
#include "os/os.hpp"
#include "support/emulator.hpp"
#include "support/runtimes.hpp"

namespace weft::test {

inline bool matches(const std::string& text, const std::string& pattern) {
  return std::regex_search(text, std::regex(pattern));
}

/// The paragraph that has `words` in its first line; empty: none.
inline std::string paragraph(const std::string& dump, const std::string& words) {
  for (std::size_t at = 0; at < dump.size();) {
    const std::size_t end = std::min(dump.find("\n\n", at), dump.size());
    const std::string p = dump.substr(at, end - at);
    if (p.substr(0, p.find('\n')).find(words) != std::string::npos) return p;
    at = end + 2;
  }
  return {};
}

// A dump in which that paragraph is: fibers need a moment to get where they are going.
inline std::string paragraph_of(const std::string& words, const std::string& pattern) {
  std::string p;
  until([&] { return matches(p = paragraph(weft::debug::dump_fibers(), words), pattern); });
  return p;
}

/// False where /proc/self/task/N/syscall shows the numbers of the machine an emulator runs on. Then
/// it is not known which calls go on after a signal, and threads that sleep in one are left alone.
inline bool knows_system_calls() {
  int ends[2] = {-1, -1};
  REQUIRE(pipe(ends) == 0);
  std::atomic<pid_t> thread{0};
  std::jthread reads([&] {
    thread = os::thread_id();
    char some = 0;
    CHECK(read(ends[0], &some, 1) == 0);
  });
  long call = -1;
  until([&] {
    if (thread != 0) call = detail::where_in_kernel(thread).call;
    return call >= 0;
  });
  close(ends[1]);
  reads.join();
  close(ends[0]);
  return call == SYS_read || !qemu_lacks("/proc/self/task/N/syscall with the guest's numbers");
}

}  // namespace weft::test
