// SPDX-License-Identifier: BSL-1.0
// net/process.cpp - weft::process: posix_spawn on the offload pool, the end by pidfd.
//
// The status is looked at without taking it (WNOWAIT), so that every waiter finds it; the
// destructor takes it. All goes by the pidfd: it names this child even if somebody else has taken
// its status.
#include <weft/process.hpp>

#include <cerrno>
#include <csignal>
#include <system_error>

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weft/offload.hpp>

#include "base/one_line.hpp"
#include "base/zero_byte.hpp"
#include "net/calls.hpp"
#include "net/file_calls.hpp"
#include "net/operation.hpp"
#include "os/errno_guard.hpp"
#include "os/standard_streams.hpp"
#include "sched/park.hpp"

namespace weft {
namespace {

constexpr auto by_pidfd = static_cast<idtype_t>(3);  // P_PIDFD, Linux 5.4

[[noreturn]] void refuse(int error, const std::string& what) {
  const std::error_code why(error, std::generic_category());
  throw std::system_error(why, "weft::process: " + what + detail::remedy_for(why));
}

// Of posix_spawn: its actions, or its attributes.
template <class T, int (*init)(T*), int (*destroy)(T*)>
struct prepared {
  prepared() {
    if (const int error = init(&it); error != 0) refuse(error, "preparing the child");
  }
  prepared(const prepared&) = delete;
  prepared& operator=(const prepared&) = delete;
  ~prepared() { destroy(&it); }
  T it;
};

// What the child does before exec.
class spawn_actions {
 public:
  spawn_actions() {
    sigset_t none;
    sigemptyset(&none);
    check(::posix_spawnattr_setsigmask(&attributes_.it, &none));
    check(::posix_spawnattr_setflags(&attributes_.it, POSIX_SPAWN_SETSIGMASK));
  }
  void enter(const std::string& directory) {
    if (!directory.empty())
      check(::posix_spawn_file_actions_addchdir_np(&actions_.it, directory.c_str()));
  }
  // As the child's `number`. dup2 of a number onto itself keeps close-on-exec: not in posix_spawn.
  void become(int ours, int number) {
    check(::posix_spawn_file_actions_adddup2(&actions_.it, ours, number));
  }
  void become_null(int number) {
    check(::posix_spawn_file_actions_addopen(&actions_.it, number, "/dev/null", O_RDWR, 0));
  }
  int start(const char* program, char* const* arguments, char* const* environment, pid_t& child) {
    return ::posix_spawnp(&child, program, &actions_.it, &attributes_.it, arguments, environment);
  }

 private:
  static void check(int error) {
    if (error != 0) refuse(error, "preparing the child");
  }
  prepared<posix_spawn_file_actions_t, ::posix_spawn_file_actions_init,
           ::posix_spawn_file_actions_destroy>
      actions_;
  prepared<posix_spawnattr_t, ::posix_spawnattr_init, ::posix_spawnattr_destroy> attributes_;
};

std::vector<char*> pointers_to(const std::vector<std::string>& texts, const char* first) {
  std::vector<char*> p;
  if (first != nullptr) p.push_back(const_cast<char*>(first));
  for (const std::string& t : texts) p.push_back(const_cast<char*>(t.c_str()));
  p.push_back(nullptr);
  return p;
}

// The child would get what is in front of a zero byte.
void check_texts(const process_options& o) {
  detail::refuse_zero_byte(o.program, "weft::process: the program's name");
  detail::refuse_zero_byte(o.directory, "weft::process: the directory");
  for (const std::string& a : o.arguments)
    detail::refuse_zero_byte(a, "weft::process: an argument");
  if (o.environment)
    for (const std::string& v : *o.environment)
      detail::refuse_zero_byte(v, "weft::process: a variable of the environment");
}

// The child's end of a pipe, if it has one: blocking, closed here when the child has it.
struct child_end {
  child_end(spawn_actions& actions, stdio what, int number, io::pipe_end& ours) {
    if (what == stdio::null) actions.become_null(number);
    if (what != stdio::pipe) return;
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) refuse(os::error_number(), "making a pipe");
    const int mine = number == STDIN_FILENO ? 1 : 0;
    // out of the way of what the child opens and duplicates before its turn comes
    theirs = os::above_standard_streams(ends[1 - mine]);
    try {
      if (theirs < 0) refuse(-theirs, "making a pipe");
      ours = io::pipe_end::adopt(ends[mine]);
      actions.become(theirs, number);
    } catch (...) {
      if (!ours.is_open()) detail::call_close(ends[mine]);
      if (theirs >= 0) detail::call_close(theirs);
      throw;
    }
  }
  child_end(const child_end&) = delete;
  child_end& operator=(const child_end&) = delete;
  ~child_end() {
    if (theirs >= 0) detail::call_close(theirs);
  }
  int theirs = -1;
};

// -ECHILD: somebody else has taken it. 0 with si_pid 0: it runs.
[[gnu::noinline]] int look_at_child(idtype_t kind, int child, int options,
                                    siginfo_t& end) noexcept {
  for (;;) {
    end.si_pid = 0;
    if (::waitid(kind, static_cast<id_t>(child), &end, WEXITED | options) == 0) return 0;
    const int error = os::error_number();
    if (error != EINTR) return -error;
  }
}

// A child that cannot be watched ends. One whose status was taken is left alone: its number may be
// another's by now.
void end_unwatched(pid_t child) noexcept {
  siginfo_t end{};
  if (look_at_child(P_PID, child, WNOHANG | WNOWAIT, end) != 0) return;
  if (end.si_pid == 0) ::kill(child, SIGKILL);
  static_cast<void>(look_at_child(P_PID, child, 0, end));
}

}  // namespace

