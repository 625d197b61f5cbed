// SPDX-License-Identifier: BSL-1.0
#pragma once
// signals.hpp - SIGTERM and SIGINT as something a fiber waits for.
#include <sys/signalfd.h>

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
    const int number = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (number < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
    descriptor_ = weft::io::descriptor::adopt(number);
  }

  void wait() const { descriptor_.wait_readable(); }

 private:
  weft::io::descriptor descriptor_;
};

}  // namespace examples
