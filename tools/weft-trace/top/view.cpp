// SPDX-License-Identifier: BSL-1.0
#include "top/view.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <span>
#include <sstream>
#include <string_view>
#include <tuple>

#include <fmt/format.h>

namespace weft::tools {
namespace {

// 3 digits and a letter: 0, 7.3, 512, 1.25k, 30M
std::string short_number(double n) {
  const char* unit = "";
  for (const char* next : {"k", "M", "G", "T"}) {
    if (n < 999.5) break;
    n /= 1000;
    unit = next;
  }
  return n == std::floor(n) && n < 1000 ? fmt::format("{:.0f}{}", n, unit)
                                        : fmt::format("{:.3g}{}", n, unit);
}

std::string short_time(double seconds) {
  if (seconds < 0) return "-";
  if (seconds < 1e-6) return fmt::format("{:.0f}ns", seconds * 1e9);
  if (seconds < 1e-3) return fmt::format("{:.3g}us", seconds * 1e6);
  if (seconds < 1) return fmt::format("{:.3g}ms", seconds * 1e3);
  if (seconds < 60) return fmt::format("{:.3g}s", seconds);
  const auto whole = static_cast<long long>(seconds);
  return whole < 3600 ? fmt::format("{}m{:02}s", whole / 60, whole % 60)
                      : fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
}

// Of so many processors; none is left out where the line that says so would take its place.
std::size_t shown_of(std::size_t processors, std::size_t most) {
  return processors <= most + 1 ? processors : most;
}

class runtime_view {
 public:
  runtime_view(const moment& before, const moment& now, labels runtime, processor_order order,
               std::size_t most_processors)
      : order_(order),
        most_processors_(most_processors),
        before_(before.metrics),
        now_(now.metrics),
        runtime_(std::move(runtime)),
        seconds_(std::max(
            value("weft_uptime_seconds") - before_.sum("weft_uptime_seconds", runtime_), 1e-9)) {}

  static constexpr std::size_t other_lines = 11;  // than those of processors
  void put(std::vector<std::string>& out) const {
    out.push_back(
        fmt::format("runtime {} \"{}\", up {}: {:.0f} processors, {:.0f} busy, {:.0f} searching",
                    runtime_.at("number"), runtime_.at("runtime"),
                    short_time(value("weft_uptime_seconds")), value("weft_processors_serving"),
                    value("weft_processors_busy"), value("weft_processors_searching")));
    // Every line fits into 80 columns, whatever the numbers.
    out.push_back(fmt::format("  fibers    {} alive: {} waiting, {} runnable, {} running; {}/s new",
                              short_number(value("weft_fibers")), fibers("waiting"),
                              fibers("runnable"), fibers("running"),
                              rate("weft_fibers_spawned_total")));
    out.push_back(fmt::format(
        "  latency   wake p50 {} p99 {}; start p50 {} p99 {}",
        latency("weft_wake_latency_seconds", 0.5), latency("weft_wake_latency_seconds", 0.99),
        latency("weft_start_latency_seconds", 0.5), latency("weft_start_latency_seconds", 0.99)));
    out.push_back(fmt::format("  rates     steps {}/s, parks {}/s, wakes {}/s, steals {}/s",
                              rate("weft_steps_total"), rate("weft_parks_total"),
                              rate("weft_wakes_total"), rate("weft_steals_total")));
    out.push_back(fmt::format("            injected {}/s, polls {}/s, events {}/s, timers {}/s",
                              rate("weft_injected_total"), rate("weft_polls_total"),
                              rate("weft_poll_events_total"), rate("weft_timers_fired_total")));
    out.push_back(fmt::format("  threads   {} serving, {} asleep, {} detached, {} frozen",
                              threads("serving"), threads("asleep"), threads("detached"),
                              threads("frozen")));
    out.push_back(fmt::format("            retakes {}/s, preemptions {}/s, stalls {}/s",
                              rate("weft_retakes_total"), rate("weft_preemptions_total"),
                              rate("weft_stalls_total")));
    out.push_back(fmt::format("  offload   {} running, {} idle; {} calls in line, {}/s ended",
                              short_number(value("weft_offload_threads", {{"state", "running"}})),
                              short_number(value("weft_offload_threads", {{"state", "idle"}})),
                              short_number(value("weft_offload_queue_length")),
                              rate("weft_offload_calls_total")));
    put_threads(out);
    put_processors(out);
  }

