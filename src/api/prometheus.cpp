// SPDX-License-Identifier: BSL-1.0
// api/prometheus.cpp - the metrics as Prometheus reads them: families with HELP and TYPE, one after
// the other, each with the series of all runtimes. Counters end in _total, times are seconds,
// histogram intervals are cumulative.
// Rejected: a client library (prometheus-cpp-lite and others keep their own counters; here is one
// snapshot to print).
#include <weft/metrics.hpp>

#include <charconv>
#include <concepts>
#include <cstdint>
#include <string_view>

#include "base/utf8.hpp"

namespace weft {
namespace {

class page {
 public:
  explicit page(const process_metrics& m) : all_(m) {}

  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ").append(name);
    text_.append(" ").append(type).append("\n");
  }

  class labels {
   public:
    labels() = default;
    explicit labels(const runtime_metrics& m) {
      add("runtime", m.name);
      add("number", std::to_string(m.number));
    }
    labels& add(std::string_view name, std::string_view value) {
      text_ += text_.empty() ? "{" : ",";
      text_.append(name).append("=\"");
      while (!value.empty()) {
        const std::size_t length = detail::utf8_length(value);
        const std::string_view next = value.substr(0, length == 0 ? 1 : length);
        value.remove_prefix(next.size());
        if (length == 0)
          text_ += "\xef\xbf\xbd";  // U+FFFD: the page is UTF-8
        else if (next == "\n")
          text_ += "\\n";
        else
          text_.append(next == "\\" || next == "\"" ? "\\" : "").append(next);
      }
      text_ += '"';
      return *this;
    }
    [[nodiscard]] std::string text() const { return text_.empty() ? text_ : text_ + "}"; }

   private:
    std::string text_;
  };

  void sample(std::string_view suffix, const labels& l, auto value) {
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    text_.append(name_)
        .append(suffix)
        .append(l.text())
        .append(" ")
        .append(digits, end)
        .append("\n");
  }

  /// One series a runtime.
  template <class Value>
  void each(std::string_view name, std::string_view type, std::string_view help, Value&& value) {
    family(name, type, help);
    for (const runtime_metrics& m : all_.runtimes) sample("", labels(m), value(m));
  }
  void counter(std::string_view name, std::string_view help,
               std::uint64_t runtime_metrics::* field) {
    each(name, "counter", help, [&](const runtime_metrics& m) { return m.*field; });
  }
  void gauge(std::string_view name, std::string_view help, std::size_t runtime_metrics::* field) {
    each(name, "gauge", help, [&](const runtime_metrics& m) { return m.*field; });
  }
  /// Several series a runtime.
  template <class Put>
  void several(std::string_view name, std::string_view type, std::string_view help, Put&& put) {
    family(name, type, help);
    for (const runtime_metrics& m : all_.runtimes) put(m);
  }

  void histogram(std::string_view name, std::string_view help,
                 latency_histogram runtime_metrics::* field) {
    // Every octave from a microsecond to 34 s, of the four intervals each that are kept.
    constexpr std::size_t first = latency_histogram::index_of(1023),
                          last = latency_histogram::index_of((1LL << 35) - 1);
    family(name, "histogram", help);
    for (const runtime_metrics& m : all_.runtimes) {
      const latency_histogram& h = m.*field;
      std::uint64_t below = 0;
      for (std::size_t i = 0; i <= last; ++i) {
        below += h.counts[i];
        if (i < first || (i - first) % 4 != 0) continue;
        char bound[32];
        const auto end =
            std::to_chars(bound, bound + sizeof bound,
                          static_cast<double>(latency_histogram::end_of(i).count()) / 1e9)
                .ptr;
        sample("_bucket", labels(m).add("le", {bound, static_cast<std::size_t>(end - bound)}),
               below);
      }
      sample("_bucket", labels(m).add("le", "+Inf"), h.count());
      sample("_sum", labels(m), static_cast<double>(h.sum.count()) / 1e9);
      sample("_count", labels(m), h.count());
    }
  }

  [[nodiscard]] std::string take() && { return std::move(text_); }

