// SPDX-License-Identifier: BSL-1.0
#pragma once
// test/trace/command.hpp - weft-trace and the programs it is tried with, run by the shell.
#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

#include "support/emulator.hpp"

namespace weft::test {

struct result {
  int status = 0;
  std::string out;
};
// stdout and stderr together.
inline result run(const std::string& command) {
  std::FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  result r{0, {}};
  std::array<char, 4096> some;
  while (const std::size_t n = std::fread(some.data(), 1, some.size(), pipe))
    r.out.append(some.data(), n);
  const int status = pclose(pipe);
  r.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return r;
}

inline const std::string tool = command_of(WEFT_TRACE_TOOL),
                         program = command_of(WEFT_KNOWN_PROGRAM);

struct directory {
  directory()
      : path((std::filesystem::temp_directory_path() / ("weft-command-" + std::to_string(getpid())))
                 .string()) {
    std::filesystem::create_directories(path);
  }
  ~directory() { std::filesystem::remove_all(path); }
  [[nodiscard]] std::string file(const std::string& name) const { return path + "/" + name; }
  const std::string path;
};

}  // namespace weft::test
