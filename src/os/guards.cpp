// SPDX-License-Identifier: BSL-1.0
// os/guards.cpp - pages that end the process when a stack runs into them, on the kernels there are.
//
//   page_table     MADV_GUARD_INSTALL: a marker in the page table. Linux 6.13
//   write_protect  userfaultfd: the area is registered once, then each guard page gets a
//                  write-protect marker. The descriptor has the SIGBUS feature, so a write is a
//                  signal and no event, and the descriptor is never read. Linux 6.4
//   mapping        mprotect: splits the mapping. vm.max_map_count is the program's, too, and malloc
//                  fails at it; so half of it is the most that guards take, and what they take is
//                  counted
// Each is tried on a page before it is believed: emulators accept any advice and do nothing. What
// is locked (mlockall) refuses the first, a sandbox may refuse any at any time: then the next one
// is used for these pages. A forked child inherits the first and the last kind. It loses the
// second, and its descriptor would act on the parent: it is closed there, and the generation
// changes. Measured for 1,000,000 of them: 0.7, 0.6-1.2 and 3.6 us each.
// Rejected: asking /proc/self/maps how many mappings there are (20 ms at 65,000 of them);
// descriptors and markers per stack.

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/advice.hpp"
#include "os/errno_guard.hpp"
#include "os/exclusive.hpp"
#include "os/os.hpp"

namespace weft::os {
namespace {

// Newer than Debian 12's headers.
constexpr int madv_guard_install = 102;
// WP_UNPOPULATED
constexpr std::uint64_t uffd_features =
    UFFD_FEATURE_SIGBUS | UFFD_FEATURE_PAGEFAULT_FLAG_WP | (1U << 13);
constexpr int uffd_user_mode_only = 1;

constexpr std::size_t mappings_per_guard = 2;
constexpr std::size_t usual_max_map_count = 65530;
constexpr std::int64_t pause_after_refusal_ns = 1'000'000'000;

bool hooked(const std::atomic<bool>& hook) {
  return hook.load(std::memory_order_relaxed);  // set by a test before it calls what it concerns
}

std::error_code last_error() { return {error_number(), std::generic_category()}; }

// The kernel writes there for us, and so no signal strikes if it cannot.
bool refuses_writes(std::byte* page) noexcept {
  return syscall(SYS_clock_gettime, CLOCK_MONOTONIC, page) != 0 && error_number() == EFAULT;
}

bool advice_works() noexcept {
  static const bool works = [] {
    std::byte* page = nullptr;
    if (reserve(page_size(), page_size(), page)) return false;
    const bool guards = madvise(page, page_size(), madv_guard_install) == 0 && refuses_writes(page);
    release(page, page_size());
    return guards;
  }();
  return works;
}

// ---- userfaultfd
constexpr int not_asked = -2, not_there = -1;
constinit std::atomic<int> descriptor{not_asked};  // release by ask, acquire by its users
// relaxed: a child changes it while it has one thread
constinit std::atomic<std::uint32_t> generation{1};
constinit std::atomic_flag asking;

bool write_protect(int fd, range page) noexcept {
  uffdio_writeprotect w{};
  w.range = {reinterpret_cast<std::uintptr_t>(page.begin), page.size};
  w.mode = UFFDIO_WRITEPROTECT_MODE_WP;
  while (ioctl(fd, UFFDIO_WRITEPROTECT, &w) != 0)
    if (error_number() != EAGAIN && error_number() != EINTR) return false;
  return true;
}

bool register_range(int fd, range all) noexcept {
  uffdio_register r{};
  r.range = {reinterpret_cast<std::uintptr_t>(all.begin), all.size};
  r.mode = UFFDIO_REGISTER_MODE_WP;
  return ioctl(fd, UFFDIO_REGISTER, &r) == 0;
}

int open_descriptor() noexcept {
  const auto fd =
      static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | uffd_user_mode_only));
  if (fd < 0) return not_there;
  uffdio_api api{};
  api.api = UFFD_API;
  api.features = uffd_features;
  std::byte* page = nullptr;
  bool works = ioctl(fd, UFFDIO_API, &api) == 0 && !reserve(page_size(), page_size(), page);
  if (works) {
    const range whole{page, page_size()};
    works = register_range(fd, whole) && write_protect(fd, whole) && refuses_writes(page);
    release(page, page_size());
  }
  if (works) return fd;
  close(fd);
  return not_there;
}

