// SPDX-License-Identifier: BSL-1.0
#include "top/terminal.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string_view>

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace weft::tools {
namespace {

void write_all(std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t n = write(STDOUT_FILENO, text.data(), text.size());
    if (n > 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
    } else if (n < 0 && errno == EAGAIN) {
      pollfd p{STDOUT_FILENO, POLLOUT, 0};
      static_cast<void>(poll(&p, 1, 1000));
    } else if (n >= 0 || errno != EINTR) {
      return;  // it is gone
    }
  }
}

}  // namespace

terminal::terminal() {
  if (isatty(STDOUT_FILENO) == 0)
    throw std::runtime_error(
        "standard output is no terminal; top --batch prints one view after the other, top --once a "
        "single one");
  sigset_t ours;
  sigemptyset(&ours);
  for (const int s : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH}) sigaddset(&ours, s);
  signals_ = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals_ < 0)
    throw std::runtime_error(std::string("no signalfd to be had: ") + std::strerror(errno));
  sigprocmask(SIG_BLOCK, &ours, &mask_before_);
  has_keys_ = isatty(STDIN_FILENO) != 0 && tcgetattr(STDIN_FILENO, &before_) == 0;
  enter();
}

terminal::~terminal() {
  leave();
  close(signals_);
  sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
}

void terminal::enter() {
  if (has_keys_) {
    termios keys = before_;
    // keys as they come; Ctrl-C and Ctrl-Z stay signals
    keys.c_lflag &= static_cast<tcflag_t>(~(ICANON | ECHO));
    keys.c_cc[VMIN] = 0;
    keys.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &keys);
  }
  write_all("\x1b[?1049h\x1b[?25l\x1b[2J");  // the other screen, no cursor
}

void terminal::leave() noexcept {
  write_all("\x1b[0m\x1b[?25h\x1b[?1049l");
  if (has_keys_) tcsetattr(STDIN_FILENO, TCSADRAIN, &before_);
}

terminal::size terminal::now() const {
  winsize w{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_col == 0 || w.ws_row == 0) return {80, 24};
  return {w.ws_col, w.ws_row};
}

void terminal::show(const std::vector<std::string>& lines) {
  std::string frame = "\x1b[H";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) frame += "\r\n";
    if (i == 0) frame += "\x1b[7m";
    frame += lines[i];
    frame += "\x1b[0m\x1b[K";
  }
  frame += "\x1b[J";
  write_all(frame);
}

terminal::event terminal::wait(std::chrono::milliseconds most) {
  const auto until = std::chrono::steady_clock::now() + most;
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd p[2] = {{signals_, POLLIN, 0}, {has_keys_ ? STDIN_FILENO : -1, POLLIN, 0}};
    const int n = poll(p, 2, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (n == 0) return event::timeout;
    if (p[0].revents != 0) {
      signalfd_siginfo s;
      if (read(signals_, &s, sizeof s) != sizeof s) continue;
      if (s.ssi_signo == SIGWINCH) return event::redraw;
      if (s.ssi_signo != SIGTSTP) return event::quit;
      leave();
      raise(SIGSTOP);
      enter();
      return event::redraw;
    }
    if (p[1].revents != 0) return read_key();
  }
}

// An arrow is three bytes, which come together; a lone one is the key Escape. What comes behind
// them is left for the next call.
terminal::event terminal::read_key() {
  char byte = 0;
  const auto next = [&byte] { return read(STDIN_FILENO, &byte, 1) == 1; };
  if (!next() || byte == 'q' || byte == 'Q' || byte == 3) return event::quit;
  key_ = byte == '\r' ? enter_key : byte;
  pollfd more{STDIN_FILENO, POLLIN, 0};
  if (key_ != escape || poll(&more, 1, 20) <= 0 || !next()) return event::key;
  if (byte != '[' && byte != 'O') return event::redraw;
  while (next() && byte < '@') continue;  // numbers, then the letter that ends it
  if (byte != 'A' && byte != 'B') return event::redraw;
  key_ = byte == 'A' ? up : down;
  return event::key;
}

}  // namespace weft::tools
