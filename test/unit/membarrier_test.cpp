// SPDX-License-Identifier: BSL-1.0
// membarrier(2) refused: from the start weft works without it; later it says so and ends [SYNC-1].
// Each in a child, since that is decided once for a process.
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <thread>
#include <vector>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/in_child.hpp"
#include "support/storm.hpp"

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

// Of all threads, as a sandbox does it.
bool refuse_membarrier() {
  sock_filter filter[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
                          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                          BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog program{sizeof filter / sizeof *filter, filter};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

// Workers that lie down, steal, block and are preempted: every heavy fence there is.
void work() {
  weft::channel<int> c(4);
  std::atomic<bool> stop{false};
  weft::scope s;
  for (int i = 0; i < 4; ++i)
    s.spawn([&] {
      for (int k = 0; k < 200; ++k) {
        if (!c.send(k)) std::abort();
        if (k % 50 == 0) weft::this_fiber::sleep_for(1ms);
      }
    });
  s.spawn([&] {
    for (int k = 0; k < 800; ++k)
      if (!c.receive()) std::abort();
    stop.store(true, std::memory_order_release);
  });
  s.spawn([&] { spin_until(stop); });
  s.spawn([] { ::usleep(5000); });
  s.join();
}

constexpr int no_seccomp = 77;

}  // namespace

TEST_CASE("refused from the start") {
  if (no_preemption_here()) return;
  for (const std::size_t n : {1, 2, 4}) {
    const child_end end = in_child([n] {
      alarm(60);
      if (!refuse_membarrier()) return no_seccomp;
      weft::run(workers(n), work);
      return weft::os::membarrier_available() ? 1 : 0;
    });
    if (end.exit_code == no_seccomp) {
      MESSAGE("this system has no seccomp");
      return;
    }
    CHECK(end.signal == 0);
    CHECK(end.exit_code == 0);
    CHECK(end.errors == "");
  }
}

#if !WEFT_TSAN  // there the heavy side is a fence like any other
TEST_CASE("refused later: weft ends with a sentence") {
  const child_end end = in_child([] {
    alarm(60);
    weft::run(workers(2), [] {
      work();
      if (!refuse_membarrier()) _exit(no_seccomp);
      for (;;) weft::this_fiber::sleep_for(1ms);  // whoever lies down runs one
    });
    return 0;
  });
  if (end.exit_code == no_seccomp) return;
  CHECK(end.signal == SIGABRT);
  CHECK(end.errors.find("weft: membarrier(2)") != std::string::npos);
  CHECK(end.errors.find("is refused now") != std::string::npos);
}

TEST_CASE("for want of memory: it is tried again") {
  const child_end end = in_child([] {
    alarm(60);
    weft::run(workers(2), [] {
      weft::os::test_hooks.membarrier_error.store(ENOMEM, std::memory_order_relaxed);
      std::thread ends([] {
        std::this_thread::sleep_for(20ms);
        weft::os::test_hooks.membarrier_error.store(0, std::memory_order_relaxed);
      });
      work();
      ends.join();
    });
    return 0;
  });
  CHECK(end.signal == 0);
  CHECK(end.exit_code == 0);
}
#endif
