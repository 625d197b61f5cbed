// SPDX-License-Identifier: BSL-1.0
// os/runnable_threads.cpp - the fourth number of /proc/loadavg.
#include "os/runnable_threads.hpp"

#include <charconv>

#include <fcntl.h>
#include <unistd.h>

#include "os/errno_guard.hpp"
#include "os/os.hpp"
#include "os/standard_streams.hpp"

namespace weft::os {
namespace {

int read_count(int file) noexcept {
  char text[64];
  const ssize_t n = ::pread(file, text, sizeof text, 0);
  return n > 0 ? parse_runnable_threads({text, static_cast<std::size_t>(n)}) : -1;
}

}  // namespace

int parse_runnable_threads(std::string_view text) noexcept {
  for (int i = 0; i < 3; ++i) {
    const std::size_t space = text.find(' ');
    if (space == text.npos) return -1;
    text.remove_prefix(space + 1);
  }
  int count = -1;
  const char* const end = text.data() + text.size();
  const auto [next, error] = std::from_chars(text.data(), end, count);
  return error == std::errc{} && next != end && *next == '/' && count >= 0 ? count : -1;
}

int runnable_threads::count() noexcept {
  if (const int pretended = test_hooks.runnable_threads.load(std::memory_order_relaxed);
      pretended >= 0)
    return pretended;
  if (test_hooks.no_proc.load(std::memory_order_relaxed)) return -1;
  const errno_guard keep;
  if (file_ >= 0)
    if (const int n = read_count(file_); n >= 0) return n;
  // the first time, or the program has closed what it does not know, and the number is another's
  file_ = ::open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
  if (file_ >= 0) file_ = above_standard_streams(file_);
  return file_ >= 0 ? read_count(file_) : -1;
}

runnable_threads::~runnable_threads() {
  const errno_guard keep;
  if (file_ >= 0 && read_count(file_) >= 0) ::close(file_);
}

}  // namespace weft::os
