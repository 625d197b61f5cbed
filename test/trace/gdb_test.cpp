// SPDX-License-Identifier: BSL-1.0
// test/trace/gdb_test.cpp - gdb with the script the library carries: fibers of a live process, and
// of its core file. Programs of another machine run in an emulator, and gdb asks that.
#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <unistd.h>

#include "support/emulator.hpp"

namespace {

struct directory {
  directory()
      : path(std::filesystem::temp_directory_path() / ("weft-gdb-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(path);
  }
  ~directory() { std::filesystem::remove_all(path); }
  const std::filesystem::path path;
};

std::string run(const std::string& command) {
  std::FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string out;
  std::array<char, 4096> some;
  while (const std::size_t n = std::fread(some.data(), 1, some.size(), pipe))
    out.append(some.data(), n);
  pclose(pipe);
  return out;
}

std::string gdb(const directory& d, const std::string& target,
                const std::vector<std::string>& commands) {
  const std::string script = (d.path / "commands").string();
  {
    std::ofstream out(script);
    out << "set pagination off\nset debuginfod enabled off\nset width 0\nhandle SIGURG nostop "
           "noprint pass\n";
    for (const std::string& c : commands) out << "python print('== " << c << "')\n" << c << "\n";
  }
  return run(WEFT_GDB " -nx -batch -iex 'set auto-load safe-path /' -x " + script + " " + target);
}

/// The same of `program`, from where it stops by itself on.
std::string gdb_live(const directory& d, const std::string& program,
                     const std::vector<std::string>& commands) {
  std::vector<std::string> all = {"run"};
  if (weft::test::under_qemu()) {
    const std::string socket = (d.path / "socket").string();
    std::filesystem::remove(socket);
    // Its server ends with gdb. It is ready when the kernel lists the socket as one that accepts.
    static_cast<void>(run("timeout 100 " + weft::test::emulator() + " -g " + socket + " " +
                          program +
                          " >/dev/null 2>&1 & for i in $(seq 1000); do grep -q ' 00010000 .* " +
                          socket + "$' /proc/net/unix && break; sleep 0.05; done"));
    all = {"target remote " + socket, "continue"};
  }
  all.insert(all.end(), commands.begin(), commands.end());
  return gdb(d, program, all);
}

/// What a command said.
std::string said(const std::string& all, const std::string& command) {
  const std::size_t at = all.find("== " + command + "\n");
  if (at == std::string::npos) return "";
  return all.substr(at, all.find("\n== ", at) - at);
}

bool has(const std::string& text, const std::string& what) {
  return text.find(what) != std::string::npos;
}

// An error ends gdb's command file: the question that brings one is the last.
const std::vector<std::string> about_fibers = {"info fibers",
                                               "fiber 2",
                                               "bt",
                                               "fiber 3",
                                               "bt 9",
                                               "fiber none",
                                               "bt 1",
                                               "info fibers locker",
                                               "fiber apply 2 3 bt 20",
                                               "fiber 1",
                                               "fiber 77"};
const std::vector<std::string> about_variables = {"fiber 2", "print local", "print numbers",
                                                  "print lock", "print *reader_handle"};

/// What needs no debug information.
void check_fibers(const std::string& all) {
  const std::string list = said(all, "info fibers");
  CHECK(has(list, "fiber 2 \"reader\", parked: channel_receive 0x"));
  CHECK(has(list, "fiber 3 \"locker\\n\\xff\\x00\", parked: mutex 0x"));
  CHECK(has(list, "fiber 1, running"));
  CHECK(has(said(all, "fiber 2"), "wait_in_here"));
  CHECK(has(said(all, "bt"), "wait_in_here"));
  CHECK(!has(said(all, "bt"), "jump_balanced"));
  CHECK(has(said(all, "bt"), "fiber_entry"));
  CHECK(!has(said(all, "bt"), "corrupt stack"));
  CHECK(has(said(all, "bt 9"), "lock_in_here"));
  CHECK(!has(said(all, "bt 1"), "lock_in_here"));
  CHECK(has(said(all, "info fibers locker"), "1 fibers"));
  CHECK(has(said(all, "fiber apply 2 3 bt 20"), "wait_in_here"));
  CHECK(has(said(all, "fiber apply 2 3 bt 20"), "lock_in_here"));
  CHECK(has(said(all, "fiber 1"), "[fiber 1, running]"));
  CHECK(has(said(all, "fiber 77"), "there is no fiber 77"));
}

void check_variables(const std::string& all) {
  CHECK(has(said(all, "print local"), "= 42"));
  CHECK(has(said(all, "print numbers"), "0 of 4 items, 1 waiting receivers"));
  CHECK(has(said(all, "print lock"), "locked"));
  CHECK(has(said(all, "print lock"), "waited for"));
  CHECK(has(said(all, "print *reader_handle"), "fiber 2 \"reader\", parked: channel_receive"));
}

/// A core file of `program` in `d`; empty: the system keeps none.
std::string core_of(const directory& d, const std::string& program) {
  static_cast<void>(run("cd " + d.path.string() + " && ulimit -c unlimited && " + program));
  for (const auto& entry : std::filesystem::directory_iterator(d.path))
    if (entry.path().filename().string().starts_with("core")) return entry.path().string();
  MESSAGE("the system keeps no core files here (kernel.core_pattern, ulimit -c)");
  return "";
}

const std::string stuck_program = WEFT_STUCK_PROGRAM, without_debug = stuck_program + "_release";

}  // namespace

TEST_CASE("gdb: fibers of a live process, and variables of weft's types") {
  const directory d;
  std::string all = gdb_live(d, stuck_program, about_fibers);
  CAPTURE(all);
  check_fibers(all);
  all = gdb_live(d, stuck_program, about_variables);
  check_variables(all);
}

TEST_CASE("gdb: fibers of a program without debug information") {
  const directory d;
  std::string all = gdb_live(d, without_debug, about_fibers);
  CAPTURE(all);
  check_fibers(all);
  all = gdb(d, without_debug, {"info fibers"});
  CHECK(has(all, "there is no process, and no core file"));
}

TEST_CASE("gdb: fibers of a core file, with debug information and without" *
          weft::test::not_under_qemu("its core files do not say where the program was loaded")) {
  const directory d;
  for (const std::string& program : {stuck_program, without_debug}) {
    const std::string core = core_of(d, program);
    if (core.empty()) return;
    const std::string all = gdb(d, program + " " + core, about_fibers);
    CAPTURE(all);
    check_fibers(all);
    std::filesystem::remove(core);
  }
}

TEST_CASE("gdb: a program that does not use weft") {
  const directory d;
  const std::string all = gdb(d, "/bin/true", {"source " WEFT_GDB_SCRIPT, "starti", "info fibers"});
  CAPTURE(all);
  CHECK(has(all, "the program does not use weft, or its symbol table was stripped"));
}
