// SPDX-License-Identifier: BSL-1.0
// fiber/stack_error.cpp - why there is no stack, in words that name the limit and the way to raise
// it. The text is composed when asked for, with the limits' values of that moment.

#include <string>

#include <sys/resource.h>

#include "fiber/stack_pool.hpp"
#include "os/os.hpp"

namespace weft::detail {
namespace {

std::string address_space_text() {
  const stack_statistics now = stack_pool_statistics();
  std::string text = "no address space left for fiber stacks (" +
                     std::to_string(now.reserved_bytes >> 20) + " MiB reserved): ";
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    return text + "the process may use " + std::to_string(limit.rlim_cur >> 20) +
           " MiB (RLIMIT_AS); raise it with `ulimit -v`, or use smaller stacks or fewer fibers";
  }
  return text +
         "check vm.overcommit_memory (2 refuses reservations; `sysctl -w "
         "vm.overcommit_memory=0`) and vm.max_map_count, or use smaller stacks";
}

// By what weft has counted: to read all mappings takes tens of milliseconds when they have run out,
// and this text is made for each fiber that fails.
std::string map_count_text() {
  const std::size_t limit = os::max_map_count();
  std::string text = "no mapping left: ";
  if (os::guard_support() == os::guard_kind::mapping) {
    text += "the guard pages of " + std::to_string(stack_pool_statistics().carved) +
            " stacks take two each, which is half of vm.max_map_count = " + std::to_string(limit) +
            ", the most weft uses, or all the program has left (this kernel or sandbox has neither "
            "MADV_GUARD_INSTALL, Linux 6.13, nor "
            "userfaultfd write protection, 6.4)";
  } else {
    text += "the process uses up vm.max_map_count = " + std::to_string(limit);
  }
  return text + "; raise it with `sysctl -w vm.max_map_count=" + std::to_string(limit * 2) +
         "`, or use fewer fibers, or options::stack_guard = checked";
}

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "weft.stack"; }

  std::string message(int value) const override {
    switch (static_cast<stack_errc>(value)) {
      case stack_errc::address_space:
        return address_space_text();
      case stack_errc::map_count:
        return map_count_text();
      case stack_errc::guard:
        return "the kernel refused a guard page, and weft runs no fiber on an unguarded stack; out "
               "of memory, or a sandbox (seccomp) that forbids madvise and mprotect";
      case stack_errc::locked:
        return "memory that is locked (mlockall(MCL_FUTURE)) is limited; raise the limit with "
               "`ulimit -l`, lock with "
               "MCL_CURRENT only, or use smaller stacks";
      case stack_errc::bookkeeping:
        return "out of memory for the list of free fiber stacks";
    }
    return "unknown stack error";
  }

  std::error_condition default_error_condition(int) const noexcept override {
    return std::errc::not_enough_memory;
  }
};

}  // namespace

const std::error_category& stack_category() noexcept {
  static const category instance;
  return instance;
}

std::system_error make_stack_error(std::error_code code, stack_class c) {
  return {code, "no stack of " + std::to_string(slot_size(c) >> 10) + " KiB for a fiber"};
}

}  // namespace weft::detail