 private:
  [[nodiscard]] double value(const std::string& name, labels more = {}) const {
    return now_.sum(name, with(std::move(more)));
  }
  [[nodiscard]] std::string threads(const char* state) const {
    return short_number(value("weft_threads", {{"state", state}}));
  }
  [[nodiscard]] std::string fibers(const char* state) const {
    return short_number(value("weft_fibers", {{"state", state}}));
  }
  [[nodiscard]] labels with(labels more) const {
    more.insert(runtime_.begin(), runtime_.end());
    return more;
  }
  [[nodiscard]] double per_second(const std::string& name, labels more = {}) const {
    const labels of = with(std::move(more));
    return std::max(now_.sum(name, of) - before_.sum(name, of), 0.0) / seconds_;
  }
  [[nodiscard]] std::string rate(const std::string& name, labels more = {}) const {
    return short_number(std::round(per_second(name, std::move(more)) * 10) / 10);
  }

  // Of the time between; "-" if nothing was timed then.
  [[nodiscard]] std::string latency(const std::string& name, double q) const {
    std::vector<std::pair<double, double>> buckets;
    for (const series& s : now_.all(name + "_bucket")) {
      if (s.with.at("number") != runtime_.at("number")) continue;
      const std::string& bound = s.with.at("le");
      const double end =
          bound == "+Inf" ? std::numeric_limits<double>::infinity() : std::stod(bound);
      buckets.emplace_back(end, s.value - before_.sum(name + "_bucket", with({{"le", bound}})));
    }
    return short_time(quantile(buckets, q));
  }

  // The busiest; a thread has no processor for long.
  void put_threads(std::vector<std::string>& out) const {
    constexpr std::size_t most = 5;
    std::vector<std::pair<double, std::string>> busy;
    for (const series& t : now_.all("weft_thread_cpu_seconds_total"))
      if (t.with.at("number") == runtime_.at("number"))
        busy.emplace_back(
            100 * per_second("weft_thread_cpu_seconds_total", {{"tid", t.with.at("tid")}}),
            t.with.at("tid"));
    std::sort(busy.begin(), busy.end(), std::greater<>());
    std::string line = "  cpu      ";
    for (std::size_t i = 0; i < std::min(busy.size(), most); ++i)
      line += fmt::format("{} {}: {:.1f} %", i > 0 ? "," : "", busy[i].second, busy[i].first);
    out.push_back(line);
  }

  struct processor_line {
    std::string index, thread = "-";
    double load = 0, queue = 0, steps = 0;
  };
  [[nodiscard]] std::vector<processor_line> processors() const {
    std::vector<processor_line> out;
    for (const series& p : now_.all("weft_queue_length")) {
      if (p.with.at("number") != runtime_.at("number")) continue;
      processor_line line;
      line.index = p.with.at("processor");
      line.queue = p.value;
      line.steps = per_second("weft_processor_steps_total", {{"processor", line.index}});
      for (const series& t : now_.all("weft_thread_processor")) {
        if (t.with.at("number") != runtime_.at("number") ||
            fmt::format("{:.0f}", t.value) != line.index)
          continue;
        line.thread = t.with.at("tid");
        line.load = 100 * per_second("weft_thread_cpu_seconds_total", {{"tid", line.thread}});
      }
      out.push_back(std::move(line));
    }
    const auto sort_by = [&](double processor_line::* value) {
      std::stable_sort(
          out.begin(), out.end(),
          [=](const processor_line& a, const processor_line& b) { return a.*value > b.*value; });
    };
    if (order_ == processor_order::load) sort_by(&processor_line::load);
    if (order_ == processor_order::queue) sort_by(&processor_line::queue);
    if (order_ == processor_order::steps) sort_by(&processor_line::steps);
    return out;
  }
  // The load: the CPU time of the thread that holds it now.
  void put_processors(std::vector<std::string>& out) const {
    out.push_back(fmt::format("  {:>9} {:>7} {:>7} {:>7} {:>9} {:>9}", "PROCESSOR", "LOAD", "QUEUE",
                              "TIMERS", "STEPS/s", "THREAD"));
    const std::vector<processor_line> all = processors();
    const std::size_t shown = shown_of(all.size(), most_processors_);
    for (const processor_line& p : std::span(all).first(shown))
      out.push_back(fmt::format("  {:>9} {:>5.1f} % {:>7} {:>7} {:>9} {:>9}", p.index, p.load,
                                short_number(p.queue),
                                short_number(value("weft_timers", {{"processor", p.index}})),
                                short_number(std::round(p.steps * 10) / 10), p.thread));
    if (shown < all.size()) out.push_back(fmt::format("  and {} more", all.size() - shown));
    out.push_back(fmt::format("  {:>9} {:>7} {:>7}", "inject", "",
                              short_number(value("weft_inject_queue_length"))));
  }

