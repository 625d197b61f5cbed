// SPDX-License-Identifier: BSL-1.0
#pragma once
// support/old_kernel.hpp - makes the kernel older than it is, for the calling process and for ever:
// a seccomp filter refuses what came later. For children (in_child.hpp).

#include <cerrno>
#include <cstddef>
#include <vector>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

namespace weft::test {

enum class kernel : unsigned char {
  newest,       // MADV_GUARD_INSTALL: Linux 6.13
  userfaultfd,  // without it: 6.4
  mprotect,     // without userfaultfd either, as if it were not compiled in
  sandboxed,    // the same as most containers have it: EPERM
};

/// Refuses a call, or one of its variants by the lower half of an argument.
struct refused_call {
  long number;
  int error;
  int argument = -1;
  unsigned value = 0;
};

/// False: this process may install no filter.
inline bool refuse(const std::vector<refused_call>& calls) {
  std::vector<sock_filter> program;
  const auto load = [&](std::size_t at) {
    program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<unsigned>(at)));
  };
  for (const refused_call& c : calls) {
    const unsigned char skip = c.argument < 0 ? 1 : 3;
    load(offsetof(seccomp_data, nr));
    program.push_back(
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(c.number), 0, skip));
    if (c.argument >= 0) {
      load(offsetof(seccomp_data, args) + static_cast<std::size_t>(c.argument) * sizeof(__u64));
      program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, c.value, 0, 1));
    }
    program.push_back(
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(c.error)));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  sock_fprog whole{static_cast<unsigned short>(program.size()), program.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &whole) == 0;
}

inline bool become(kernel k) {
  constexpr unsigned guard_install = 102, guard_remove = 103;
  constexpr long process_madvise = 440;
  if (k == kernel::newest) return true;
  std::vector<refused_call> calls{{process_madvise, EBADF},
                                  {SYS_madvise, EINVAL, 2, guard_install},
                                  {SYS_madvise, EINVAL, 2, guard_remove}};
  if (k != kernel::userfaultfd)
    calls.push_back({SYS_userfaultfd, k == kernel::sandboxed ? EPERM : ENOSYS});
  return refuse(calls);
}

}  // namespace weft::test
