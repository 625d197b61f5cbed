// SPDX-License-Identifier: BSL-1.0
// test/trace/inspect_test.cpp - the diagnostics port: who may ask, what the process may be doing
// meanwhile, and what a tool that misbehaves does to it. This process asks itself, through the
// tool's own side.
#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/weft.hpp>

#include "commands/inspect.hpp"
#include "debug/inspect.hpp"
#include "support/runtimes.hpp"

extern char** environ;

namespace {

using weft::detail::make_tool_request;
using weft::detail::port_address;

std::string ask(const std::string& question, pid_t pid = getpid()) {
  weft::tools::inspection what;
  what.pid = pid;
  what.question = question;
  what.patience = std::chrono::seconds(60);  // a hang is what fails
  return weft::tools::inspect(what);
}
std::string refusal(const weft::tools::inspection& what) try {
  return "answered: " + weft::tools::inspect(what);
} catch (const std::runtime_error& e) {
  return e.what();
}

weft::options two_workers(const std::string& name = "weft") {
  weft::options o;
  o.workers = 2;
  o.name = name;
  return o;
}

// Without those that workers keep of /proc/self/task/N/stat: a worker may start at any time.
std::size_t open_files() {
  std::size_t n = 0;
  for (const auto& file : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    n += std::filesystem::read_symlink(file.path(), gone).filename() != "stat" && !gone ? 1 : 0;
  }
  return n;
}
std::size_t answering_threads() {
  std::size_t n = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::ifstream(task.path() / "comm") >> name;
    n += name == "weft-inspect" ? 1 : 0;
  }
  return n;
}

/// A tool as badly behaved as the test wants.
class raw_tool {
 public:
  raw_tool() : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const port_address here(tool_request_);
    REQUIRE(bind(fd_, here.get(), here.size) == 0);
    REQUIRE(listen(fd_, 4) == 0);
  }
  ~raw_tool() { close(fd_); }
  void tool_request() const {
    sigval with;
    with.sival_ptr = reinterpret_cast<void*>(tool_request_);
    REQUIRE(sigqueue(getpid(), SIGURG, with) == 0);
  }
  [[nodiscard]] int accepted() const { return accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC); }
  [[nodiscard]] std::uint64_t value() const { return tool_request_; }

 private:
  static std::uint64_t next() {
    static std::atomic<std::uint64_t> n{static_cast<std::uint64_t>(getpid()) << 16};
    return ++n;
  }
  const std::uint64_t tool_request_ = make_tool_request(next());
  int fd_;
};

}  // namespace