  const processor_order order_;
  const std::size_t most_processors_;
  const sample &before_, &now_;
  const labels runtime_;
  const double seconds_;
};

// How many processors each runtime may show, so that the waits are on the screen, or the first of
// them, on its lower half.
std::size_t most_processors(const moment& now, const view_options& o) {
  std::map<std::string, std::size_t> processors;  // by runtime
  for (const series& p : now.metrics.all("weft_queue_length")) ++processors[p.with.at("number")];
  std::size_t most = 0;
  for (const auto& [runtime, n] : processors) most = std::max(most, n);
  if (o.rows == 0) return most;
  const std::size_t waits = now.longest.empty() ? 0 : std::min(1 + now.longest.size(), o.rows / 2);
  const auto lines = [&](std::size_t at_most) {
    std::size_t sum = 1 + (o.has_keys ? 1 : 0) + waits;
    for (const auto& [runtime, n] : processors) {
      const std::size_t shown = shown_of(n, at_most);
      sum += runtime_view::other_lines + shown + (shown < n ? 1 : 0);
    }
    return sum;
  };
  while (most > 1 && lines(most) > o.rows) --most;
  return most;
}

std::string title(pid_t pid, const std::string& program) {
  return fmt::format("weft-trace top - {} (PID {})", program, pid);
}

constexpr const char* text_of(wait_order by) {
  switch (by) {
    case wait_order::time:
      return "time";
    case wait_order::reason:
      return "reason";
    case wait_order::fiber:
      return "fiber";
    case wait_order::function:
      return "function";
  }
  return "?";
}
constexpr const char* text_of(processor_order by) {
  switch (by) {
    case processor_order::number:
      return "number";
    case processor_order::load:
      return "load";
    case processor_order::queue:
      return "queue";
    case processor_order::steps:
      return "steps";
  }
  return "?";
}

}  // namespace

void sort_waits(std::vector<waiting_fiber>& waits, wait_order by) {
  const auto rank = [by](const waiting_fiber& f) {
    const bool by_text = by == wait_order::reason || by == wait_order::function;
    return std::tuple(by == wait_order::function && f.function.empty(),
                      !by_text                   ? std::string_view()
                      : by == wait_order::reason ? std::string_view(f.reason)
                                                 : std::string_view(f.function),
                      by == wait_order::fiber ? f.id() : 0, -f.seconds);
  };
  std::stable_sort(waits.begin(), waits.end(), [&](const waiting_fiber& a, const waiting_fiber& b) {
    return rank(a) < rank(b);
  });
}

std::vector<std::string> render_top(pid_t pid, const std::string& program, const moment& before,
                                    const moment& now, const view_options& o) {
  std::vector<std::string> out;
  double cpu = 0, time = 0;
  for (const series& s : now.metrics.all("weft_thread_cpu_seconds_total"))
    cpu += std::max(s.value - before.metrics.sum("weft_thread_cpu_seconds_total", s.with), 0.0);
  for (const series& s : now.metrics.all("weft_uptime_seconds"))
    time = std::max(time, s.value - before.metrics.sum("weft_uptime_seconds", s.with));
  out.push_back(
      fmt::format("{}, CPU {:.0f} %", title(pid, program), time > 0 ? 100 * cpu / time : 0));
  if (o.has_keys)
    out.push_back(
        fmt::format("  p: processors by {}, s: waits by {}, Enter: a fiber's stack, q: quit",
                    text_of(o.processors), text_of(o.waits)));
  const auto& runtimes = now.metrics.all("weft_uptime_seconds");
  if (runtimes.empty()) out.push_back("no runtime lives in it now");
  const std::size_t most = most_processors(now, o);
  for (const series& s : runtimes) runtime_view(before, now, s.with, o.processors, most).put(out);
  if (now.longest.empty()) return out;
  out.push_back("  LONGEST WAITS");
  std::vector<waiting_fiber> waits = now.longest;
  sort_waits(waits, o.waits);
  for (std::size_t i = 0; i < waits.size(); ++i) {
    const waiting_fiber& f = waits[i];
    out.push_back(fmt::format("{} {:>9} {:<18} {}{}{}", o.has_keys && i == o.selected ? '>' : ' ',
                              short_time(f.seconds), f.reason, f.fiber,
                              f.function.empty() ? "" : " in ", f.function));
  }
  return out;
}

std::vector<std::string> render_fiber(pid_t pid, const std::string& program,
                                      const std::string& text) {
  std::vector<std::string> out = {title(pid, program) + ": one fiber; Escape goes back"};
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) out.push_back(line);
  return out;
}

std::vector<std::string> cut_to(std::vector<std::string> lines, std::size_t columns,
                                std::size_t rows) {
  if (lines.size() > rows) lines.resize(rows);
  for (std::string& line : lines) {
    std::size_t width = 0, at = 0;
    for (; at < line.size(); ++at) {
      auto& c = reinterpret_cast<unsigned char&>(line[at]);
      if (c < 0x20 || c == 0x7f) c = '?';
      if ((c & 0xc0) == 0x80) continue;  // goes on with the character before
      if (width++ == columns) break;
    }
    line.resize(at);
  }
  return lines;
}

}  // namespace weft::tools
