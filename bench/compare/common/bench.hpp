// SPDX-License-Identifier: BSL-1.0
// common/bench.hpp - what every C++ subject of a comparison shares: its arguments, its clock, its
// lines.
//
// A subject is called as `subject WORKERS SIZE...`; the sizes come from bench/compare/workloads.py,
// the one place that knows them, so a subject has no defaults.  It prints lines that tools/compare
// reads:
//   version=TEXT      metric=NUMBER UNIT      answer=TEXT      starves=TEXT (it could not do its
//   job in time)
// Rejected: JSON (a library per language for four lines), a shared main() (each peer owns its main
// thread).
#pragma once

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

using clock = std::chrono::steady_clock;

struct arguments {
  std::size_t workers = 1;
  std::vector<std::int64_t> sizes;

  std::int64_t operator[](std::size_t i) const { return sizes[i]; }
};

inline std::int64_t parse_number(const char* text, const char* what) {
  char* end = nullptr;
  const long long value = std::strtoll(text, &end, 10);
  if (*text == '\0' || *end != '\0' || value < 0) {
    std::fprintf(stderr, "%s must be a non-negative integer, not \"%s\"\n", what, text);
    std::exit(2);
  }
  return value;
}

/// Reads `WORKERS` and the named sizes; says what was expected and exits with 2 when they do not
/// match.
inline arguments parse(int argc, char** argv, std::initializer_list<const char*> names) {
  if (argc != static_cast<int>(names.size()) + 2) {
    std::fprintf(stderr, "usage: %s WORKERS", argv[0]);
    for (const char* name : names) std::fprintf(stderr, " %s", name);
    std::fputc('\n', stderr);
    std::exit(2);
  }
  arguments parsed;
  parsed.workers = static_cast<std::size_t>(parse_number(argv[1], "WORKERS"));
  int i = 2;
  for (const char* name : names) parsed.sizes.push_back(parse_number(argv[i++], name));
  return parsed;
}

inline void version(std::string_view text) {
  std::printf("version=%.*s\n", static_cast<int>(text.size()), text.data());
}

inline void metric(const char* name, double value, const char* unit) {
  std::printf("%s=%.6g %s\n", name, value, unit);
}

inline void answer(std::int64_t value) {
  std::printf("answer=%lld\n", static_cast<long long>(value));
}

inline double ns_since(clock::time_point start) {
  return std::chrono::duration<double, std::nano>(clock::now() - start).count();
}

inline double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](timeval t) { return double(t.tv_sec) + double(t.tv_usec) * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

inline double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  double total = 0;
  double resident = 0;
  statm >> total >> resident;
  return resident * double(sysconf(_SC_PAGESIZE));
}

inline double mappings() {
  std::ifstream maps("/proc/self/maps");
  return double(std::count(std::istreambuf_iterator<char>(maps), {}, '\n'));
}

/// The value a share `p` of `samples` does not exceed.  Reorders them; 0 when there are none.
template <class T>
double percentile(std::vector<T>& samples, double p) {
  if (samples.empty()) return 0;
  const auto at = samples.begin() + std::ptrdiff_t(std::ceil(p * double(samples.size()))) - 1;
  std::nth_element(samples.begin(), at, samples.end());
  return double(*at);
}

template <class T>
double median(std::vector<T> samples) {
  return percentile(samples, 0.5);
}

/// Plain threads have no worker count: this confines the process to as many of its CPUs instead.
inline void use_cpus(std::size_t count) {
  cpu_set_t allowed;
  cpu_set_t chosen;
  CPU_ZERO(&chosen);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  for (int cpu = 0; cpu < CPU_SETSIZE && count > 0; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    CPU_SET(cpu, &chosen);
    --count;
  }
  sched_setaffinity(0, sizeof chosen, &chosen);
}

/// The lateness of a 1-ms-style ticker, in ms, and whether it ran often enough to be called
/// running.
class lateness {
 public:
  void add(clock::time_point asked, clock::time_point got) {
    late_.push_back(std::chrono::duration<float, std::milli>(got - asked).count());
  }
  /// `expected` ticks fitted into the window; fewer than one in a hundred of them is starving.
  void report(double expected) {
    metric("late_p50", percentile(late_, 0.50), "ms");
    metric("late_p99", percentile(late_, 0.99), "ms");
    metric("late_max", percentile(late_, 1), "ms");
    metric("ticks", double(late_.size()), "ticks");
    if (double(late_.size()) < expected / 100) {
      std::printf("starves=%zu of %.0f ticks\n", late_.size(), expected);
    }
  }

 private:
  std::vector<float> late_;
};

/// The pseudo-random sleeps of sleep20, the same in every language (and in workloads.py).
struct sleeps {
  std::uint64_t state;

  std::int64_t next_ms() {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return 1 + std::int64_t((state >> 33) % 50);
  }
};

}  // namespace bench