TEST_CASE(
    "DIAG: answers while every worker computes, and while every worker is blocked in the kernel") {
  weft::runtime rt(two_workers("busy"));
  std::atomic<bool> go_on{true};
  std::atomic<int> running{0};
  std::vector<weft::fiber<void>> all;
  for (int i = 0; i < 4; ++i)
    all.push_back(rt.spawn([&] {
      ++running;
      while (go_on.load(std::memory_order_relaxed)) {
      }
    }));
  weft::test::until([&] { return running == 4; });
  CHECK(ask("runtimes").find("runtime \"busy\": 2 workers, 4 fibers\n") != std::string::npos);
  go_on = false;
  for (auto& f : all) f.join();
  all.clear();

  int pipe_ends[2];
  REQUIRE(pipe(pipe_ends) == 0);
  for (int i = 0; i < 4; ++i)
    all.push_back(rt.spawn([&] {
      ++running;
      char c;
      CHECK(read(pipe_ends[0], &c, 1) == 1);
    }));
  weft::test::until([&] { return running == 8; });
  CHECK(ask("runtimes").find("4 fibers\n") != std::string::npos);
  CHECK(write(pipe_ends[1], "1234", 4) == 4);
  for (auto& f : all) f.join();
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

TEST_CASE("DIAG: one answer for several runtimes; the next one, when one has ended") {
  weft::runtime a(two_workers("first"));
  {
    weft::runtime b(two_workers("second"));
    const std::string both = ask("runtimes");
    CHECK(both.find("\"first\"") != std::string::npos);
    CHECK(both.find("\"second\"") != std::string::npos);
  }
  const std::string one = ask("runtimes");
  CHECK(one.find("\"first\"") != std::string::npos);
  CHECK(one.find("\"second\"") == std::string::npos);
}

TEST_CASE("DIAG: a question it does not know is answered with those it does") {
  const weft::runtime rt(two_workers());
  const std::string text = refusal(
      {.pid = getpid(), .question = "nonsense about things", .patience = std::chrono::seconds(60)});
  CHECK(text.find("cannot answer \"nonsense\"") != std::string::npos);
  CHECK(text.find("runtimes") != std::string::npos);
  CHECK(ask("help").find("version") != std::string::npos);
}

TEST_CASE("DIAG: a hundred questions, then thirty at a time; nothing stays open") {
  const weft::runtime rt(two_workers());
  REQUIRE(ask("version").starts_with("weft "));
  weft::test::until([] { return answering_threads() == 0; });
  const std::size_t files = open_files();
  for (int i = 0; i < 100; ++i) REQUIRE(ask("runtimes").starts_with("runtime"));
  std::atomic<int> answered{0};
  const weft::tools::inspection all_together{
      .pid = getpid(), .question = "runtimes", .patience = std::chrono::seconds(60)};
  {
    std::vector<std::jthread> tools;
    for (int i = 0; i < 30; ++i)  // more than there is room for: DIAG-2
      tools.emplace_back(
          [&] { answered += refusal(all_together).starts_with("answered: runtime") ? 1 : 0; });
  }
  CHECK(answered == 30);
  // a thread that has not got its name yet has its descriptor
  weft::test::until([&] { return answering_threads() == 0 && open_files() == files; });
}

TEST_CASE("DIAG-3: tools that die in the middle") {
  const weft::runtime rt(two_workers());
  REQUIRE(ask("version").starts_with("weft "));
  weft::test::until([] { return answering_threads() == 0; });
  const std::size_t files = open_files();
  {
    const raw_tool silent, half, deaf;
    for (const raw_tool* t : {&silent, &half, &deaf}) t->tool_request();
    const int s = silent.accepted();
    close(s);
    const int h = half.accepted();
    CHECK(write(h, "runti", 5) == 5);
    close(h);
    const int d = deaf.accepted();
    CHECK(write(d, "help\n", 5) == 5);
    close(d);
  }
  {
    const raw_tool gone;  // before anybody could connect
    gone.tool_request();
  }
  // a thread that has not got its name yet has its descriptor
  weft::test::until([&] { return answering_threads() == 0 && open_files() == files; });
  CHECK(ask("version").starts_with("weft "));
}

// Each byte came in time for the next read; the question as a whole never did.
TEST_CASE("DIAG-3: a tool that sends a byte now and then is left alone in the end") {
  const weft::runtime rt(two_workers());
  weft::test::until([] { return answering_threads() == 0; });
  const raw_tool slow;
  slow.tool_request();
  const int s = slow.accepted();
  weft::test::until([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    return send(s, "x", 1, MSG_NOSIGNAL) != 1;  // it has closed its end
  });
  close(s);
  weft::test::until([] { return answering_threads() == 0; });
}

TEST_CASE("DIAG-1: nothing is told to another user") {
  if (geteuid() != 0) {
    MESSAGE("only root can be two users");
    return;
  }
  const weft::runtime rt(two_workers());
  constexpr uid_t nobody = 65534;
  int told[2];
  REQUIRE(pipe(told) == 0);
  // The kernel notes whose a listener is when it begins to listen; so this child makes its own, and
  // this process, who may, requests on its behalf.
  const std::uint64_t tool_request =
      make_tool_request(0x5eed0000 + static_cast<std::uint64_t>(getpid()));
  const pid_t child = fork();
  if (child == 0) {
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    const port_address here(tool_request);
    if (setuid(nobody) != 0 || bind(fd, here.get(), here.size) != 0 || listen(fd, 1) != 0)
      _exit(90);
    if (::write(told[1], "x", 1) != 1) _exit(91);
    const int peer = accept(fd, nullptr, nullptr);
    static_cast<void>(send(peer, "help\n", 5, MSG_NOSIGNAL));
    char c;
    _exit(recv(peer, &c, 1, 0) > 0 ? 1 : 0);
  }
  char c;
  REQUIRE(read(told[0], &c, 1) == 1);
  sigval with;
  with.sival_ptr = reinterpret_cast<void*>(tool_request);
  REQUIRE(sigqueue(getpid(), SIGURG, with) == 0);
  int status = -1;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  close(told[0]);
  close(told[1]);
}

TEST_CASE("the tool: strangers, the dead, other users, and who falls silent") {
  weft::tools::inspection what{.pid = 0x7ffffff0, .question = "help"};
  CHECK(refusal(what).find("there is no such process") != std::string::npos);

  const char* const arguments[] = {"sleep", "1000", nullptr};
  REQUIRE(posix_spawnp(&what.pid, "sleep", nullptr, nullptr, const_cast<char* const*>(arguments),
                       environ) == 0);
  // Under qemu, whose vfork(2) is a fork, it may still be on its way there.
  weft::test::until([&] {
    std::string name;
    std::ifstream("/proc/" + std::to_string(what.pid) + "/comm") >> name;
    return name == "sleep";
  });
  CHECK(refusal(what).find("it is no weft program") != std::string::npos);
  CHECK(waitpid(what.pid, nullptr, WNOHANG) == 0);  // lives
  if (geteuid() == 0) {
    const pid_t child = fork();
    if (child == 0)
      _exit(setuid(65534) != 0 || refusal(what).find("it belongs to user 0") == std::string::npos
                ? 1
                : 0);
    int status = -1;
    waitpid(child, &status, 0);
    CHECK(status == 0);
  }
  kill(what.pid, SIGKILL);
  weft::test::until([&] { return refusal(what).find("zombie") != std::string::npos; });
  waitpid(what.pid, nullptr, 0);
  CHECK(refusal(what).find("there is no such process") != std::string::npos);
}

namespace {
std::atomic<std::uint64_t> heard{0};
void hear(int, siginfo_t* info, void*) {
  heard = reinterpret_cast<std::uintptr_t>(info->si_value.sival_ptr);
}

// While it lives the tool that asks by SIGUSR1 is heard.
class hearing {
 public:
  hearing() {
    struct sigaction mine{};
    mine.sa_sigaction = hear;
    mine.sa_flags = SA_SIGINFO | SA_RESTART;
    REQUIRE(sigaction(SIGUSR1, &mine, &before_) == 0);
  }
  ~hearing() { sigaction(SIGUSR1, &before_, nullptr); }
  hearing(const hearing&) = delete;
  hearing& operator=(const hearing&) = delete;

 private:
  struct sigaction before_{};
};

// A connection to the tool, once it is heard.
int connected_to_tool() {
  weft::test::until([] { return heard != 0; });
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  const port_address there(heard);
  CHECK(connect(fd, there.get(), there.size) == 0);
  return fd;
}
}  // namespace

TEST_CASE("the tool: no answer, half an answer, and one it does not understand") {
  const hearing now;
  weft::tools::inspection what{.pid = getpid(),
                               .question = "help",
                               .signal = SIGUSR1,
                               .patience = std::chrono::milliseconds(500)};
  CHECK(refusal(what).find("no answer in 500 ms") != std::string::npos);

  what.patience = std::chrono::seconds(60);
  const auto answered_with = [&](const std::string& answer) {
    heard = 0;
    const std::jthread other([&] {
      const int fd = connected_to_tool();
      char line[16];
      CHECK(recv(fd, line, sizeof line, 0) == 5);
      CHECK(send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(answer.size()));
      close(fd);
    });
    return refusal(what);
  };
  CHECK(answered_with("ok 10\n0123456789") == "answered: 0123456789");
  CHECK(answered_with("ok 11\n0123456789").find("10 of 11 bytes") != std::string::npos);
  CHECK(answered_with("error 3\nnot").find("not") != std::string::npos);
  CHECK(answered_with("hello\n").find("another version") != std::string::npos);
  CHECK(answered_with("").find("it ended, or would not answer") != std::string::npos);
}

TEST_CASE("the tool: a process may take its time to end what it was told to end") {
  const hearing now;
  weft::tools::inspection what{.pid = getpid(),
                               .question = "trace",
                               .signal = SIGUSR1,
                               .patience = std::chrono::seconds(60)};
  heard = 0;
  const std::jthread other([&] {
    const int fd = connected_to_tool();
    char line[16];
    CHECK(recv(fd, line, sizeof line, 0) == 6);
    CHECK(send(fd, "ok 5\nbegan", 10, MSG_NOSIGNAL) == 10);
    CHECK(recv(fd, line, sizeof line, 0) == 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    CHECK(send(fd, "ok 5\nended", 10, MSG_NOSIGNAL) == 10);
    close(fd);
  });
  const auto began = [&](const std::string& text, int) {
    CHECK(text == "began");
    what.patience = std::chrono::milliseconds(1);
  };
  CHECK(weft::tools::inspect_while(what, began) == "ended");
}
