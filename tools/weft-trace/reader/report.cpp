// SPDX-License-Identifier: BSL-1.0
// tools/weft-trace/reader/report.cpp - see the header. Each part is one function that appends its
// lines.
#include "reader/report.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "reader/contention.hpp"
#include "reader/histogram.hpp"
#include "reader/symbols.hpp"

namespace weft::tools {
namespace {

const char* to_text(slice_end how) {
  switch (how) {
    case slice_end::park:
      return "parked";
    case slice_end::yield:
      return "yielded";
    case slice_end::end:
      return "ended";
    case slice_end::preempted:
      return "was preempted";
    case slice_end::inline_join:
      return "ran a child";
    case slice_end::blocked:
      return "blocked in the kernel";
    case slice_end::cut_off:
      return "goes on";
  }
  return "?";
}

class writer {
 public:
  writer(const model& m, const report_options& o) : m_(m), o_(o), symbols_(m.source.modules) {}

  std::string all() {
    overview();
    workers();
    latencies();
    waits();
    objects();
    slices();
    fibers();
    sites();
    notes();
    return std::move(out_);
  }

 private:
  template <class... A>
  void line(fmt::format_string<A...> f, A&&... a) {
    out_ += fmt::format(f, std::forward<A>(a)...);
    out_ += '\n';
  }
  void heading(const char* text) { line("\n{}", text); }
  [[nodiscard]] std::uint64_t events(event e) const { return m_.counts[static_cast<unsigned>(e)]; }

  void overview() {
    const trace& t = m_.source;
    const std::int64_t length = m_.end - m_.begin;
    line("{} of process {}, {} events, {} generations{}", duration_text(length), t.pid,
         std::accumulate(std::begin(m_.counts), std::end(m_.counts), std::uint64_t{0}),
         t.generations,
         (t.flags & detail::trace::flag_flight) != 0 ? ", from a flight recorder" : "");
    if (t.dropped > 0)
      line("{} events were DROPPED: what follows is not the whole truth", t.dropped);
    if (t.overwritten > 0) line("{} older events were overwritten", t.overwritten);
    const auto ended = std::count_if(m_.fibers.begin(), m_.fibers.end(),
                                     [](const fiber& f) { return f.ended != INT64_MIN; });
    line("fibers: {} seen, {} spawned, {} ended", m_.fibers.size(), events(event::fiber_create),
         ended);
    line("parks {}, wakes {}, yields {}, inline joins {}, injected {}", events(event::fiber_park),
         events(event::fiber_ready), events(event::fiber_yield), events(event::inline_join),
         events(event::inject));
    std::uint64_t stolen = 0;
    for (const thread_row& r : m_.threads) stolen += r.stolen;
    line(
        "steals {} ({} fibers), retakes {}, preemptions {}, handed over {}, polls {}, offloaded "
        "calls {}",
        events(event::steal), stolen, events(event::retake), events(event::preempt),
        events(event::handoff_processor), events(event::poll), m_.offloads.size());
  }

  void workers() {
    heading(
        "Workers                 running  searching       idle    blocked    steals  retaken  "
        "preempted     events");
    for (std::uint32_t i = 0; i < m_.threads.size(); ++i) {
      const thread_row& r = m_.threads[i];
      std::int64_t total = 0;
      for (const std::int64_t ns : r.total) add_time(total, ns);
      if (m_.source.threads[i].role != thread_role::worker || total == 0) continue;
      const auto percent = [&](doing d) {
        return fmt::format("{:.1f} %", 100.0 * static_cast<double>(r.total[static_cast<int>(d)]) /
                                           static_cast<double>(total));
      };
      line("  {:<18} {:>10} {:>10} {:>10} {:>10} {:>9} {:>8} {:>10} {:>10}", m_.thread_label(i),
           percent(doing::running), percent(doing::searching), percent(doing::idle),
           percent(doing::blocked), r.steals, r.retaken, r.preempted, r.events);
    }
    for (std::uint32_t i = 0; i < m_.threads.size(); ++i)
      if (m_.source.threads[i].dropped > 0)
        line("  {} dropped {} events", m_.thread_label(i), m_.source.threads[i].dropped);
  }

  void table_head(const char* what) {
    line("\n{:<26} {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}", what, "count", "total", "p50", "p90",
         "p99", "max");
  }
  void row(const std::string& what, histogram& h) {
    if (h.count() > 0) line("  {:<24} {}", what, h.summary());
  }

