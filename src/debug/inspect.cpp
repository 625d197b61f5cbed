// SPDX-License-Identifier: BSL-1.0
// debug/inspect.cpp - the process's side of the port; the table of what can be asked is at its end.
#include "debug/inspect.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <exception>
#include <thread>

#include <sys/time.h>
#include <unistd.h>

#include <weft/debug.hpp>
#include <weft/metrics.hpp>
#include <weft/version.hpp>

#include "base/one_line.hpp"
#include "debug/dump_trigger.hpp"
#include "debug/fiber_report.hpp"
#include "debug/longest_waits.hpp"
#include "debug/running_snapshot.hpp"
#include "os/errno_guard.hpp"
#include "os/os.hpp"
#include "sched/scheduler.hpp"
#include "sched/wake_word.hpp"

namespace weft::detail {
namespace {

constexpr std::size_t most_tool_requests = 16;
constexpr int most_answers = 8;                 // at a time
constexpr std::size_t longest_question = 4352;  // a verb and a path

constinit std::array<std::atomic<std::uint64_t>, most_tool_requests> tool_requests{};  // 0: free
constinit std::atomic<int> answers{0};  // threads at it; relaxed, it only bounds them

// 3, on whatever thread the kernel chose.
bool on_tool_request(int, siginfo_t* info, void*) {
  if (info->si_code != SI_QUEUE) return false;
  const auto value = reinterpret_cast<std::uintptr_t>(info->si_value.sival_ptr);
  if (!is_tool_request(value)) return false;
  const bool known = std::any_of(tool_requests.begin(), tool_requests.end(), [&](const auto& k) {
    // asked again before the service thread came
    return k.load(std::memory_order_relaxed) == value;
  });
  for (auto slot = tool_requests.begin(); !known && slot != tool_requests.end(); ++slot) {
    std::uint64_t free = 0;
    if (slot->compare_exchange_strong(free, value, std::memory_order_release,
                                      std::memory_order_relaxed))
      break;
  }
  wake_all_service_threads();
  return true;
}

class connection {
 public:
  explicit connection(std::uint64_t tool_request) noexcept
      : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (fd_ < 0) return;
    const port_address to(tool_request);
    wait_at_most(SO_SNDTIMEO, std::chrono::steady_clock::now() + port_timeout);
    connected_ = ::connect(fd_, to.get(), to.size) == 0;
  }
  ~connection() {
    if (fd_ >= 0) ::close(fd_);
  }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  // DIAG-1. The credentials are those the listener had when it began to listen.
  [[nodiscard]] bool is_trusted() const noexcept {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (!connected_ || getsockopt(fd_, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
    return peer.uid == 0 || peer.uid == geteuid();
  }
  // Up to the newline; false: none came.
  [[nodiscard]] bool read_line(std::string& line) const {
    // DIAG-3: for the question as a whole
    const auto until = std::chrono::steady_clock::now() + port_timeout;
    std::array<char, longest_question> text;
    while (line.size() < longest_question && wait_at_most(SO_RCVTIMEO, until)) {
      const ssize_t n = recv(fd_, text.data(), longest_question - line.size(), 0);
      if (n < 0 && os::error_number() == EINTR) continue;
      if (n <= 0) return false;
      line.append(text.data(), static_cast<std::size_t>(n));
      if (const std::size_t end = line.find('\n'); end != std::string::npos) {
        line.resize(end);
        return true;
      }
    }
    return false;
  }
  // DIAG-4. Blocks: until the tool has nothing more to say, or is gone.
  void wait_for_end() const {
    std::array<char, 64> text;
    for (;;) {
      const bool waits = wait_at_most(SO_RCVTIMEO, std::chrono::steady_clock::now() + port_timeout);
      const ssize_t n = waits ? recv(fd_, text.data(), text.size(), 0) : 0;
      if (n > 0) continue;
      const int error = n < 0 ? os::error_number() : 0;
      if (error != EINTR && error != EAGAIN) return;
    }
  }
  void write(const answer& a) const {
    write((a.good ? "ok " : "error ") + std::to_string(a.text.size()) + "\n" + a.text);
  }
  void write(std::string_view text) const noexcept {
    // and the answer, which may be long
    const auto until = std::chrono::steady_clock::now() + 12 * port_timeout;
    while (!text.empty() && wait_at_most(SO_SNDTIMEO, until)) {
      const ssize_t n = send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (n < 0 && os::error_number() == EINTR) continue;
      if (n <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
  }

 private:
  // The next call's patience, and the deadline of all of them. False: it has passed.
  bool wait_at_most(int option, std::chrono::steady_clock::time_point until) const noexcept {
    using namespace std::chrono;
    const auto left = std::min<microseconds>(
        duration_cast<microseconds>(until - steady_clock::now()), port_timeout);
    if (left <= microseconds::zero()) return false;
    const timeval patience{left.count() / 1'000'000, left.count() % 1'000'000};
    return setsockopt(fd_, SOL_SOCKET, option, &patience, sizeof patience) == 0;
  }
  int fd_;
  bool connected_ = false;
};

template <class Get>
answer answer_or_error(Get get) {
  try {
    return get();
  } catch (const std::exception& e) {
    return {false, e.what()};
  }
}

void converse(std::uint64_t tool_request) {
  const connection tool(tool_request);
  std::string line;
  if (!tool.is_trusted() || !tool.read_line(line)) return;
  const answer first = answer_or_error([&] { return answer_inspection(line); });
  tool.write(first);
  if (!first.good || first.end == nullptr) return;
  tool.wait_for_end();
  tool.write(answer_or_error([&] { return answer{true, first.end()}; }));
}

// ---- what can be asked
answer answer_verbs(std::string_view);

answer answer_runtimes(std::string_view) {
  const runtimes_held runtimes;
  std::string out;
  for (const scheduler* s : runtimes.all())
    out += "runtime \"" + one_line(s->settings().name) + "\": " + std::to_string(s->workers()) +
           " workers, " + std::to_string(s->live_fibers()) + " fibers\n";
  return {true, std::move(out)};
}

answer answer_fibers(std::string_view) { return {true, debug::dump_fibers()}; }

answer answer_version(std::string_view) {
  return {true, std::string("weft ") + weft::version() + "\n"};
}

answer answer_metrics(std::string_view) { return {true, to_prometheus(metrics())}; }

answer answer_longest(std::string_view count) {
  std::size_t most = 10;
  const auto [end, ec] = std::from_chars(count.data(), count.data() + count.size(), most);
  if (!count.empty() && (ec != std::errc() || end != count.data() + count.size() || most > 10'000))
    return {false, "longest takes how many, up to 10000"};
  return {true, longest_waits(most)};
}

answer answer_fiber(std::string_view id) {
  std::uint64_t number = 0;
  const auto [end, ec] = std::from_chars(id.data(), id.data() + id.size(), number);
  if (ec != std::errc() || end != id.data() + id.size())
    return {false, "fiber takes the number of one"};
  std::string text = dump_fiber(number);
  const bool there = !text.empty();
  return {there, there ? std::move(text) : "there is no fiber " + std::to_string(number)};
}

struct verb {
  std::string_view name;
  answer (*give)(std::string_view arguments);  // may throw: what() is the answer
  std::string_view help;
};
constexpr verb verbs[] = {
    {"help", &answer_verbs, "this list"},
    {"version", &answer_version, "of the weft in the process"},
    {"dump", &answer_fibers, "all fibers: what they do, what they wait for, their calls"},
    {"runtimes", &answer_runtimes, "their names, workers and fibers"},
    {"metrics", &answer_metrics,
     "what they count and how long their queues are, as Prometheus reads it"},
    {"longest", &answer_longest,
     "N (10): the fibers that wait longest; nanoseconds, reason, fiber, function"},
    {"fiber", &answer_fiber, "NUMBER: what dump says of this one"},
    {"trace", &answer_trace, "FILE: records events into it until the tool goes (record --pid)"},
    {"profile", &answer_profile,
     "HERTZ FILE: samples CPU time until the tool goes (profile --pid)"},
};

answer answer_verbs(std::string_view) {
  std::string out;
  for (const verb& v : verbs) out.append(v.name).append("  ").append(v.help).append("\n");
  return {true, std::move(out)};
}

}  // namespace

// 4, by a service thread.
void answer_tool_requests() noexcept {
  write_dump_if_asked();
  for (auto& slot : tool_requests) {
    if (slot.load(std::memory_order_relaxed) == 0) continue;
    const std::uint64_t tool_request = slot.exchange(0, std::memory_order_acquire);
    if (tool_request == 0) continue;  // another runtime's service thread was quicker
    if (answers.fetch_add(1, std::memory_order_relaxed) >= most_answers) {  // DIAG-2
      answers.fetch_sub(1, std::memory_order_relaxed);
      continue;
    }
    try {
      const os::block_signals blocked;
      std::thread([tool_request] {
        os::set_thread_name("weft-inspect");
        try {
          converse(tool_request);
        } catch (const std::exception&) {  // no memory: DIAG-2
        }
        answers.fetch_sub(1, std::memory_order_relaxed);
      }).detach();
    } catch (const std::exception&) {  // no thread, no memory: DIAG-2
      answers.fetch_sub(1, std::memory_order_relaxed);
    }
  }
}

answer answer_inspection(std::string_view line) {
  const std::size_t space = std::min(line.find(' '), line.size());
  const std::string_view name = line.substr(0, space);
  for (const verb& v : verbs)
    if (v.name == name) return v.give(line.substr(std::min(space + 1, line.size())));
  return {false, "this weft cannot answer \"" + std::string(name) + "\"; it knows:\n" +
                     answer_verbs({}).text};
}

void open_diagnostics_port(int signal) noexcept {
  if (signal == 0) return;
  install_running_snapshot(signal);
  // the runtime's own says what is wrong
  static_cast<void>(os::install_signal_handler(signal, &on_tool_request));
}

}  // namespace weft::detail
