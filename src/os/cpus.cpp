// SPDX-License-Identifier: BSL-1.0
// os/cpus.cpp - how many processors are ours: the affinity mask and the cgroup quota.
//   1 /proc/self/cgroup: which group we are in   2 /proc/self/mountinfo: where that tree is mounted
//   3 the smallest quota from our group up to the mount: a parent's limit binds its children
// A process with 64 CPUs and a quota of 8 that starts 64 workers is throttled to the end of every
// period, so the quota counts; rounded up, because 1.5 CPUs still feed two workers.

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "os/errno_guard.hpp"
#include "os/os.hpp"

namespace weft::os {
namespace {

// A file that is there cannot be read: no descriptor left, another root, no permission.
struct unreadable {};

// Empty if it is not there and need not be.
enum class expected : bool { no, yes };
std::string read_file(const std::string& path, expected there = expected::no) {
  std::string text;
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    const int error = error_number();
    if (there == expected::no && (error == ENOENT || error == ENOTDIR)) return text;
    throw unreadable{};
  }
  char buffer[4096];
  for (ssize_t n; (n = read(file, buffer, sizeof buffer)) > 0;) {
    text.append(buffer, static_cast<std::size_t>(n));
  }
  close(file);
  return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end != 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

bool lists(std::string_view comma_separated, std::string_view wanted) {
  const auto parts = split(comma_separated, ',');
  return std::find(parts.begin(), parts.end(), wanted) != parts.end();
}

// "12:cpu,cpuacct:/group" (v1) or "0::/group" (v2); empty if we are in no such group.
std::string_view group_of(std::string_view cgroup_file, bool v2) {
  for (std::string_view line : split(cgroup_file, '\n')) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    if (v2 ? controllers.empty() : lists(controllers, "cpu")) return line.substr(second + 1);
  }
  return {};
}

unsigned quota_of(const std::string& directory, bool v2) {
  if (v2) return parse_cpu_quota(read_file(directory + "/cpu.max"));
  return parse_cpu_quota(read_file(directory + "/cpu.cfs_quota_us") + " " +
                         read_file(directory + "/cpu.cfs_period_us"));
}

unsigned smaller(unsigned a, unsigned b) { return a == 0 ? b : b == 0 ? a : std::min(a, b); }

// One line of mountinfo: "36 35 0:30 ROOT MOUNTPOINT opts… - cgroup2 source superopts".
unsigned limit_under(std::string_view mount_line, std::string_view root, std::string_view group,
                     bool v2) {
  const auto words = split(mount_line, ' ');
  const auto dash = std::find(words.begin(), words.end(), "-");
  if (words.size() < 6 || words.end() - dash < 4) return 0;
  if (dash[1] != (v2 ? "cgroup2" : "cgroup") || (!v2 && !lists(dash[3], "cpu"))) return 0;
  const std::string_view mount_root = words[3] == "/" ? std::string_view{} : words[3];
  // Without a cgroup namespace a container sees its path from the host's root, its mount from its
  // own.
  const bool below = group.substr(0, mount_root.size()) == mount_root &&
                     (group.size() == mount_root.size() || group[mount_root.size()] == '/');
  if (below) group.remove_prefix(mount_root.size());
  unsigned limit = 0;
  for (std::string path(group);; path.resize(path.rfind('/'))) {
    limit = smaller(limit, quota_of(std::string(root) + std::string(words[4]) + path, v2));
    if (path.rfind('/') == path.npos) return limit;
  }
}

unsigned affinity_count() {
  // The kernel refuses a mask smaller than its own, so grow until it fits.
  for (int cpus = 1024; cpus <= 1 << 20; cpus *= 2) {
    cpu_set_t* const set = CPU_ALLOC(cpus);
    if (set == nullptr) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(cpus);
    const bool known = sched_getaffinity(0, bytes, set) == 0;
    const int count = known ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (known) return static_cast<unsigned>(count);
  }
  return static_cast<unsigned>(std::max(sysconf(_SC_NPROCESSORS_ONLN), 1L));
}

}  // namespace

unsigned parse_cpu_quota(std::string_view text) noexcept {
  std::int64_t values[2] = {0, 100'000};  // v2 leaves the period out if it is the default
  const char* at = text.data();
  const char* const end = at + text.size();
  for (std::int64_t& value : values) {
    while (at != end && (*at == ' ' || *at == '\n')) ++at;
    if (at == end && &value != &values[0]) break;
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc{}) return 0;  // "max", nothing, nonsense
    at = next;
  }
  const auto [quota, period] = values;
  if (quota <= 0 || period <= 0) return 0;  // v1 spells unlimited -1
  const std::int64_t cpus = quota / period + (quota % period != 0 ? 1 : 0);
  return static_cast<unsigned>(std::min<std::int64_t>(cpus, 1 << 20));
}

std::optional<unsigned> cgroup_cpu_limit(std::string_view root) noexcept try {
  const std::string prefix(root);
  const std::string groups = read_file(prefix + "/proc/self/cgroup", expected::yes);
  const std::string mounts = read_file(prefix + "/proc/self/mountinfo", expected::yes);
  unsigned limit = 0;
  for (const bool v2 : {false, true}) {
    const std::string_view group = group_of(groups, v2);
    if (group.empty()) continue;
    for (std::string_view line : split(mounts, '\n')) {
      limit = smaller(limit, limit_under(line, root, group, v2));
    }
  }
  return limit;
} catch (...) {
  return std::nullopt;  // unreadable, or no memory
}

unsigned latest_cpu_limit(std::string_view root, std::atomic<unsigned>& known) noexcept {
  const std::optional<unsigned> limit = cgroup_cpu_limit(root);
  if (limit) known.store(*limit, std::memory_order_relaxed);
  return limit ? *limit : known.load(std::memory_order_relaxed);
}

unsigned online_cpus() noexcept {
  return static_cast<unsigned>(std::max(sysconf(_SC_NPROCESSORS_ONLN), 1L));
}

unsigned usable_cpus() noexcept {
  if (const unsigned pretended = test_hooks.usable_cpus.load(std::memory_order_relaxed))
    return pretended;
  // A process without a descriptor left must not take its quota for gone, and start more threads.
  static constinit std::atomic<unsigned> known{0};
  return std::max(smaller(affinity_count(), latest_cpu_limit("", known)), 1U);
}

}  // namespace weft::os