  void latencies() {
    histogram first, again, all;
    for (const turn& t : m_.turns) {
      (t.first ? first : again).add(t.end - t.begin);
      all.add(t.end - t.begin);
    }
    table_head("Waiting for a turn");
    row("after the spawn", first);
    row("after a wake or yield", again);
    if (o_.bars) out_ += all.bars();
    std::map<slice_end, histogram> by_end;
    histogram lengths;
    std::map<std::string_view, histogram> in_kernel;
    for (const slice& s : m_.slices) {
      if (s.in_kernel) {
        in_kernel[in_kernel_text(s)].add(s.end - s.begin);
        continue;
      }
      by_end[s.how].add(s.end - s.begin);
      lengths.add(s.end - s.begin);
    }
    table_head("Running, until it");
    for (auto& [how, h] : by_end) row(to_text(how), h);
    if (o_.bars) out_ += lengths.bars();
    if (in_kernel.empty()) return;
    table_head("Blocked on a thread");
    for (auto& [what, h] : in_kernel) row(std::string(what), h);
  }

  void waits() {
    std::map<std::string, histogram> by_reason;
    for (const wait& w : m_.waits) by_reason[m_.source.reason(w.reason)].add(w.end - w.begin);
    std::vector<std::pair<std::string, histogram>> order(by_reason.begin(), by_reason.end());
    std::sort(order.begin(), order.end(),
              [](auto& a, auto& b) { return a.second.total() > b.second.total(); });
    table_head("Parked, for");
    for (auto& [reason, h] : order) {
      row(reason, h);
      if (o_.bars) out_ += h.bars();
    }
  }

  // What was waited for, and who ended the waits: by name or place, most first.
  void objects() {
    const std::vector<waited_for> all = find_waited_for(m_);
    if (all.empty()) return;
    line("\n{:<36} {:>8} {:>10} {:>13} {:>10}   {}", "Most waited for", "waits", "total",
         "most at once", "not over", "the wait was ended by");
    for (std::size_t i = 0; i < std::min(o_.rows, all.size()); ++i) {
      const waited_for& w = all[i];
      std::map<std::string, std::int64_t> by;
      for (const auto& [fiber, n] : w.ended_by)
        by[fiber == none ? "a timer, the poller or a thread" : group(m_.fibers[fiber])] +=
            static_cast<std::int64_t>(n);
      line("  {:<34} {:>8} {:>10} {:>13} {:>10}   {}",
           fmt::format("{} {:#x}", m_.source.reason(w.reason), w.object), w.waits,
           duration_text(w.total), w.most_at_once, w.never_over,
           most_first(by, [](std::int64_t n) { return std::to_string(n); }));
      std::int64_t held = 0;
      for (const auto& [what, ns] : w.holder) add_time(held, ns);
      if (held > 0)
        line("     its owner meanwhile was  {}", most_first(w.holder, [&](std::int64_t ns) {
               return fmt::format("{:.0f} %",
                                  100.0 * static_cast<double>(ns) / static_cast<double>(held));
             }));
    }
  }
  template <class Text>
  static std::string most_first(const std::map<std::string, std::int64_t>& counts, Text text) {
    std::vector<std::pair<std::int64_t, std::string>> order;
    for (const auto& [what, n] : counts) order.emplace_back(n, what);
    std::sort(order.rbegin(), order.rend());
    std::string out;
    for (std::size_t i = 0; i < std::min<std::size_t>(order.size(), 3); ++i)
      out += fmt::format("{}{} ({})", i == 0 ? "" : ", ", order[i].second, text(order[i].first));
    return out + (order.size() > 3 ? ", ..." : "");
  }

  void slices() {
    std::vector<const slice*> longest;
    for (const slice& s : m_.slices) longest.push_back(&s);
    const std::size_t n = std::min(o_.rows, longest.size());
    std::partial_sort(
        longest.begin(), longest.begin() + static_cast<std::ptrdiff_t>(n), longest.end(),
        [](const slice* a, const slice* b) { return a->end - a->begin > b->end - b->begin; });
    std::vector<std::string> shown;
    heading("Longest stretches without a call that lets others run");
    for (std::size_t i = 0; i < n; ++i) {
      const slice& s = *longest[i];
      line("  {:>10}  at {:>12}  on {:<14} {}, {}{}", duration_text(s.end - s.begin),
           duration_text(s.begin - m_.begin), m_.thread_label(s.thread), label(s.fiber),
           s.in_kernel ? fmt::format("{}, then ", in_kernel_text(s)) : "", to_text(s.how));
      if (s.stack == 0) continue;
      std::vector<std::string> calls = symbols_.calls(m_.source.texts[s.stack]);
      if (calls == shown) {
        line("                 the same calls");
        continue;
      }
      for (const std::string& call : calls) line("                 {}", call);
      shown = std::move(calls);
    }
  }

