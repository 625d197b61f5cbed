// SPDX-License-Identifier: BSL-1.0
// test/model/explorer.cpp - the search, the mutants, and the printed interleaving.
#include "explorer.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <string_view>

#include "engine.hpp"

namespace weft::model {

namespace {

std::string_view short_name(const char* file) {
  const std::string_view f = file;
  const auto slash = f.rfind('/');
  return slash == f.npos ? f : f.substr(slash + 1);
}

std::string at(where w) { return std::string(short_name(w.file)) + ":" + std::to_string(w.line); }

std::string number(std::uint64_t v) {
  char text[32];
  if (v > 0xffff'ffffU && static_cast<std::int64_t>(v) < 0 && static_cast<std::int64_t>(v) > -1000)
    std::snprintf(text, sizeof text, "%" PRId64, static_cast<std::int64_t>(v));
  else
    std::snprintf(text, sizeof text, v > 0xffffU ? "0x%" PRIx64 : "%" PRIu64, v);
  return text;
}

result explore_with(engine& e, const options& o, const program& p) {
  if (current_engine() != nullptr) {
    std::fputs("model: explore() within explore()\n", stderr);
    std::abort();
  }
  set_current_engine(&e);
  result r;
  for (;;) {
    e.run(p);
    if (e.failed()) break;
    if (o.random_executions != 0 ? e.executions == o.random_executions : !e.backtrack()) break;
    if (o.random_executions == 0 && e.executions >= o.max_executions) {
      e.give_up("more than max_executions executions: nothing is proved");
      break;
    }
  }
  set_current_engine(nullptr);
  r.end = e.end();
  r.executions = e.executions;
  r.states = e.states();
  r.observed = std::move(e.observed);
  r.report = std::to_string(r.executions) + " executions, " + std::to_string(r.states) + " states";
  if (o.random_executions != 0) r.report += ", seed " + std::to_string(o.seed);
  if (!r.ok()) r.report = e.why() + "\n" + r.report;
  return r;
}

// What may be weakened at a site, each a mutant of its own.
std::vector<mutation::kind> weakenings(const site& s) {
  using kind = mutation::kind;
  switch (s.what) {
    case op::fence:
      if (s.order == std::memory_order_seq_cst) return {kind::drop_fence, kind::seq_cst_to_acq_rel};
      return {kind::drop_fence};
    case op::heavy_fence:
      return {kind::drop_fence, kind::heavy_is_local};
    case op::load:
    case op::store:
    case op::rmw:
    case op::cas:
      if (s.order == std::memory_order_relaxed) return {};
      if (s.order == std::memory_order_seq_cst) return {kind::relax, kind::seq_cst_to_acq_rel};
      return {kind::relax};
    default:
      return {};
  }
}

const char* name_of(mutation::kind k) {
  switch (k) {
    case mutation::kind::drop_fence:
      return "removed";
    case mutation::kind::heavy_is_local:
      return "made a fence of the caller only";
    case mutation::kind::relax:
      return "made relaxed";
    case mutation::kind::seq_cst_to_acq_rel:
      return "made acquire/release";
    case mutation::kind::none:
      break;
  }
  return "as it is";
}

}  // namespace

const char* name_of(op o) noexcept {
  static constexpr const char* names[] = {"load",       "store", "rmw",    "cas",     "cas-failed",
                                          "fence",      "light", "heavy",  "remote",  "pause",
                                          "read",       "write", "create", "destroy", "futex-wait",
                                          "futex-wake", "join",  "note"};
  return names[static_cast<std::size_t>(o)];
}

const char* name_of(std::memory_order o) noexcept {
  switch (o) {
    case std::memory_order_relaxed:
      return "relaxed";
    case std::memory_order_acquire:
      return "acquire";
    case std::memory_order_release:
      return "release";
    case std::memory_order_acq_rel:
      return "acq_rel";
    case std::memory_order_seq_cst:
      return "seq_cst";
    default:
      return "consume";
  }
}

std::string engine::label(std::size_t id) const {
  const location& l = mem.locations[id];
  if (const auto named = names.find(l.address); named != names.end()) return named->second;
  return "#" + std::to_string(id) + "@" + at(l.created);
}

std::string engine::trace() const {
  std::string text;
  std::size_t step = 0;
  // An endless execution shows its cycle at the end.
  const std::size_t skipped =
      end_ == verdict::unfinished && events_.size() > 60 ? events_.size() - 60 : 0;
  if (skipped != 0) text = " ... " + std::to_string(skipped) + " events before\n";
  for (std::size_t i = skipped; i < events_.size(); ++i) {
    const event& v = events_[i];
    if (v.what == op::create || v.what == op::destroy) continue;
    std::string what;
    switch (v.what) {
      case op::load:
        what = label(v.location) + " = " + number(v.read);
        break;
      case op::store:
        what = label(v.location) + " := " + number(v.written);
        break;
      case op::rmw:
      case op::cas:
        what = label(v.location) + " " + number(v.read) + " -> " + number(v.written);
        break;
      case op::cas_failed:
        what = label(v.location) + " = " + number(v.read);
        break;
      case op::heavy_step:
        what = "on " + threads[v.location].name;
        break;
      case op::futex_wait:
        what = label(v.location) + " = " + number(v.read) +
               (v.read == v.written ? ", sleeps" : ", returns");
        break;
      case op::futex_wake:
        what = label(v.location) + " wakes " + number(v.read);
        break;
      default:
        break;
    }
    const bool ordered = v.what <= op::fence;
    char line[256];
    std::snprintf(line, sizeof line, "%4zu %-10s %-10s %-8s %-40s %s%s\n", step++,
                  threads[v.thread].name.c_str(), name_of(v.what), ordered ? name_of(v.order) : "",
                  what.c_str(), at(v.site).c_str(),
                  v.newer == 0
                      ? ""
                      : (v.what == op::store ? "  (not last in modification order)" : "  (stale)"));
    text += line;
  }
  return text;
}

void execution::thread(std::string name, std::function<void()> body) {
  engine& e = *current_engine();
  if (e.threads.size() == max_threads)
    throw std::length_error("more threads than model::max_threads");
  auto& t = e.threads.emplace_back();
  t.name = std::move(name);
  t.body = std::move(body);
}

void execution::daemon(std::string name, std::function<void()> body) {
  thread(std::move(name), std::move(body));
  current_engine()->threads.back().daemon = true;
}

void execution::finally(std::function<void()> body) {
  current_engine()->finals.push_back(std::move(body));
}

void execution::name(const void* atomic, std::string name) {
  current_engine()->names[atomic] = std::move(name);
}

void check(bool holds, const char* claim, where w) {
  engine& e = *current_engine();
  if (!holds)
    e.fail(verdict::violated,
           e.threads[e.self()].name + " finds false, at " + at(w) + ": " + claim);
}

void observe(std::vector<long> values) { current_engine()->observed.insert(std::move(values)); }

result explore(const options& o, const program& p) {
  engine e(o);
  return explore_with(e, o, p);
}

std::vector<mutant> mutate(const options& o, const programs& all_programs, std::string_view file) {
  std::vector<site> sites;
  std::vector<mutant> all;
  for (std::size_t i = 0; i < all_programs.size(); ++i) {
    engine e(o);
    e.collect_sites = true;
    e.sites = std::move(sites);
    // A program that fails unchanged would "catch" everything: that is the finding then, and no
    // mutant is.
    if (!explore_with(e, o, all_programs[i]).ok())
      all.push_back(
          {{}, "program " + std::to_string(i) + " does not pass unchanged", "", verdict::passed});
    sites = std::move(e.sites);
  }
  if (!all.empty()) return all;
  for (const site& s : sites) {
    if (std::string_view(s.at.file).find(file) == std::string_view::npos) continue;
    for (const mutation::kind k : weakenings(s)) {
      options changed = o;
      changed.mutate = {k, s.at};
      const std::string what =
          std::string(name_of(s.what)) + " " + name_of(s.order) + " " + name_of(k);
      mutant m{changed.mutate, what, at(s.at), verdict::passed};
      for (const program& p : all_programs) {
        const verdict v = explore(changed, p).end;
        if (v != verdict::passed) m.end = v;
        if (m.caught()) break;
      }
      all.push_back(std::move(m));
    }
  }
  return all;
}

std::vector<std::string> survivors(const std::vector<mutant>& all) {
  std::vector<std::string> text;
  for (const mutant& m : all)
    if (!m.caught()) text.push_back(m.text);
  std::sort(text.begin(), text.end());
  return text;
}

std::string list(const std::vector<mutant>& all) {
  std::string text;
  for (const mutant& m : all) {
    const char* end = m.caught()                 ? "caught    "
                      : m.end == verdict::passed ? "SURVIVED  "
                                                 : "unfinished";
    text += std::string(end) + " " + m.place + " " + m.text + "\n";
  }
  return text;
}

}  // namespace weft::model
