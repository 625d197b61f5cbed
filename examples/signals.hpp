// SPDX-License-Identifier: BSL-1.0
#pragma once
// signals.hpp - SIGTERM and SIGINT as something a fiber waits for.
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <system_error>

#include <weft/weft.hpp>

namespace examples {

/// Made in main before the runtime has threads: they must not get the signals.
class end_signals {
 public:
  end_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    descriptor_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
  }
  ~end_signals() { ::close(descriptor_); }
  end_signals(const end_signals&) = delete;
  end_signals& operator=(const end_signals&) = delete;

  void wait() const {
    weft::select(weft::on_readable(descriptor_, [] {}));
  }

 private:
  int descriptor_;
};

}  // namespace examples