  // The fiber with its name, or where it was spawned if it has none.
  std::string label(std::uint32_t f) {
    std::string text = m_.fiber_label(f);
    if (f != none && m_.fibers[f].name.empty() && m_.fibers[f].spawned_at != 0)
      text += " of " + symbols_.at(m_.fibers[f].spawned_at).text();
    return text;
  }
  std::string group(const fiber& f) {
    if (!f.name.empty()) return "\"" + f.name + "\"";
    return f.spawned_at != 0 ? symbols_.at(f.spawned_at).text() : "(spawned before the trace)";
  }

  struct sum {
    std::string name;
    std::size_t fibers = 0;
    std::int64_t ran = 0, waited = 0, queued = 0, blocked = 0;
  };
  template <class By>
  void list(std::vector<sum> all, By by, const char* title) {
    std::sort(all.begin(), all.end(), [&](const sum& a, const sum& b) { return by(a) > by(b); });
    line("\n{:<10} {:>8} {:>10} {:>10} {:>10} {:>10}   name, or where they are spawned", title,
         "fibers", "ran", "queued", "parked", "in kernel");
    for (std::size_t i = 0; i < std::min(o_.rows, all.size()) && by(all[i]) > 0; ++i)
      line("{:<10} {:>8} {:>10} {:>10} {:>10} {:>10}   {}", "", all[i].fibers,
           duration_text(all[i].ran), duration_text(all[i].queued), duration_text(all[i].waited),
           duration_text(all[i].blocked), all[i].name);
  }
  void fibers() {
    std::map<std::string, sum> groups;
    for (const fiber& f : m_.fibers) {
      sum& s = groups[group(f)];
      ++s.fibers;
      add_time(s.ran, f.ran);
      add_time(s.waited, f.waited);
      add_time(s.queued, f.queued);
      add_time(s.blocked, f.blocked);
    }
    std::vector<sum> all;
    for (auto& [name, s] : groups) {
      s.name = name;
      all.push_back(s);
    }
    list(all, [](const sum& s) { return s.ran; }, "Busiest");
    list(all, [](const sum& s) { return s.waited; }, "Waiting");
    list(all, [](const sum& s) { return s.queued; }, "Queued");
  }

  void sites() {
    std::map<std::uint64_t, std::size_t> by_site;
    for (const fiber& f : m_.fibers)
      if (f.spawned_at != 0) ++by_site[f.spawned_at];
    std::vector<std::pair<std::size_t, std::uint64_t>> order;
    for (const auto& [site, n] : by_site) order.emplace_back(n, site);
    std::sort(order.rbegin(), order.rend());
    heading("Where fibers are spawned");
    for (std::size_t i = 0; i < std::min(o_.rows, order.size()); ++i)
      line("  {:>10}  {}", order[i].first, symbols_.at(order[i].second).text());
    std::size_t earlier = m_.fibers.size();
    for (const auto& [n, site] : order) earlier -= n;
    if (earlier > 0) line("  {:>10}  before the trace begins: not known", earlier);
  }

  void notes() {
    std::map<std::string, histogram> regions;
    for (const region& r : m_.regions) regions[r.name].add(r.end - r.begin);
    if (!regions.empty()) table_head("Regions");
    for (auto& [name, h] : regions) row(name, h);
    histogram offloads;
    for (const offload_run& r : m_.offloads) offloads.add(r.end - r.begin);
    if (offloads.count() > 0) table_head("Offloaded");
    row("calls", offloads);
    if (!m_.stalls.empty()) heading("Stalls reported");
    for (std::size_t i = 0; i < std::min(o_.rows, m_.stalls.size()); ++i)
      line("  at {:>12}  {}, {}", duration_text(m_.stalls[i].at - m_.begin),
           label(m_.stalls[i].fiber), m_.stalls[i].text);
  }

  const model& m_;
  const report_options o_;
  symbols symbols_;
  std::string out_;
};

}  // namespace

std::string report(const model& m, const report_options& o) { return writer(m, o).all(); }

}  // namespace weft::tools