 private:
  const process_metrics& all_;
  std::string name_;
  std::string text_;
};

double seconds(std::chrono::nanoseconds t) { return static_cast<double>(t.count()) / 1e9; }

void put_fibers(page& p) {
  using r = runtime_metrics;
  p.each("weft_uptime_seconds", "gauge", "Since the runtime was made.",
         [](const r& m) { return seconds(m.uptime); });
  p.several("weft_fibers", "gauge", "Fibers alive, by what they do.", [&](const r& m) {
    p.sample("", page::labels(m).add("state", "waiting"), m.waiting);
    p.sample("", page::labels(m).add("state", "runnable"), m.runnable);
    p.sample("", page::labels(m).add("state", "running"), m.running);
  });
  p.counter("weft_fibers_spawned_total", "Fibers spawned.", &r::spawned);
  p.counter("weft_fibers_ended_total", "Fibers that have ended.", &r::ended);
  p.counter("weft_steps_total", "Looks of a processor for its next fiber, vain ones included.",
            &r::steps);
  p.counter("weft_parks_total", "Fibers that left their stack to wait.", &r::parks);
  p.counter("weft_wakes_total", "Ends of such waits.", &r::wakes);
  p.histogram("weft_wake_latency_seconds", "From the end of a wait to running, of one wake in 64.",
              &r::wake_latency);
  p.histogram("weft_start_latency_seconds", "From spawn to running, of some spawns.",
              &r::start_latency);
}

void put_scheduler(page& p) {
  using r = runtime_metrics;
  p.gauge("weft_processors_serving", "Processors in service.", &r::serving);
  p.gauge("weft_processors_busy", "Processors held by a thread.", &r::busy);
  p.gauge("weft_processors_searching", "Threads with a processor that look for a fiber.",
          &r::searching);
  p.several("weft_queue_length", "gauge", "Fibers in a processor's queue and next slot.",
            [&](const r& m) {
              for (const processor_metrics& c : m.processors)
                p.sample("", page::labels(m).add("processor", std::to_string(c.index)),
                         c.queued + c.next);
            });
  p.several("weft_processor_steps_total", "counter",
            "Looks of this processor for its next fiber, vain ones included.", [&](const r& m) {
              for (const processor_metrics& c : m.processors)
                p.sample("", page::labels(m).add("processor", std::to_string(c.index)), c.steps);
            });
  p.several("weft_timers", "gauge", "Deadlines of a processor.", [&](const r& m) {
    for (const processor_metrics& c : m.processors)
      p.sample("", page::labels(m).add("processor", std::to_string(c.index)), c.timers);
  });
  p.gauge("weft_inject_queue_length", "Fibers in the queue that anybody may put into.",
          &r::injected_now);
  p.several("weft_threads", "gauge", "Threads that run fibers, by what they do.", [&](const r& m) {
    const std::size_t away = m.asleep + m.detached + m.frozen;
    p.sample("", page::labels(m).add("state", "serving"),
             m.threads - (away < m.threads ? away : m.threads));
    p.sample("", page::labels(m).add("state", "asleep"), m.asleep);
    p.sample("", page::labels(m).add("state", "detached"), m.detached);
    p.sample("", page::labels(m).add("state", "frozen"), m.frozen);
  });
  p.several("weft_thread_cpu_seconds_total", "counter", "CPU time of a thread that runs fibers.",
            [&](const r& m) {
              for (const worker_metrics& w : m.workers)
                p.sample("",
                         page::labels(m)
                             .add("worker", std::to_string(w.index))
                             .add("tid", std::to_string(w.thread_id)),
                         seconds(w.cpu_time));
            });
  p.several("weft_thread_processor", "gauge", "The processor a thread holds; -1: none.",
            [&](const r& m) {
              for (const worker_metrics& w : m.workers)
                p.sample("",
                         page::labels(m)
                             .add("worker", std::to_string(w.index))
                             .add("tid", std::to_string(w.thread_id)),
                         w.processor);
            });
  p.counter("weft_injected_total", "Fibers taken from the inject queue.", &r::injected);
  p.counter("weft_steals_total", "Raids on another processor's queue that brought something.",
            &r::steals);
  p.counter("weft_stolen_fibers_total", "Fibers they brought.", &r::stolen);
  p.counter("weft_thread_sleeps_total", "How often a thread found nothing to do.", &r::sleeps);
  p.counter("weft_retakes_total", "Processors taken from threads that blocked.", &r::retakes);
  p.counter("weft_preemptions_total", "Threads frozen because their fiber computed for too long.",
            &r::preemptions);
  p.counter("weft_stalls_total", "Stalls told to options::on_stall.", &r::stalls);
  p.counter("weft_polls_total", "Looks at the descriptors.", &r::polls);
  p.counter("weft_poll_events_total", "Fibers that a look at the descriptors readied.",
            &r::poll_events);
  p.counter("weft_timers_fired_total", "Deadlines that came.", &r::timers_fired);
}

void put_offload(page& p) {
  using r = runtime_metrics;
  p.several("weft_offload_threads", "gauge", "Threads for calls known to block.", [&](const r& m) {
    p.sample("", page::labels(m).add("state", "running"), m.offloads.running);
    p.sample("", page::labels(m).add("state", "idle"), m.offloads.idle);
  });
  p.each("weft_offload_queue_length", "gauge", "Calls in line for such a thread.",
         [](const r& m) { return m.offloads.queued; });
  p.each("weft_offload_calls_total", "counter", "Such calls that have ended.",
         [](const r& m) { return m.offloads.completed; });
}

void put_stacks(page& p, const std::vector<stack_metrics>& stacks) {
  const auto sized = [](const stack_metrics& s) {
    return page::labels().add("size", std::to_string(s.size));
  };
  p.family("weft_stacks", "gauge", "Stacks, by their size.");
  for (const stack_metrics& s : stacks) {
    p.sample("", sized(s).add("state", "free"), s.free);
    p.sample("", sized(s).add("state", "out"), s.made - s.free);
  }
  p.family("weft_stack_touched_bytes", "gauge",
           "What this share of the stacks of a size has touched at most.");
  for (const stack_metrics& s : stacks) {
    p.sample("", sized(s).add("share", "0.5"), s.touched_median);
    p.sample("", sized(s).add("share", "0.99"), s.touched_99);
    p.sample("", sized(s).add("share", "1"), s.touched_most);
  }
  p.family("weft_stack_suggested_bytes", "gauge",
           "The smallest stack size that would do, with a quarter to spare.");
  for (const stack_metrics& s : stacks) p.sample("", sized(s), s.suggested);
}

}  // namespace

std::string to_prometheus(const process_metrics& m) {
  page p(m);
  put_fibers(p);
  put_scheduler(p);
  put_offload(p);
  put_stacks(p, m.stacks);
  return std::move(p).take();
}

}  // namespace weft
