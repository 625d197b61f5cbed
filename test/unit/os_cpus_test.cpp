// SPDX-License-Identifier: BSL-1.0
#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <sched.h>
#include <sys/resource.h>

#include "os/os.hpp"
#include "support/in_child.hpp"

namespace {

using namespace weft;
namespace fs = std::filesystem;

TEST_CASE("quota text: rounded up, unlimited, nonsense") {
  CHECK(os::parse_cpu_quota("max 100000\n") == 0);
  CHECK(os::parse_cpu_quota("800000 100000\n") == 8);
  CHECK(os::parse_cpu_quota("150000 100000") == 2);
  CHECK(os::parse_cpu_quota("1000 100000") == 1);
  CHECK(os::parse_cpu_quota("200000\n") == 2);
  CHECK(os::parse_cpu_quota("-1\n 100000\n") == 0);
  CHECK(os::parse_cpu_quota("") == 0);
  CHECK(os::parse_cpu_quota("100000 0") == 0);
  CHECK(os::parse_cpu_quota("100000 x") == 0);
  CHECK(os::parse_cpu_quota("99999999999999999999 1") == 0);
  CHECK(os::parse_cpu_quota("9223372036854775807 1") > 0);
}

// A machine's /proc/self and cgroup trees in a temporary directory.
class fake_root {
 public:
  fake_root() {
    std::string name = (fs::temp_directory_path() / "weft-cgroup-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~fake_root() { fs::remove_all(path_); }
  void write(const std::string& file, const std::string& text) {
    const fs::path at = path_.string() + file;
    fs::create_directories(at.parent_path());
    std::ofstream(at) << text;
  }
  void remove(const std::string& file) { fs::remove(path_.string() + file); }
  unsigned limit() const { return os::cgroup_cpu_limit(path_.string()).value_or(0); }
  bool is_readable() const { return os::cgroup_cpu_limit(path_.string()).has_value(); }
  unsigned latest(std::atomic<unsigned>& known) const {
    return os::latest_cpu_limit(path_.string(), known);
  }

 private:
  fs::path path_;
};

const std::string v2_mount =
    "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";

TEST_CASE("cgroup v2: own limit, a tighter parent, none") {
  fake_root root;
  CHECK(root.limit() == 0);
  root.write("/proc/self/cgroup", "0::/a/b\n");
  root.write("/proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/vda rw\n" + v2_mount);
  CHECK(root.limit() == 0);
  root.write("/sys/fs/cgroup/a/b/cpu.max", "600000 100000\n");
  CHECK(root.limit() == 6);
  root.write("/sys/fs/cgroup/a/cpu.max", "250000 100000\n");
  CHECK(root.limit() == 3);
  root.write("/sys/fs/cgroup/a/cpu.max", "max 100000\n");
  CHECK(root.limit() == 6);
}

TEST_CASE("cgroup v2: the group is the mount's root, as in a namespace") {
  fake_root root;
  root.write("/proc/self/cgroup", "0::/\n");
  root.write("/proc/self/mountinfo", v2_mount);
  root.write("/sys/fs/cgroup/cpu.max", "400000 100000\n");
  CHECK(root.limit() == 4);
}

TEST_CASE("cgroup v1: two files, a container's mount root cut off its path") {
  fake_root root;
  root.write("/proc/self/cgroup", "5:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n0::/docker/x\n");
  root.write("/proc/self/mountinfo",
             "40 30 0:30 /docker/x /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
             "41 30 0:31 /docker/x /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
  root.write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "350000\n");
  root.write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  root.write("/sys/fs/cgroup/memory/cpu.cfs_quota_us", "100000\n");
  CHECK(root.limit() == 4);
  root.write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  CHECK(root.limit() == 0);
}

TEST_CASE("cgroup v1: a mount root that only begins like the group's path") {
  fake_root root;
  root.write("/proc/self/cgroup", "4:cpu:/docker2/x\n");
  root.write("/proc/self/mountinfo",
             "40 30 0:30 /docker /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n");
  root.write("/sys/fs/cgroup/cpu2/x/cpu.cfs_quota_us", "100000\n");  // no group of this process
  root.write("/sys/fs/cgroup/cpu2/x/cpu.cfs_period_us", "100000\n");
  CHECK(root.limit() == 0);
}

TEST_CASE("a quota that cannot be read any more is the one that was read last") {
  const auto end = test::in_child([] {
    fake_root root;
    root.write("/proc/self/cgroup", "0::/a\n");
    root.write("/proc/self/mountinfo", v2_mount);
    root.write("/sys/fs/cgroup/a/cpu.max", "200000 100000\n");
    std::atomic<unsigned> known{0};
    if (root.latest(known) != 2) return 1;
    rlimit usual{};
    getrlimit(RLIMIT_NOFILE, &usual);
    rlimit none = usual;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
    const unsigned without = root.latest(known);
    const bool readable = root.is_readable();
    setrlimit(RLIMIT_NOFILE, &usual);
    if (without != 2 || readable) return 2;
    root.remove("/proc/self/cgroup");  // as after a chroot
    if (root.latest(known) != 2) return 3;
    root.write("/proc/self/cgroup", "0::/a\n");
    root.write("/sys/fs/cgroup/a/cpu.max", "max 100000\n");
    return root.latest(known) == 0 ? 0 : 4;
  });
  CHECK(end.exit_code == 0);
}

TEST_CASE("usable_cpus: at least one, no more than the affinity mask") {
  CHECK(os::usable_cpus() >= 1);
  const auto end = test::in_child([] {
    cpu_set_t all, one;
    sched_getaffinity(0, sizeof all, &all);
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE; ++i) {
      if (CPU_ISSET(i, &all)) {
        CPU_SET(i, &one);
        break;
      }
    }
    sched_setaffinity(0, sizeof one, &one);
    return static_cast<int>(os::usable_cpus());
  });
  CHECK(end.exit_code == 1);
}

}  // namespace
