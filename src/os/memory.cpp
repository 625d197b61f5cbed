// SPDX-License-Identifier: BSL-1.0
// os/memory.cpp - address space, and advice on many ranges at once.
// Advice for many ranges is one process_madvise(2) on ourselves (Linux 6.13 takes any advice then);
// a kernel or sandbox that refuses it gets one madvise(2) per range instead, and is not asked
// again.

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "os/advice.hpp"
#include "os/errno_guard.hpp"
#include "os/os.hpp"

namespace weft::os {
namespace {

// Not in Debian 12's headers.
constexpr int madv_populate_write = 23;
constexpr int pidfd_self = -10000;
constexpr unsigned mlock_onfault = 1;
constexpr std::size_t left_to_program = std::size_t{16} << 20;
constexpr long sys_process_madvise = 440;

// The hooks are set by a test before it calls what they concern: relaxed is enough.
bool hooked(const std::atomic<bool>& hook) { return hook.load(std::memory_order_relaxed); }

std::error_code last_error() { return {error_number(), std::generic_category()}; }

constinit std::atomic<bool> vectored_missing{false};  // relaxed: a cached answer, no data behind it

static_assert(sizeof(range) == sizeof(iovec) && offsetof(range, size) == offsetof(iovec, iov_len));

std::error_code advise_one(range r, int advice) noexcept {
  while (madvise(r.begin, r.size, advice) != 0) {
    if (error_number() != EINTR && error_number() != EAGAIN) return last_error();
  }
  return {};
}

std::error_code advise_each(std::span<const range> ranges, int advice) noexcept {
  for (const range& r : ranges) {
    if (auto error = advise_one(r, advice)) return error;
  }
  return {};
}

struct progress {
  std::size_t done;  // ranges advised completely, from the front
  int error;         // why not all of them; 0 if only the call's capacity ended
};

// A range advised in part counts as not done and is advised again: all advice here is idempotent.
progress advise_prefix(std::span<const range> ranges, int advice) noexcept {
  const std::size_t count = std::min<std::size_t>(ranges.size(), IOV_MAX);
  const long advised = syscall(sys_process_madvise, pidfd_self,
                               reinterpret_cast<const iovec*>(ranges.data()), count, advice, 0U);
  if (advised < 0) return {0, error_number()};
  auto bytes = static_cast<std::size_t>(advised);
  std::size_t done = 0;
  while (done < count && bytes >= ranges[done].size) bytes -= ranges[done++].size;
  return {done, 0};
}

// Where memory that can be written is counted, whether touched or not.
bool commits_strictly() noexcept {
  rlimit limit{};
  if (getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) return true;
  static const bool never_overcommits = [] {
    const int file = open("/proc/sys/vm/overcommit_memory", O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    char mode = 0;
    const ssize_t n = read(file, &mode, 1);
    close(file);
    return n == 1 && mode == '2';
  }();
  return never_overcommits;
}

bool could_commit(std::size_t size) noexcept {
  void* const trial = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (trial == MAP_FAILED) return false;
  static_cast<void>(madvise(trial, size, MADV_NOHUGEPAGE));
  // or it is populated
  if (madvise(trial, page_size(), MADV_DONTNEED) != 0)
    syscall(SYS_mlock2, trial, size, mlock_onfault);
  const bool could = mprotect(trial, size, PROT_READ | PROT_WRITE) == 0;
  munmap(trial, size);
  return could;
}

}  // namespace

std::error_code advise(std::span<const range> ranges, int advice) noexcept {
  while (ranges.size() > 1 && !hooked(test_hooks.no_vectored_advice) &&
         !vectored_missing.load(std::memory_order_relaxed)) {
    const auto [done, error] = advise_prefix(ranges, advice);
    ranges = ranges.subspan(done);
    if (done != 0) continue;
    // Either the vectored call or this very range is at fault; the plain call shows which.
    if (auto real = advise_one(ranges[0], advice)) return real;
    ranges = ranges.subspan(1);
    if (error != 0 && error != EINTR && error != EAGAIN) {
      vectored_missing.store(true, std::memory_order_relaxed);
    }
  }
  return advise_each(ranges, advice);
}

std::size_t page_size() noexcept {
  static const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

std::error_code reserve(std::size_t size, std::size_t alignment, std::byte*& out) noexcept {
  if (const int forced = test_hooks.reserve_error.load(std::memory_order_relaxed)) {
    return {forced, std::generic_category()};
  }
  const std::size_t slack = alignment > page_size() ? alignment - page_size() : 0;
  void* const mapped = mmap(nullptr, size + slack, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return last_error();
  auto* const raw = static_cast<std::byte*>(mapped);
  const std::size_t skip =
      (alignment - reinterpret_cast<std::uintptr_t>(raw) % alignment) % alignment;
  if (skip != 0) release(raw, skip);
  if (slack != skip) release(raw + skip + size, slack - skip);
  out = raw + skip;
  // A kernel built without huge pages answers EINVAL, which is just as good.
  static_cast<void>(madvise(out, size, MADV_NOHUGEPAGE));
  return {};
}

// Locked memory refuses MADV_DONTNEED, and tells itself so. Made readable as it is, it would be
// populated at once.
std::error_code reserve_bare(std::size_t size, std::byte*& out) noexcept {
  if (const int forced = test_hooks.reserve_error.load(std::memory_order_relaxed)) {
    return {forced, std::generic_category()};
  }
  void* const mapped =
      mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) return last_error();
  out = static_cast<std::byte*>(mapped);
  static_cast<void>(madvise(out, size, MADV_NOHUGEPAGE));
  if (madvise(out, page_size(), MADV_DONTNEED) != 0 && error_number() == EINVAL &&
      syscall(SYS_mlock2, out, size, mlock_onfault) != 0) {
    const auto error = last_error();
    release(out, size);
    return error;
  }
  return {};
}

std::error_code commit(range part) noexcept {
  if (commits_strictly() && !could_commit(part.size + left_to_program))
    return std::make_error_code(std::errc::not_enough_memory);
  return mprotect(part.begin, part.size, PROT_READ | PROT_WRITE) == 0 ? std::error_code()
                                                                      : last_error();
}

void release(std::byte* begin, std::size_t size) noexcept { munmap(begin, size); }

std::size_t address_space_left() noexcept {
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
  const int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (file < 0) return limit.rlim_cur;
  char buffer[128];
  const ssize_t n = read(file, buffer, sizeof buffer);
  close(file);
  std::size_t pages = 0;
  if (n > 0) std::from_chars(buffer, buffer + n, pages);
  const std::size_t used = pages * page_size();
  return used < limit.rlim_cur ? limit.rlim_cur - used : 0;
}

std::error_code populate(std::span<const range> ranges) noexcept {
  return advise(ranges, madv_populate_write);
}

std::error_code discard(std::span<const range> ranges) noexcept {
  return advise(ranges, MADV_DONTNEED);
}

std::error_code resident_pages(range r, unsigned char* pages) noexcept {
  return mincore(r.begin, r.size, pages) == 0 ? std::error_code() : last_error();
}

// Both with plain read(2) into a fixed buffer: they are asked when mappings, and so perhaps malloc,
// have run out.
std::size_t max_map_count() noexcept {
  const int file = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  char buffer[32];
  const ssize_t n = read(file, buffer, sizeof buffer);
  close(file);
  std::size_t value = 0;
  if (n > 0) std::from_chars(buffer, buffer + n, value);
  return value;
}

std::size_t current_map_count() noexcept {
  const int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  char buffer[4096];
  std::size_t lines = 0;
  for (ssize_t n; (n = read(file, buffer, sizeof buffer)) > 0;) {
    lines += static_cast<std::size_t>(std::count(buffer, buffer + n, '\n'));
  }
  close(file);
  return lines;
}

}  // namespace weft::os