void in_forked_child() noexcept {
  // relaxed: there is one thread.
  const int fd = descriptor.load(std::memory_order_relaxed);
  if (fd < 0) return;
  close(fd);  // the parent's
  descriptor.store(not_asked, std::memory_order_relaxed);
  generation.fetch_add(1, std::memory_order_relaxed);
}

int userfault() noexcept {
  if (hooked(test_hooks.no_userfaultfd)) return not_there;
  int fd = descriptor.load(std::memory_order_acquire);
  if (fd != not_asked) return fd;
  const errno_guard keep;
  const exclusive hold(asking);
  fd = descriptor.load(std::memory_order_relaxed);
  if (fd != not_asked) return fd;
  fd = open_descriptor();
  // A child that would take over guards it does not have is worse than none.
  static bool told_of_forks = false;  // under the lock
  if (fd >= 0 && !told_of_forks &&
      !(told_of_forks = pthread_atfork(nullptr, nullptr, &in_forked_child) == 0)) {
    close(fd);
    fd = not_there;
  }
  descriptor.store(fd, std::memory_order_release);
  return fd;
}

guards_made by_write_protect(int fd, guard_area& area, std::span<const range> pages) noexcept {
  const std::uint32_t now = generation.load(std::memory_order_relaxed);
  if (area.registered.load(std::memory_order_relaxed) != now) {  // twice does not matter
    if (!register_range(fd, area.all)) return {0, last_error()};
    area.registered.store(now, std::memory_order_relaxed);
  }
  for (std::size_t i = 0; i < pages.size(); ++i)
    if (!write_protect(fd, pages[i])) return {i, last_error()};
  return {pages.size(), {}};
}

// ---- mprotect
constinit std::atomic<std::size_t> mapping_guards{0};          // relaxed: a count
constinit std::atomic<std::int64_t> refused_until{INT64_MIN};  // relaxed

std::size_t most_mapping_guards() noexcept {
  if (const std::size_t forced = test_hooks.most_guards.load(std::memory_order_relaxed))
    return forced;
  static const std::size_t most = [] {
    const std::size_t limit = max_map_count();
    return (limit != 0 ? limit : usual_max_map_count) / 2 / mappings_per_guard;
  }();
  return most;
}

guards_made by_mapping(std::span<const range> pages) noexcept {
  const std::size_t most = most_mapping_guards();
  for (std::size_t i = 0; i < pages.size(); ++i) {
    if (mapping_guards.fetch_add(1, std::memory_order_relaxed) < most) {
      if (mprotect(pages[i].begin, pages[i].size, PROT_NONE) == 0) continue;
      const auto error = last_error();
      mapping_guards.fetch_sub(1, std::memory_order_relaxed);
      refused_until.store(now_ns() + pause_after_refusal_ns, std::memory_order_relaxed);
      return {i, error};
    }
    mapping_guards.fetch_sub(1, std::memory_order_relaxed);
    return {i, std::make_error_code(std::errc::not_enough_memory)};
  }
  return {pages.size(), {}};
}

}  // namespace

guard_kind guard_support() noexcept {
  if (!hooked(test_hooks.no_guard_advice) && advice_works()) return guard_kind::page_table;
  return userfault() >= 0 ? guard_kind::write_protect : guard_kind::mapping;
}

guards_made install_guards(guard_area& area, std::span<const range> pages) noexcept {
  if (const int forced = test_hooks.guard_error.load(std::memory_order_relaxed))
    return {0, {forced, std::generic_category()}};
  if (!hooked(test_hooks.no_guard_advice) && advice_works() && !advise(pages, madv_guard_install))
    return {pages.size(), {}};
  std::size_t done = 0;
  if (const int fd = userfault(); fd >= 0) {
    done = by_write_protect(fd, area, pages).count;
    if (done == pages.size()) return {done, {}};
  }
  const guards_made rest = by_mapping(pages.subspan(done));
  return {done + rest.count, rest.why};
}

bool guards_left() noexcept {
  if (guard_support() != guard_kind::mapping) return true;
  return mapping_guards.load(std::memory_order_relaxed) < most_mapping_guards() &&
         now_ns() >= refused_until.load(std::memory_order_relaxed);
}

std::uint32_t guard_generation() noexcept { return generation.load(std::memory_order_relaxed); }

std::error_code guard_page(range page) noexcept {
  if (!hooked(test_hooks.no_guard_advice) && advice_works() &&
      !advise({&page, 1}, madv_guard_install))
    return {};
  return mprotect(page.begin, page.size, PROT_NONE) == 0 ? std::error_code() : last_error();
}

}  // namespace weft::os
