// SPDX-License-Identifier: BSL-1.0
#pragma once
// support/torture.hpp - fibers that do what must not be interrupted carelessly, with results that
// can be checked.

#include <doctest/doctest.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <iomanip>
#include <memory>
#include <mutex>
#include <random>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/seed.hpp"
#include "support/storm.hpp"

namespace weft::test {

struct torture_state {
  std::mutex lock;
  std::uint64_t under_lock = 0;  // lock
  std::atomic<std::uint64_t> jobs{0}, wrong{0};
  std::FILE* sink = std::fopen("/dev/null", "w");
  ~torture_state() { std::fclose(sink); }
};

inline fiber_local<std::uint64_t>& torture_local() {
  static fiber_local<std::uint64_t> value;
  return value;
}

inline std::uint64_t burn(std::uint64_t n) {
  std::uint64_t x = n | 1;
  for (std::uint64_t i = 0; i < n; ++i) x = x * 6364136223846793005U + 1442695040888963407U;
  return x;
}

// What torture_job does.
enum : unsigned {
  torture_memory,
  torture_throw,
  torture_lock,
  torture_stdio,
  torture_file,
  torture_regex,
  torture_iostream,
  torture_dlopen,
  torture_errno,
  torture_child,
  torture_channel,
  torture_park,
  torture_kinds
};

/// One job of kind `k`; `local` is what this fiber put into its fiber_local. False: a result was
/// wrong.
inline bool torture_job(torture_state& s, unsigned k, std::uint64_t local) {
  switch (k % torture_kinds) {
    case torture_memory: {
      std::vector<std::unique_ptr<std::string>> all;
      for (std::size_t i = 1; i < 60; ++i) all.push_back(std::make_unique<std::string>(i * 7, 'x'));
      std::size_t sum = 0;
      for (auto& a : all) sum += a->size();
      return sum == 7 * 59 * 60 / 2;
    }
    case torture_throw:
      try {
        throw std::runtime_error(std::to_string(k));
      } catch (const std::exception& e) {
        return e.what() == std::to_string(k) && std::uncaught_exceptions() == 0;
      }
    case torture_lock: {  // of the C++ library's
      const std::lock_guard guard(s.lock);
      const std::uint64_t before = s.under_lock;
      static_cast<void>(burn(2000));
      s.under_lock = before + 1;
      return true;
    }
    case torture_stdio:  // which locks inside
      return std::fprintf(s.sink, "%u %llu\n", k, static_cast<unsigned long long>(local)) > 0;
    case torture_file: {
      const int fd = ::open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
      char buffer[64];
      const ssize_t n = fd >= 0 ? ::read(fd, buffer, sizeof buffer) : -1;
      if (fd >= 0) ::close(fd);
      return n > 0;
    }
    case torture_regex: {  // recursion and allocation in somebody else's code
      static const std::regex words("(\\w+) (\\w+)@(\\d+)");
      std::smatch m;
      const std::string text = "some where@" + std::to_string(k);
      return std::regex_match(text, m, words) && m[3] == std::to_string(k);
    }
    case torture_errno: {  // it is the fiber's
      errno = static_cast<int>(k % 100) + 1;
      static_cast<void>(burn(3000));
      const bool kept = errno == static_cast<int>(k % 100) + 1;
      this_fiber::yield();
      return kept;
    }
    case torture_child: {
      auto child = weft::spawn([k] { return burn(k % 5000); });
      return child.join() == burn(k % 5000);
    }
    case torture_iostream: {
      std::ostringstream out;
      out << std::setw(12) << k << ' ' << std::fixed << std::setprecision(3) << 0.5 << ' '
          << std::hex << 255U;
      std::istringstream in(out.str());
      unsigned back = 0;
      double half = 0;
      std::string ff;
      in >> back >> half >> ff;
      return back == k && half == 0.5 && ff == "ff";
    }
    case torture_dlopen: {  // the dynamic linker's lock, and its memory
      void* const library = ::dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
      if (library == nullptr) return false;
      auto* const root = reinterpret_cast<double (*)(double)>(::dlsym(library, "sqrt"));
      const bool right = root != nullptr && root(16.0) == 4.0;
      return ::dlclose(library) == 0 && right;
    }
    case torture_channel: {
      channel<unsigned> numbers(k % 3);
      auto sender = weft::spawn([&] {
        for (unsigned i = 1; i <= 4; ++i) numbers.send(k + i);
        numbers.close();
      });
      unsigned sum = 0;
      for (const unsigned n : numbers) sum += n - k;
      sender.join();
      return sum == 10;
    }
    default:  // park
      this_fiber::sleep_for(std::chrono::microseconds(k % 300));
      return *torture_local() == local;
  }
}

/// For soak_time: 24 fibers on `n` workers under the storm. Everything must add up; memory must not
/// grow. `beside` is called again and again meanwhile.
inline void torture(
    std::size_t n, std::uint32_t storm,
    const std::function<void(weft::runtime&, std::minstd_rand&)>& beside = nullptr) {
  const auto chosen = static_cast<unsigned>(seed());
  INFO("seed " << seed() << ", workers " << n);
  torture_state s;
  weft::runtime rt(workers(n));
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> locked{0};
  std::vector<fiber<void>> fibers;
  for (unsigned i = 0; i < 24; ++i)
    fibers.push_back(rt.spawn([&, i] {
      std::minstd_rand random(chosen + i);
      *torture_local() = i;
      while (!stop.load(std::memory_order_relaxed)) {
        const auto k = static_cast<unsigned>(random());
        if (!torture_job(s, k, i)) s.wrong.fetch_add(1, std::memory_order_relaxed);
        if (k % torture_kinds == torture_lock) locked.fetch_add(1, std::memory_order_relaxed);
        s.jobs.fetch_add(1, std::memory_order_relaxed);
      }
    }));
  probe::storm(rt, storm);
  std::minstd_rand random(chosen + 99);
  const auto go_on = [&](std::chrono::milliseconds time) {
    if (!beside) return std::this_thread::sleep_for(time);
    for (const auto end = std::chrono::steady_clock::now() + time;
         std::chrono::steady_clock::now() < end;)
      beside(rt, random);
  };
  go_on(soak_time() / 4);
  const std::size_t warm = resident_kib();
  go_on(soak_time());
  const std::size_t after = resident_kib();
  stop.store(true, std::memory_order_relaxed);
  for (auto& f : fibers) f.join();
  probe::storm(rt, 0);
  std::printf("torture: %llu jobs, %llu preemptions, %llu retakes, %zu threads, %zu -> %zu KiB\n",
              static_cast<unsigned long long>(s.jobs.load()),
              static_cast<unsigned long long>(probe::preemptions(rt)),
              static_cast<unsigned long long>(probe::retakes(rt)), probe::threads(rt), warm, after);
  CHECK(s.wrong.load(std::memory_order_relaxed) == 0);
  CHECK(s.under_lock == locked.load(std::memory_order_relaxed));
  CHECK(s.jobs.load(std::memory_order_relaxed) > 0);
#if !WEFT_ASAN && !WEFT_TSAN
  if (resident_is_ours()) CHECK(after < warm + 8 * 1024);
#endif
  CHECK(rt.shutdown() == 0);
}

}  // namespace weft::test
