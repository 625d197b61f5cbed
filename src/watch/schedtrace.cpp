// SPDX-License-Identifier: BSL-1.0
// watch/schedtrace.cpp - see the header.
#include "watch/schedtrace.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/one_line.hpp"
#include "watch/metrics.hpp"

namespace weft::detail {
namespace {

constexpr long long longest_ms = 86'400'000;

// 0: not asked for, or not understood. Says so once.
std::int64_t schedtrace_ms() noexcept {
  static const long long ms = [] {
    const char* const value = std::getenv("WEFT_SCHEDTRACE");
    if (value == nullptr || *value == '\0') return 0LL;
    const std::string_view text = value;
    long long n = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (ec == std::errc() && end == text.data() + text.size() && n >= 0 && n <= longest_ms)
      return n;
    os::write_stderr("weft: WEFT_SCHEDTRACE=" + std::string(text) +
                     ": it must be the milliseconds from one line to the next, 1 to " +
                     std::to_string(longest_ms) + ", or 0 for none; nothing is printed\n");
    return 0LL;
  }();
  return ms;
}

std::string short_time(std::chrono::nanoseconds t) {
  char text[32];
  const auto ns = static_cast<double>(t.count());
  if (ns < 1e3)
    std::snprintf(text, sizeof text, "%.0fns", ns);
  else if (ns < 1e6)
    std::snprintf(text, sizeof text, "%.3gus", ns / 1e3);
  else if (ns < 1e9)
    std::snprintf(text, sizeof text, "%.3gms", ns / 1e6);
  else
    std::snprintf(text, sizeof text, "%.3gs", ns / 1e9);
  return text;
}

}  // namespace

schedtrace::schedtrace(scheduler& s) noexcept : s_(s), every_ns_(schedtrace_ms() * 1'000'000) {}

std::int64_t schedtrace::print() noexcept {
  if (every_ns_ != 0) at_ns_ = print_line();
  return at_ns_;
}

std::int64_t schedtrace::print_line() noexcept try {
  const std::int64_t now = os::now_ns();
  if (last_ == nullptr) {
    last_ = std::make_unique<runtime_metrics>(measure(s_));
    return now + every_ns_;
  }
  if (now < at_ns_) return at_ns_;
  const runtime_metrics m = measure(s_);
  const runtime_metrics& before = *last_;
  const double seconds =
      std::max(static_cast<double>((m.uptime - before.uptime).count()) / 1e9, 1e-9);
  const auto rate = [&](const char* what, std::uint64_t runtime_metrics::* field) {
    const auto more = static_cast<double>(m.*field - before.*field);
    char text[48];
    std::snprintf(text, sizeof text, " %s=%.0f/s", what, more / seconds);
    return std::string(text);
  };
  const auto number = [](const char* what, std::size_t n) {
    return " " + std::string(what) + "=" + std::to_string(n);
  };
  latency_histogram wakes = m.wake_latency;
  for (std::size_t i = 0; i < wakes.size; ++i) wakes.counts[i] -= before.wake_latency.counts[i];

  std::string line =
      "weft-sched " + std::to_string(m.uptime.count() / 1'000'000) + "ms " + one_line(m.name) + ":";
  line +=
      number("processors", m.serving) + number("busy", m.busy) + number("searching", m.searching);
  line += number("threads", m.threads) + number("asleep", m.asleep) +
          number("detached", m.detached) + number("frozen", m.frozen);
  line += number("fibers", m.alive) + number("waiting", m.waiting) +
          number("runnable", m.runnable) + number("running", m.running);
  line += number("inject", m.injected_now) + " queues=[";
  for (const processor_metrics& p : m.processors)
    line += (p.index > 0 ? " " : "") + (p.serving ? std::to_string(p.queued + p.next) : "-");
  line += "]" + rate("steps", &runtime_metrics::steps) + rate("spawns", &runtime_metrics::spawned) +
          rate("wakes", &runtime_metrics::wakes) + rate("steals", &runtime_metrics::steals) +
          rate("retakes", &runtime_metrics::retakes) +
          rate("preemptions", &runtime_metrics::preemptions);
  if (wakes.count() > 0)
    line += " wake-p50=" + short_time(wakes.quantile(0.5)) +
            " wake-p99=" + short_time(wakes.quantile(0.99));
  os::write_stderr(line + "\n");
  *last_ = m;
  const std::int64_t next = at_ns_ + every_ns_;
  return next > now ? next : now + every_ns_;  // late lines are not made up for
} catch (...) {                                // no memory for a line: perhaps for the next one
  return os::now_ns() + every_ns_;
}

}  // namespace weft::detail
