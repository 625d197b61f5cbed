// SPDX-License-Identifier: BSL-1.0
// tools/weft-trace/reader/contention.cpp - see the header.
#include "reader/contention.hpp"

#include <algorithm>
#include <utility>

#include "reader/histogram.hpp"

namespace weft::tools {
namespace {

bool is_lock(const model& m, std::uint8_t reason) {
  const std::string text = m.source.reason(reason);
  return text == "mutex" || text == "shared_mutex";
}

// Adds what fiber `f` did between two moments.
void add_doings(const model& m, std::uint32_t f, std::int64_t begin, std::int64_t end,
                std::map<std::string, std::int64_t>& to) {
  const fiber& of = m.fibers[f];
  const auto overlap = [&](std::int64_t a, std::int64_t b) {
    return std::max<std::int64_t>(0, std::min(b, end) - std::max(a, begin));
  };
  std::int64_t known = 0;
  const auto add = [&](const std::string& what, std::int64_t ns) {
    if (ns <= 0) return;
    add_time(to[what], ns);
    add_time(known, ns);
  };
  auto w = std::partition_point(of.waits.begin(), of.waits.end(),
                                [&](std::uint32_t i) { return m.waits[i].end < begin; });
  for (; w != of.waits.end() && m.waits[*w].begin < end; ++w)
    add("parked for " + m.source.reason(m.waits[*w].reason),
        overlap(m.waits[*w].begin, m.waits[*w].end));
  auto s = std::partition_point(of.slices.begin(), of.slices.end(),
                                [&](std::uint32_t i) { return m.slices[i].end < begin; });
  for (; s != of.slices.end() && m.slices[*s].begin < end; ++s)
    add(m.slices[*s].in_kernel ? std::string(in_kernel_text(m.slices[*s])) : "running",
        overlap(m.slices[*s].begin, m.slices[*s].end));
  if (end - begin > known) add_time(to["waiting for a turn"], end - begin - known);
}

// Since when the one that ended wait `w` had the object: since it got it itself, if that was later
// than the wait's begin.
std::int64_t held_since(const model& m, const wait& w) {
  const fiber& holder = m.fibers[w.waker];
  auto i = std::partition_point(holder.waits.begin(), holder.waits.end(),
                                [&](std::uint32_t k) { return m.waits[k].end < w.end; });
  while (i != holder.waits.begin()) {
    const wait& before = m.waits[*--i];
    if (before.end < w.begin) break;
    if (before.object == w.object && before.reason == w.reason)
      return std::max(w.begin, before.end);
  }
  return w.begin;
}

}  // namespace

std::vector<waited_for> find_waited_for(const model& m) {
  std::map<std::pair<std::uint8_t, std::uint64_t>, waited_for> all;
  std::map<std::pair<std::uint8_t, std::uint64_t>, std::vector<std::pair<std::int64_t, int>>> steps;
  for (const wait& w : m.waits) {
    if (w.object == 0) continue;
    waited_for& of = all[{w.reason, w.object}];
    of.reason = w.reason;
    of.object = w.object;
    ++of.waits;
    add_time(of.total, w.end - w.begin);
    auto& s = steps[{w.reason, w.object}];
    s.emplace_back(w.begin, 1);
    // one that ends when another begins was not there at the same time: -1 sorts first
    s.emplace_back(w.end, -1);
    if (!w.over) {
      ++of.never_over;
      continue;
    }
    ++of.ended_by[w.waker];
    if (w.waker != none && is_lock(m, w.reason))
      add_doings(m, w.waker, held_since(m, w), w.end, of.holder);
  }
  std::vector<waited_for> out;
  for (auto& [key, of] : all) {
    auto& s = steps[key];
    std::sort(s.begin(), s.end());
    std::ptrdiff_t now = 0;
    for (const auto& [at, step] : s) {
      now += step;
      of.most_at_once =
          std::max(of.most_at_once, static_cast<std::size_t>(std::max<std::ptrdiff_t>(now, 0)));
    }
    out.push_back(std::move(of));
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const waited_for& a, const waited_for& b) { return a.total > b.total; });
  return out;
}

}  // namespace weft::tools
