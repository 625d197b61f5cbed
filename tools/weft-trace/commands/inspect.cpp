// SPDX-License-Identifier: BSL-1.0
// tools/weft-trace/commands/inspect.cpp - see the header. What can be known from /proc is looked at
// first, so that a process that cannot answer is named for what it is, and a stranger gets no
// signal.
#include "commands/inspect.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string_view>

#include <fmt/format.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "debug/inspect.hpp"

namespace weft::tools {
namespace {

using clock = std::chrono::steady_clock;
using detail::port_address;

[[noreturn]] void fail(const inspection& what, std::string_view text) {
  throw std::runtime_error(fmt::format("process {}: {}", what.pid, text));
}

struct status {
  char state = '?';          // of its first thread: R, S, T, Z
  std::string uid;           // the effective one
  std::uint64_t caught = 0;  // signals that have a handler; signal n is bit n-1
};
std::optional<status> read_status(pid_t pid) {
  std::ifstream in(fmt::format("/proc/{}/status", pid));
  if (!in) return {};
  status s;
  for (std::string name; in >> name;) {
    if (name == "State:") in >> s.state;
    if (name == "Uid:") in >> s.uid >> s.uid;
    if (name == "SigCgt:") in >> std::hex >> s.caught >> std::dec;
    in.ignore(4096, '\n');
  }
  return s;
}

void check_process(const inspection& what) {
  const std::optional<status> s = read_status(what.pid);
  if (what.pid <= 0 || !s) fail(what, "there is no such process");
  if (s->state == 'Z')
    fail(what, "it has ended already, and its parent has not noticed (a zombie)");
  if (kill(what.pid, 0) != 0 && errno == EPERM)
    fail(what,
         fmt::format("not permitted: it belongs to user {}; ask as that user, or as root", s->uid));
  if (what.signal < 1 || what.signal > 64) fail(what, fmt::format("{} is no signal", what.signal));
  if ((s->caught >> (what.signal - 1) & 1) == 0)
    fail(
        what,
        fmt::format(
            "it has no handler for signal {}, so it is no weft program, has no runtime yet, or set "
            "options::preempt_signal to another one (say which: --signal) or to 0 (then it cannot "
            "be asked)",
            what.signal));
  if (s->state == 'T' || s->state == 't')
    fail(what, "it is stopped, by a signal or a debugger; it can answer when it goes on");
}

class descriptor {
 public:
  explicit descriptor(int fd) noexcept : fd_(fd) {}
  ~descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  int fd_;
};

bool becomes_readable(int fd, std::chrono::milliseconds within) {
  const auto until = clock::now() + within;
  for (;;) {
    pollfd p{fd, POLLIN, 0};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock::now());
    const int n = poll(&p, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (n >= 0 || errno != EINTR) return n > 0;
  }
}
void until_readable(int fd) {
  pollfd p{fd, POLLIN, 0};
  while (poll(&p, 1, -1) < 0 && errno == EINTR) continue;
}

void request_at(const inspection& what, std::uint64_t value) {
  sigval with;
  with.sival_ptr = reinterpret_cast<void*>(value);
  if (sigqueue(what.pid, what.signal, with) == 0 || errno == EAGAIN) return;
  fail(what, errno == ESRCH
                 ? "it has ended"
                 : fmt::format("cannot send signal {}: {}", what.signal, std::strerror(errno)));
}

// Somebody else may connect to what anybody can list in /proc/net/unix.
bool is_the_process(int fd, pid_t pid) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == pid;
}

// Requests until the process calls back.
int call(const inspection& what) {
  std::uint64_t random = 0;
  if (getrandom(&random, sizeof random, 0) != sizeof random)
    fail(what, "no random number to be had");
  const std::uint64_t value = detail::make_tool_request(random);
  const port_address here(value);
  const descriptor door(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (door.get() < 0 || bind(door.get(), here.get(), here.size) != 0 || listen(door.get(), 4) != 0)
    fail(what, fmt::format("cannot listen for its answer: {}", std::strerror(errno)));
  constexpr std::chrono::milliseconds again{200};
  const auto until = clock::now() + what.patience;
  while (clock::now() < until) {
    request_at(what, value);
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - clock::now());
    if (!becomes_readable(door.get(), std::min(left, again))) continue;
    const int fd = accept4(door.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    if (is_the_process(fd, what.pid)) return fd;
    close(fd);
  }
  fail(what, fmt::format("no answer in {} ms. It handles signal {}, but may be no weft program; or "
                         "it blocks the signal in all of its "
                         "threads, or lives in another network or pid namespace (a container: run "
                         "weft-trace inside)",
                         what.patience.count(), what.signal));
}

class answer_reader {
 public:
  answer_reader(const inspection& what, int fd) : what_(what), fd_(fd) {}
  // What the process answers. Throws what it says is wrong.
  std::string answer() {
    const std::string head = line();
    const bool good = head.starts_with("ok ");
    std::size_t size = 0;
    const std::size_t digits = std::min(head.find(' ') + 1, head.size());
    const auto read = std::from_chars(head.data() + digits, head.data() + head.size(), size);
    if ((!good && !head.starts_with("error ")) || read.ec != std::errc())
      fail(what_, "its answer is not understood; is it of another version of weft?");
    std::string text = bytes(size);
    if (!good) fail(what_, text.substr(0, text.find_last_not_of('\n') + 1));
    return text;
  }
  // False: it has ended the connection, as its own end does. It is waited for: what it does before
  // it answers may take long.
  [[nodiscard]] bool has_more() {
    if (text_.empty()) until_readable(fd_);
    return !text_.empty() || more();
  }

 private:
  // Up to the end of the line, which is taken off.
  std::string line() {
    std::size_t end;
    while ((end = text_.find('\n')) == std::string::npos)
      if (!more()) fail(what_, "it ended, or would not answer");
    std::string out = text_.substr(0, end);
    text_.erase(0, end + 1);
    return out;
  }
  std::string bytes(std::size_t size) {
    while (text_.size() < size)
      if (!more())
        fail(what_, fmt::format("it ended in the middle of its answer: {} of {} bytes came",
                                text_.size(), size));
    std::string out = text_.substr(0, size);
    text_.erase(0, size);
    return out;
  }
  bool more() {
    if (!becomes_readable(fd_, what_.patience))
      fail(what_,
           fmt::format("it called back, but says nothing more for {} ms", what_.patience.count()));
    char some[65536];
    const ssize_t n = recv(fd_, some, sizeof some, 0);
    if (n < 0 && errno == EINTR) return true;
    if (n <= 0) return false;
    text_.append(some, static_cast<std::size_t>(n));
    return true;
  }
  const inspection& what_;
  int fd_;
  std::string text_;
};

// Returns the connection, with the question asked.
int ask(const inspection& what) {
  check_process(what);
  const int fd = call(what);
  const std::string line = what.question + "\n";
  if (send(fd, line.data(), line.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(line.size()))
    return fd;
  close(fd);
  fail(what, "it ended before it was asked");
}

}  // namespace

std::string inspect(const inspection& what) {
  const descriptor process(ask(what));
  return answer_reader(what, process.get()).answer();
}

std::string inspect_while(const inspection& what,
                          const std::function<void(const std::string&, int)>& meanwhile) {
  const descriptor process(ask(what));
  answer_reader from(what, process.get());
  meanwhile(from.answer(), process.get());
  shutdown(process.get(), SHUT_WR);
  return from.has_more() ? from.answer() : "";
}

}  // namespace weft::tools
