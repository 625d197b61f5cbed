// SPDX-License-Identifier: BSL-1.0
// unit/process_test.cpp - child processes: pipes, environment, directory, ends, none left behind.
#include <weft/process.hpp>

#include <chrono>
#include <csignal>
#include <optional>
#include <string>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <weft/weft.hpp>

#include "support/agents.hpp"
#include "support/descriptors.hpp"
#include "support/emulator.hpp"
#include "support/runtimes.hpp"

using namespace std::chrono_literals;
using namespace weft::test;
using weft::process;
using weft::stdio;

namespace {

weft::process_options shell(const std::string& command) {
  return {.program = "sh", .arguments = {"-c", command}};
}

}  // namespace

TEST_CASE("process: what it is given and what it says, through pipes") {
  on_all_agents([](agents& a) {
    for (int i = 0; i < 2; ++i)
      a.start([] {
        process sort({.program = "sort",
                      .arguments = {"-r"},
                      .input = stdio::pipe,
                      .output = stdio::pipe,
                      .error = stdio::null});
        sort.input().write_all({"a\n", "c\n", "b\n"});
        sort.input().close();
        REQUIRE(read_all(sort.output()) == "c\nb\na\n");
        REQUIRE(sort.wait().success());
        REQUIRE(sort.wait().code() == 0);  // again
      });
    a.join();
  });
}

TEST_CASE("process: environment, directory, error, and all three streams") {
  each_fiber([] {
    auto o = shell("echo $COLOUR; pwd; echo oops >&2; exit 3");
    o.environment = {"COLOUR=green", "PATH=/usr/bin:/bin"};
    o.directory = "/tmp";
    o.input = stdio::null;
    o.output = o.error = stdio::pipe;
    process p(o);
    CHECK(read_all(p.output()) == "green\n/tmp\n");
    CHECK(read_all(p.error()) == "oops\n");
    const auto end = p.wait();
    CHECK(end.exited());
    CHECK(end.code() == 3);
    CHECK(!end.success());
    CHECK(!p.input().is_open());
  });
}

TEST_CASE("process: deadlines, and ends by signal") {
  each_fiber([] {
    process p(shell("exec sleep 1000"));
    CHECK(!p.wait_for(1ms));
    std::stop_source stop;
    stop.request_stop();
    CHECK(!p.wait(stop.get_token()));
    auto waiting = weft::spawn([&] { return p.wait().signal(); });
    until([&] { return is_parked(waiting); });
    p.terminate();
    CHECK(waiting.join() == SIGTERM);
    const auto end = p.wait();
    CHECK(!end.exited());
    CHECK(end.code() == 128 + SIGTERM);
    p.terminate();  // nothing happens
    process q(shell("exec sleep 1000"));
    q.kill();
    CHECK(q.wait().signal() == SIGKILL);
  });
}

TEST_CASE("process: its end is a case of a select") {
  each_fiber([] {
    auto o = shell("read line");
    o.input = stdio::pipe;
    process p(o);
    weft::select(weft::on_readable(p.ended(), [] { FAIL("it waits for input"); }),
                 weft::on_timeout(1ms, [] {}));
    p.input().close();
    bool ended = false;
    weft::select(weft::on_readable(p.ended(), [&] { ended = true; }));
    CHECK(ended);
    CHECK(p.wait().exited());
  });
}

TEST_CASE("process: no zombie is left, and no descriptor") {
  each_fiber([] {
    pid_t id = 0;
    {
      process p(shell("exec sleep 1000"));
      id = p.id();
    }
    CHECK(::waitpid(id, nullptr, WNOHANG) == -1);
    CHECK(::kill(id, 0) == -1);
    {
      process p(shell("exec sleep 1000"));
      id = p.id();
      p.detach();
    }
    CHECK(::kill(id, SIGKILL) == 0);
    CHECK(::waitpid(id, nullptr, 0) == id);
    // A child has its three, ls one more, and what this process was given by others.
    int inherited = 0;
    for (int i = 3; i < 1024; ++i) {
      const int flags = ::fcntl(i, F_GETFD);
      inherited += flags >= 0 && (flags & FD_CLOEXEC) == 0;
    }
    auto o = shell("ls /proc/self/fd | wc -l");
    o.output = stdio::pipe;
    process p(o);
    CHECK(std::stoi(read_all(p.output())) <= 5 + inherited);
  });
}

TEST_CASE("process: signals that are blocked here are not in the child") {
  sigset_t term, before;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &term, &before);
  each_fiber([] {
    process p(shell("exec sleep 1000"));
    p.terminate();
    CHECK(p.wait().signal() == SIGTERM);
  });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST_CASE("process: a text with a zero byte is refused, not cut") {
  using namespace std::string_literals;
  each_fiber([] {
    const auto check_refused = [](const weft::process_options& o) {
      CHECK_THROWS_WITH_AS(process{o}, doctest::Contains("zero byte"), std::system_error);
    };
    check_refused({.program = "true\0x"s});
    check_refused({.program = "true", .arguments = {"a", "b\0c"s}});
    check_refused({.program = "true", .environment = std::vector{"NAME=va\0lue"s}});
    check_refused({.program = "true", .directory = "/tmp\0x"s});
  });
}

TEST_CASE("process: what cannot be started is told" *
          not_under_qemu("its vfork(2) is a fork, so posix_spawn(3) never tells of errors")) {
  each_fiber([] {
    CHECK_THROWS_WITH_AS(process({.program = "no-such-program-anywhere", .input = stdio::pipe}),
                         doctest::Contains("no-such-program-anywhere"), std::system_error);
    CHECK_THROWS_WITH_AS(process({.program = "true", .directory = "/no/such/folder"}),
                         doctest::Contains("in the directory /no/such/folder"), std::system_error);
  });
}