bool exit_status::exited() const noexcept { return how_ == CLD_EXITED; }
bool exit_status::dumped_core() const noexcept { return how_ == CLD_DUMPED; }

process::process(const process_options& options) {
  check_texts(options);
  spawn_actions actions;
  const child_end in(actions, options.input, STDIN_FILENO, input_);
  const child_end out(actions, options.output, STDOUT_FILENO, output_);
  const child_end err(actions, options.error, STDERR_FILENO, error_);
  actions.enter(options.directory);
  const auto arguments = pointers_to(options.arguments, options.program.c_str());
  std::vector<char*> variables;
  if (options.environment) variables = pointers_to(*options.environment, nullptr);
  const auto start = [&] {
    return actions.start(options.program.c_str(), arguments.data(),
                         options.environment ? variables.data() : environ, id_);
  };
  const int error = detail::this_worker() != nullptr ? weft::offload(start) : start();
  if (error != 0)
    refuse(error, "starting " + detail::one_line(options.program) +
                      (options.directory.empty()
                           ? ""
                           : " in the directory " + detail::one_line(options.directory)));
  const int pidfd = detail::call_pidfd_open(id_);
  try {
    if (pidfd == -ESRCH)
      refuse(ECHILD, detail::one_line(options.program) +
                         " was started, and its status taken by somebody else before it could be "
                         "watched (SIGCHLD is ignored, or waitpid(-1) was called)");
    if (pidfd < 0) refuse(-pidfd, "watching " + detail::one_line(options.program));
    ended_ = io::descriptor::adopt(pidfd);
  } catch (...) {
    if (pidfd >= 0) detail::call_close(pidfd);
    end_unwatched(id_);
    throw;
  }
}

process::~process() {
  siginfo_t end{};
  if (look_at_child(by_pidfd, ended_.native_handle(), WNOHANG, end) != 0 || end.si_pid == id_ ||
      detached_)
    return;
  kill();
  // It cannot refuse; a wait that is stopped goes on, for as long as the kernel takes to end it.
  while (ended_.wait(io::readiness::readable) == std::errc::operation_canceled &&
         look_at_child(by_pidfd, ended_.native_handle(), WNOHANG | WNOWAIT, end) == 0 &&
         end.si_pid != id_)
    detail::yield();
  static_cast<void>(look_at_child(by_pidfd, ended_.native_handle(), 0, end));
}

std::optional<exit_status> process::end_within(const detail::wait_limit& limit) {
  for (;;) {
    siginfo_t end{};
    if (const int error = look_at_child(by_pidfd, ended_.native_handle(), WNOHANG | WNOWAIT, end);
        error < 0)
      refuse(-error, "the status of child " + std::to_string(id_) + " was taken by somebody else");
    if (end.si_pid == id_) return exit_status(end.si_code, end.si_status);
    const std::stop_token never;
    const std::error_code why =
        ended_.wait(io::readiness::readable, limit.deadline, limit.stop ? *limit.stop : never);
    if (!why) continue;
    if (why == std::errc::timed_out) return std::nullopt;
    if (why == std::errc::operation_canceled && limit.stop != nullptr) return std::nullopt;
    throw std::system_error(why, "weft::process: waiting for child " + std::to_string(id_));
  }
}

void process::send_signal(int signal) const noexcept {
  static_cast<void>(::syscall(SYS_pidfd_send_signal, ended_.native_handle(), signal, nullptr, 0));
}
void process::terminate() const noexcept { send_signal(SIGTERM); }
void process::kill() const noexcept { send_signal(SIGKILL); }

}  // namespace weft
