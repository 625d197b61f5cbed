// SPDX-License-Identifier: BSL-1.0
// debug/profile.cpp - the sampling profiler of weft/profile.hpp.
//
//   collector  every 20 ms: gives each worker's thread a timer of its CPU clock, empties the rings,
//              sums equal stacks
//   handler    on the worker's alternate stack: notes fiber, name and stack in the thread's ring
//              (profile_signal.hpp)
//   stop       timers off, the last samples, names for the addresses, the file
// Rejected: setitimer (one timer for the process, its signal goes to any thread); unwinding by
// tables in the handler (right without frame pointers, but one function with wrong tables ends the
// process).
#include <weft/profile.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include <cxxabi.h>
#include <time.h>
#include <unistd.h>

#include "base/lock_guard.hpp"
#include "base/one_line.hpp"
#include "base/utf8.hpp"
#include "base/zero_byte.hpp"
#include "debug/code_location.hpp"
#include "debug/link_register.hpp"
#include "debug/profile_signal.hpp"
#include "os/errno_guard.hpp"
#include "os/fault_signals.hpp"
#include "os/os.hpp"
#include "os/output_file.hpp"
#include "sched/worker.hpp"
#include "trace/event.hpp"
#include "watch/metrics.hpp"

namespace weft::profile {
namespace {

using namespace weft::detail;

std::int64_t cpu_of_process() noexcept {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

struct file_closer {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
using owned_file = std::unique_ptr<std::FILE, file_closer>;

class collector {
 public:
  collector(const options& o, owned_file file) : options_(o), file_(std::move(file)) {
    const os::block_signals blocked;
    thread_ = std::thread([this] { main(); });
    trace::spawns_watched.fetch_or(trace::spawns_for_profiler, std::memory_order_relaxed);
  }

  statistics stop() {
    {
      const std::lock_guard guard(lock_);
      ends_ = true;
    }
    wake_.notify_one();
    thread_.join();
    sampling.store(false, std::memory_order_relaxed);
    trace::spawns_watched.fetch_and(~std::uint32_t{trace::spawns_for_profiler},
                                    std::memory_order_relaxed);
    // Nothing here throws: the next profile finds every thread free.
    for_each_thread([](sampled_thread& t) {
      t.timer.stop();
      t.thread.store(0, std::memory_order_relaxed);
    });
    try {
      for_each_thread([this](sampled_thread& t) { take(t); });
    } catch (...) {  // no memory; nor are they the next profile's
      for_each_thread([](sampled_thread& t) {
        t.ring.take([](const profile_sample&) {});
        static_cast<void>(t.ring.take_dropped());
      });
      throw;
    }
    const std::int64_t used = (cpu_of_process() - cpu_before_) / (1'000'000'000 / options_.hertz);
    const auto seen = static_cast<std::int64_t>(result_.samples + result_.dropped);
    result_.elsewhere = static_cast<std::uint64_t>(std::max<std::int64_t>(used - seen, 0));
    write();
    return result_;
  }

 private:
  static constexpr std::chrono::milliseconds pause{20};

  template <class Visit>
  static void for_each_thread(Visit&& visit) {
    for (sampled_thread* t = sampled_threads.load(std::memory_order_relaxed); t != nullptr;
         t = t->next)
      visit(*t);
  }

  void main() {
    os::set_thread_name("weft-profile");
    sampling.store(true, std::memory_order_relaxed);
    std::unique_lock hold(lock_);
    do {
      try {
        look();
      } catch (const std::bad_alloc&) {  // perhaps next time; the rings count what they drop
      }
    } while (!wake_.wait_for(hold, pause, [&] { return ends_; }));
  }

  // Timers for threads that are new, none for those that have gone; and what the rings hold.
  void look() {
    for_each_thread([](sampled_thread& t) { t.seen = false; });
    for (const runtime_metrics& m : measure_all())
      for (const worker_metrics& w : m.workers) see(w.thread_id);
    for_each_thread([this](sampled_thread& t) {
      take(t);
      if (t.seen || t.thread.load(std::memory_order_relaxed) == 0) return;
      t.timer.stop();
      t.thread.store(0, std::memory_order_relaxed);
    });
  }

  void see(pid_t id) {
    sampled_thread* unused = nullptr;
    for (sampled_thread* t = sampled_threads.load(std::memory_order_relaxed); t != nullptr;
         t = t->next) {
      const pid_t now = t->thread.load(std::memory_order_relaxed);
      if (now == id) {
        t->seen = true;
        return;
      }
      if (now == 0) unused = t;
    }
    if (unused == nullptr) {
      unused = new sampled_thread;
      unused->next = sampled_threads.load(std::memory_order_relaxed);
      sampled_threads.store(unused, std::memory_order_release);  // on_profile_signal
    }
    unused->thread.store(id, std::memory_order_relaxed);
    unused->seen = true;
    if (unused->timer.start(id, options_.signal, 1'000'000'000 / options_.hertz, unused))
      unused->thread.store(0, std::memory_order_relaxed);  // it has just ended
    else
      ++result_.threads;
  }

  void take(sampled_thread& t) {
    t.ring.take([&](const profile_sample& s) {
      if (s.name[0] != 0) names_.try_emplace(s.fiber, without_half_character(s.name));
      if (s.spawned_at != 0) sites_.try_emplace(s.fiber, s.spawned_at);
      stack_key key{s.at == profile_sample::where::fiber ? s.fiber : 0,
                    s.at,
                    s.cut,
                    {s.frames.begin(), s.frames.begin() + s.frame_count}};
      if (s.has_link &&
          !returns_to_link(s.frames[0], s.frames[1], s.frame_count > 2 ? s.frames[2] : 0))
        key.frames.erase(key.frames.begin() + 1);
      stacks_[std::move(key)] += s.weight;
      result_.samples += s.weight;
    });
    result_.dropped += t.ring.take_dropped();
  }

  const std::string& name_of(std::uintptr_t address) {
    const auto [at, fresh] = functions_.try_emplace(address);
    if (!fresh) return at->second;
    const code_location code = locate(reinterpret_cast<const void*>(address));
    int status = -1;
    const std::unique_ptr<char, decltype(&std::free)> demangled(
        abi::__cxa_demangle(code.function, nullptr, nullptr, &status), &std::free);
    std::string& text = at->second;
    if (status == 0) {
      text = demangled.get();
    } else if (code.function[0] != 0) {
      text = code.function;
    } else if (code.module != nullptr) {
      char offset[32];
      std::snprintf(offset, sizeof offset, "+0x%zx", code.offset_in_module);
      const char* const slash = std::strrchr(code.module, '/');
      text = std::string(slash != nullptr ? slash + 1 : code.module) + offset;
    } else {
      text = "(unknown)";
    }
    return text;
  }

  // With the place in the file, from which weft-trace lines makes the line.
  std::string site_text(std::uintptr_t return_address) {
    const auto* const call = reinterpret_cast<const void*>(return_address - 1);
    return "spawned by " + name_of(return_address - 1) + " " + module_text(locate(call));
  }

  void write() {
    std::map<std::string, std::uint64_t> lines;
    for (const auto& [key, count] : stacks_) {
      std::string line;
      if (key.at == profile_sample::where::fiber) {
        const auto name = names_.find(key.fiber);
        line = name != names_.end() ? one_line(name->second) : "(unnamed)";
        std::replace(line.begin(), line.end(), ';', ':');
        const auto site = sites_.find(key.fiber);
        line.append(";").append(site != sites_.end() ? site_text(site->second)
                                                     : "(spawned before the profile)");
      } else {
        line = "(scheduler)";
      }
      if (key.cut) line += ";(deeper)";
      for (auto frame = key.frames.rbegin(); frame != key.frames.rend(); ++frame) {
        // A return address is behind its call, which may be the last of its function.
        const bool innermost = frame + 1 == key.frames.rend();
        const std::string& function = name_of(innermost ? *frame : *frame - 1);
        if (function.starts_with("weft::detail::(anonymous namespace)::fiber_entry(") ||
            function.starts_with("weft::detail::(anonymous namespace)::run_fibers("))
          continue;  // the same for all
        line.append(";").append(function);
      }
      lines[line] += count;
    }
    if (result_.elsewhere > 0) lines["(other threads);(not sampled)"] = result_.elsewhere;
    bool good = true;
    for (const auto& [line, count] : lines)
      good &= std::fprintf(file_.get(), "%s %llu\n", line.c_str(),
                           static_cast<unsigned long long>(count)) > 0;
    good &= std::fclose(file_.release()) == 0;
    if (!good)
      throw std::system_error(os::error_number(), std::generic_category(),
                              "weft::profile::stop: " + options_.path);
  }

  struct stack_key {
    std::uint64_t fiber;
    profile_sample::where at;
    bool cut;
    std::vector<std::uintptr_t> frames;
    auto operator<=>(const stack_key&) const = default;
  };

  const options options_;
  owned_file file_;
  const std::int64_t cpu_before_ = cpu_of_process();
  std::mutex lock_;
  std::condition_variable wake_;
  bool ends_ = false;  // under lock_, which has to be a std::mutex for wake_
  // The collector's, then stop's.
  std::map<stack_key, std::uint64_t> stacks_;
  std::unordered_map<std::uint64_t, std::string> names_;
  std::unordered_map<std::uint64_t, std::uintptr_t> sites_;
  std::unordered_map<std::uintptr_t, std::string> functions_;
  statistics result_{};
  std::thread thread_;
};

// Never destroyed: a profile that still runs is stopped at exit, by the thread that gets there.
base::mutex& running_lock = *new base::mutex;
constinit collector* running WEFT_GUARDED_BY(running_lock) = nullptr;

void stop_at_exit() noexcept {
  static std::once_flag once;
  std::call_once(once, [] {
    static const pid_t here = ::getpid();
    std::atexit([] {
      if (::getpid() != here) return;  // a forked child that exits: it has no collector
      try {
        const statistics s = stop();
        if (s.dropped > 0)
          os::write_stderr("weft: profile: " + std::to_string(s.dropped) +
                           " samples were dropped\n");
      } catch (const std::exception& e) {
        os::write_stderr(std::string("weft: profile: ") + e.what() + "\n");
      }
    });
  });
}

owned_file open_file(const std::string& path) {
  const int fd = os::open_output(path.c_str(), 0666);
  owned_file file(fd >= 0 ? ::fdopen(fd, "w") : nullptr);
  if (file != nullptr) return file;
  const int error = fd >= 0 ? os::error_number() : -fd;
  if (fd >= 0) ::close(fd);
  throw std::system_error(
      error, std::generic_category(),
      "weft::profile: " + path + (error == EBUSY ? ", which another process writes" : ""));
}

[[noreturn]] void refuse(const std::string& text) {
  throw std::system_error(std::make_error_code(std::errc::invalid_argument),
                          "weft::profile: " + text);
}

}  // namespace

void start(const options& o) {
  if (o.hertz < 1 || o.hertz > 1000)
    refuse("options::hertz is " + std::to_string(o.hertz) + "; it must be 1 to 1000");
  if (os::is_fault_signal(o.signal))
    refuse("options::signal is " + std::to_string(o.signal) +
           ", the signal of a crash; choose SIGPROF or a real-time one");
  weft::detail::refuse_zero_byte(o.path, "weft::profile: options::path");
  const base::lock_guard guard(running_lock);
  if (running != nullptr)
    throw std::system_error(std::make_error_code(std::errc::device_or_resource_busy),
                            "weft::profile: it runs already");
  if (const auto ec = os::install_signal_handler(o.signal, &on_profile_signal))
    throw std::system_error(
        ec, "weft::profile: no handler for options::signal " + std::to_string(o.signal));
  running = new collector(o, open_file(o.path));
  stop_at_exit();
}

statistics stop() {
  const base::lock_guard guard(running_lock);
  if (running == nullptr) return {};
  const std::unique_ptr<collector> last(std::exchange(running, nullptr));
  return last->stop();
}

void start_from_environment() noexcept {
  static std::once_flag once;
  std::call_once(once, [] {
    const char* const path = std::getenv("WEFT_PROFILE");
    if (path == nullptr || *path == '\0') return;
    try {
      options o;
      o.path = path;
      start(o);
    } catch (const std::exception& e) {
      os::write_stderr(std::string("weft: WEFT_PROFILE=") + path + ": " + e.what() +
                       "; nothing is profiled\n");
    }
  });
}

}  // namespace weft::profile
