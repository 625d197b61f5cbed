// SPDX-License-Identifier: BSL-1.0
#pragma once
// tools/weft-trace/top/terminal.hpp - a full screen of text, and the keys and signals that come
// meanwhile. Plain control sequences that every terminal since the VT100 knows, and the alternate
// screen; a whole frame is one write.
// Rejected: ncurses (a library and its data base for clear, home and an attribute).

#include <chrono>
#include <csignal>
#include <cstddef>
#include <string>
#include <vector>

#include <termios.h>

namespace weft::tools {

class terminal {
 public:
  /// Of standard input and output. Throws std::runtime_error if output is no terminal. While it
  /// lives, the signals that end, stop or resize a program come out of wait() only; start no thread
  /// meanwhile.
  terminal();
  ~terminal();  // as it was before
  terminal(const terminal&) = delete;
  terminal& operator=(const terminal&) = delete;

  struct size {
    std::size_t columns, rows;
  };
  [[nodiscard]] size now() const;
  void show(const std::vector<std::string>& lines);  // the first one in reverse

  enum class event { timeout, redraw, quit, key };
  /// redraw: its size may be another one. quit: q, Ctrl-C, SIGTERM, SIGHUP, or the input has ended.
  /// key: another one, which `key` tells.
  [[nodiscard]] event wait(std::chrono::milliseconds most);

  static constexpr char up = 1, down = 2, escape = 27, enter_key = '\n';
  /// The last one: a character, or one of the above.
  [[nodiscard]] char key() const noexcept { return key_; }

 private:
  void enter();
  void leave() noexcept;
  [[nodiscard]] event read_key();

  termios before_{};
  bool has_keys_ = false;
  sigset_t mask_before_{};
  int signals_ = -1;
  char key_ = 0;
};

}  // namespace weft::tools
