// SPDX-License-Identifier: BSL-1.0
// test/trace/usage_test.cpp - weft-trace's command line, running processes, and names that do not
// fit into a line.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <pty.h>
#include <spawn.h>
#include <sys/resource.h>

#include "base/sanitizers.hpp"
#include "trace/command.hpp"

extern char** environ;

using namespace weft::test;

namespace {

// The program, ready; it goes on until its input ends.
class running_program {
 public:
  running_program() {
    int in[2], out[2];
    REQUIRE(pipe2(in, O_CLOEXEC) == 0);
    REQUIRE(pipe2(out, O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    std::vector<std::string> words{WEFT_KNOWN_PROGRAM, "stay"};
    if (under_qemu()) words.insert(words.begin(), emulator());
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    REQUIRE(posix_spawn(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    input_ = in[1];
    char some[16];
    const bool ready = read(out[0], some, sizeof some) > 0;
    close(out[0]);
    REQUIRE(ready);
  }
  ~running_program() { static_cast<void>(end()); }
  running_program(const running_program&) = delete;
  running_program& operator=(const running_program&) = delete;

  [[nodiscard]] std::string pid() const { return std::to_string(pid_); }
  int end() {
    if (input_ < 0) return -1;
    close(input_);
    input_ = -1;
    int status = -1;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
  }

 private:
  pid_t pid_ = 0;
  int input_ = -1;
};

}  // namespace

TEST_CASE("weft-trace: a wrong command line ends with 2 and says what was meant") {
  for (const auto& [arguments, text] : std::map<std::string, std::string>{
           {"", "which command?"},
           {"reprot a.trace", "there is no command 'reprot'; did you mean 'report'?"},
           {"sails", "there is no command 'sails'\n"},
           {"report --no-bar a.trace", "there is no option --no-bar; did you mean '--no-bars'?"},
           {"report --weather a.trace", "there is no option --weather\n"},
           {"report", "FILE is required"},
           {"record -o x", "either a program, after --, or --pid PID"},
           {"record --pid 1 -- true", "either a program, after --, or --pid PID"},
           {"profile --pid 1 --seconds -1", "--seconds must be more than 0"},
           {"record --pid 1 --seconds 0", "--seconds must be more than 0"},
           {"record --pid 1 --seconds nan", "--seconds must be more than 0"},
           {"record --seconds 1 -- true", "--seconds requires --pid"},
           {"record --signal 12 -- true", "--signal requires --pid"},
           {"profile --hertz 7 -- true", "--hertz requires --pid"},
           {"profile --pid 1 --hertz 1001", "--hertz: "},
           {"record -o '' -- true", "the file has no name"},
           {"ask 1 help --signal 65", "--signal: "},
           {"ask 1 help --timeout 0", "--timeout: "},
           {"report -n -1 a.trace", "--rows: "},
           {"timeline --limit -1 a.trace", "--limit: "},
           {"timeline --from 3h a.trace", "--from takes a time"},
           {"timeline --from 2ms --to 1ms a.trace", "--from must be before --to"},
           {"dump twelve", "PID"}}) {
    const result r = run(tool + " " + arguments);
    const std::string &a = arguments, &t = text;  // clang 14 captures no structured binding
    CAPTURE(a);
    CAPTURE(r.out);
    CHECK(r.status == 2);
    CHECK(r.out.find(t) != std::string::npos);
    CHECK(r.out.find("--help shows how it is used") != std::string::npos);
  }
  CHECK(run(tool + " --version").status == 0);
  CHECK(run(tool + " flame --help").status == 0);
}

TEST_CASE("weft-trace record: a program without weft") {
  const directory d;
  for (const char* command : {"record", "profile"}) {
    const result r = run(tool + " " + command + " -o " + d.file("a") + " -- sh -c 'exit 7'");
    CAPTURE(r.out);
    CHECK(r.status == 7);
    CHECK(r.out.find("it is no weft program, or it has started no runtime") != std::string::npos);
  }
  const result good = run(tool + " record -o " + d.file("b") + " -- " + program + " names");
  CHECK(good.out == "");
}

TEST_CASE("weft-trace record: no program, no file, a device") {
  const directory d;
  for (const char* name : {"/no/such/program", "no-such-program", "/"}) {
    const result r = run(tool + " record -o " + d.file("a") + " -- " + name);
    CAPTURE(r.out);
    CHECK(r.out.starts_with(std::string("weft-trace: cannot run ") + name + ": "));
    CHECK(std::count(r.out.begin(), r.out.end(), '\n') == 1);  // it did not end, too
  }
  const std::string none = d.file("none/a");
  const result r = run(tool + " record -o " + none + " -- sh -c 'exit 7'");
  CHECK(r.status == 7);
  CHECK(r.out.find(none + ": it cannot be written: No such file or directory") !=
        std::string::npos);
  CHECK(run(tool + " record -o /dev/null -- " + program + " names").out == "");
}

TEST_CASE("weft-trace record: no program, and no process to watch for its end") {
  if (WEFT_TSAN || under_qemu()) {
    MESSAGE("they make threads of their own, which the limit counts");
    return;
  }
  // the search for leaks makes a process, too
  const std::string command =
      "export ASAN_OPTIONS=detect_leaks=0; exec " + tool + " record -o /a -- /no/such/program 2>&1";
  // the first fork fails, then the second one
  for (const rlim_t most : {1, 2}) {
    int out[2];
    REQUIRE(pipe(out) == 0);
    const pid_t child = fork();
    if (child == 0) {
      // A user who has no other processes: the limit is none for root.
      const rlimit limit{most, most};
      if (setuid(0x5eed0000 + static_cast<uid_t>(getpid())) != 0 ||
          access(WEFT_TRACE_TOOL, X_OK) != 0 || dup2(out[1], STDOUT_FILENO) < 0)
        _exit(77);
      close(out[0]);
      close(out[1]);
      setrlimit(RLIMIT_NPROC, &limit);
      execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      _exit(127);
    }
    close(out[1]);
    std::string said;
    char some[4096];
    for (ssize_t n; (n = read(out[0], some, sizeof some)) > 0;)
      said.append(some, static_cast<std::size_t>(n));
    close(out[0]);
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
      MESSAGE("only root can be a user without processes");
      return;
    }
    CAPTURE(said);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 1);
    CHECK(said.starts_with("weft-trace: cannot run /no/such/program: "));
  }
}

TEST_CASE("weft-trace record: the first process of a container has no child") {
  const directory d;
  const std::string container = "unshare --user --map-root-user --pid --fork ";
  if (under_qemu() || run(container + "true").status != 0) {
    MESSAGE("no process may be the first of a namespace here");
    return;
  }
  const std::string rest = tool + " record -o " + d.file("a") + " -- " + program + " children";
  CHECK(run(container + rest).out == "no child\n");
}

TEST_CASE("weft-trace: what could not be printed is an error, not an end") {
  const directory d;
  running_program process;
  const std::string t = d.file("a.trace");
  REQUIRE(run(tool + " record -o " + t + " -- " + program + " names").status == 0);
  for (const std::string& command : std::initializer_list<std::string>{
           "ask " + process.pid() + " help", "dump " + process.pid(),
           "top --once -i 10 " + process.pid(), "top --batch -n 2 -i 10 " + process.pid(),
           "timeline " + t, "report " + t, "dump-events " + t, "lines " + t, "--help", "--version",
           "top --help"}) {
    // stdout to the device, stderr to the test
    const result r = run("{ " + tool + " " + command + " 2>&1 >/dev/full; }");
    CAPTURE(command);
    CAPTURE(r.out);
    CHECK(r.status == 1);
    CHECK(r.out.find("standard output: No space left on device") != std::string::npos);
  }
  CHECK(process.end() == 0);
  CHECK(run("{ " + tool + " report none 2>/dev/full; }").status == 1);  // nor is this a crash
  CHECK(run("{ " + tool + " reprot none 2>/dev/full; }").status == 2);
}

TEST_CASE("weft-trace top: keys that come together are all taken") {
  running_program process;
  const std::string command = "exec " + tool + " top -i 600000 " + process.pid();
  int terminal = -1;
  const pid_t child = forkpty(&terminal, nullptr, nullptr, nullptr);
  REQUIRE(child >= 0);
  if (child == 0) {
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  std::string seen;
  char some[4096];
  bool asked = false;
  for (ssize_t n; (n = read(terminal, some, sizeof some)) > 0;) {
    seen.append(some, static_cast<std::size_t>(n));
    if (asked || seen.find("LONGEST WAITS") == std::string::npos) continue;
    asked = write(terminal, "\x1b[B\x1b[Bq", 7) == 7;  // down, down, quit
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  close(terminal);
  CAPTURE(seen);
  CHECK(asked);
  CHECK(status == 0);
}

TEST_CASE("weft-trace: closed streams do not end in the file that is written") {
  const directory d;
  const std::string t = d.file("a.trace"), page = d.file("a.html");
  REQUIRE(run(tool + " record -o " + t + " -- " + program + " names").status == 0);
  const std::string command = tool + " timeline --limit 1 " + t + " -o " + page;
  CHECK(run("{ " + command + " 0<&- >&- 2>&-; }").status == 1);
  CHECK(run("tail -c 8 " + page).out == "</html>\n");
  CHECK(run("grep -c 'weft-trace: the page' " + page).out == "0\n");
}

TEST_CASE("weft-trace lines: the output may be the input") {
  const directory d;
  const std::string f = d.file("a");
  REQUIRE(run("echo 'main (/no/such/module+0x12) 3' >" + f).status == 0);
  CHECK(run(tool + " lines " + f + " -o " + f).status == 0);
  CHECK(run("cat " + f).out == "main (/no/such/module+0x12) 3\n");
  CHECK(run(tool + " lines " + d.file("none") + " -o " + f).status == 1);
  CHECK(std::filesystem::file_size(f) > 0);
  CHECK(run(tool + " lines " + d.path).out.find(d.path + ": Is a directory") != std::string::npos);
}

TEST_CASE("weft-trace record --pid, profile --pid: a running process, which goes on") {
  const directory d;
  running_program process;
  for (int round = 0; round < 2; ++round) {
    const std::string t = d.file("a" + std::to_string(round));
    result r = run(tool + " record --pid " + process.pid() + " --seconds 0.3 -o " + t);
    CAPTURE(r.out);
    CHECK(r.status == 0);
    CHECK(r.out.find("it records into " + t) != std::string::npos);
    CHECK(r.out.find("bytes were written, 0 events dropped") != std::string::npos);
    r = run(tool + " report --no-bars " + t);
    CHECK(r.status == 0);
    CHECK(r.out.find("the trace ends") == std::string::npos);
    CHECK(r.out.find("  event ") != std::string::npos);  // what its fibers wait for
  }
  // on a busy machine it may get no CPU in that time
  for (int i = 0; i < 20 && (i == 0 || std::filesystem::file_size(d.file("p")) == 0); ++i) {
    const result p =
        run(tool + " profile --pid " + process.pid() + " --seconds 0.5 -o " + d.file("p"));
    CAPTURE(p.out);
    CHECK(p.status == 0);
    CHECK(p.out.find("samples of") != std::string::npos);
  }
  CHECK(std::filesystem::file_size(d.file("p")) > 0);
  // in a directory that is not there
  const result no =
      run(tool + " record --pid " + process.pid() + " --seconds 1 -o " + d.file("none/a"));
  CHECK(no.status == 1);
  CHECK(no.out.find("No such file or directory") != std::string::npos);
  CHECK(process.end() == 0);
}

TEST_CASE("weft-trace record --pid: ended by a signal; and the process ends first") {
  const directory d;
  running_program process;
  // `end` is done once the tool has said that the process records
  const auto record = [&](const std::string& file, const std::string& end) {
    const std::string said = d.file("said");
    return run("{ " + tool + " record --pid " + process.pid() + " -o " + file + " 2>" + said +
               " & tool=$!; for i in $(seq 600); do grep -q 'it records' " + said +
               " && break; sleep 0.1; done; " + end + "; wait $tool; s=$?; cat " + said +
               "; exit $s; }");
  };
  result r = record(d.file("a"), "kill -INT $tool");
  CAPTURE(r.out);
  CHECK(r.status == 0);
  CHECK(r.out.find("bytes were written") != std::string::npos);
  CHECK(run(tool + " report " + d.file("a")).status == 0);

  const result last = record(d.file("b"), "kill " + process.pid());
  CAPTURE(last.out);
  CHECK(last.status == 0);
  CHECK(last.out.find("has ended") != std::string::npos);
}

TEST_CASE("weft-trace flame --cpu: what ran, and where it was preempted") {
  const directory d;
  const std::string t = d.file("a.trace");
  REQUIRE(run(tool + " record -o " + t + " -- " + program + " hog").status == 0);
  const result r = run(tool + " flame --cpu " + t);
  CHECK(r.status == 0);
  std::istringstream lines(r.out);
  // the wrappers of the sanitizers are deeper than what is kept of the stack
  const std::string call = ";(anonymous namespace)::spin_in_here() (known_program.cpp:";
  long ran = 0;
  for (std::string line; std::getline(lines, line);)
    if (WEFT_ASAN || WEFT_TSAN || line.find(call) != std::string::npos)
      ran += std::stol(line.substr(line.rfind(' ') + 1));
  CHECK(ran >= 150'000'000L);  // six of 150 ms each, on two workers
}

TEST_CASE("names with line breaks, quotes and UTF-8: one line in every text, whole in JSON") {
  const directory d;
  const std::string t = d.file("a.trace");
  REQUIRE(run(tool + " record -o " + t + " -- " + program + " names").status == 0);
  const std::string shown = "two\\nlines;\"caf\u00e9\"\\xff";
  const result report = run(tool + " report --no-bars " + t);
  CHECK(report.out.find(shown) != std::string::npos);
  CHECK(report.out.find("\nlines") == std::string::npos);
  const result flame = run(tool + " flame " + t);
  CHECK(flame.out.find("two\\nlines,\"caf\u00e9\"\\xff;sleep ") != std::string::npos);
  CHECK(run(tool + " dump-events " + t).out.find("\nlines") == std::string::npos);
  const result json = run(tool + " convert --perfetto " + t);
  std::set<std::string> tracks;
  const nlohmann::json parsed = nlohmann::json::parse(json.out);
  for (const auto& e : parsed["traceEvents"])
    if (e["ph"] == "M") tracks.insert(e["args"]["name"].get<std::string>());
  const bool there = std::any_of(tracks.begin(), tracks.end(), [&](const std::string& name) {
    return name.find(shown) != std::string::npos;
  });
  CHECK(there);
}
