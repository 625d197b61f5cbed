// SPDX-License-Identifier: BSL-1.0
// tools/weft-trace/timeline/excerpt.cpp - see timeline.hpp. A page of half a million stretches is
// some ten megabytes and still moves smoothly; what is beyond the limit is cut at a moment in time,
// so that up to there everything is in it.
#include <algorithm>
#include <stdexcept>

#include <fmt/format.h>

#include "reader/histogram.hpp"
#include "timeline/timeline.hpp"

namespace weft::tools {
namespace {

// When the stretches that begin between `begin` and `end` reach the limit; `end` if they do not.
// What goes on at `begin` is shown in any case: a million parked fibers leave room for more.
std::int64_t where_to_cut(const model& m, std::int64_t begin, std::int64_t end, std::size_t limit) {
  std::vector<std::int64_t> begins;
  for (const slice& s : m.slices)
    if (s.begin > begin && s.begin <= end) begins.push_back(s.begin);
  for (const wait& w : m.waits)
    if (w.begin > begin && w.begin <= end) begins.push_back(w.begin);
  if (limit == 0 || begins.size() <= limit) return end;
  const auto nth = begins.begin() + static_cast<std::ptrdiff_t>(limit);
  std::nth_element(begins.begin(), nth, begins.end());
  return std::clamp(*nth, begin, end);
}

}  // namespace

excerpt make_excerpt(const model& m, const timeline_options& o) {
  excerpt x;
  // The user counts from the first event of the trace on.
  x.begin = o.from ? m.begin + *o.from : m.begin;
  x.end = o.to ? std::min(m.end, m.begin + *o.to) : m.end;
  if (x.begin > x.end || x.begin > m.end)
    throw std::runtime_error(
        fmt::format("nothing of the trace is between --from {} and --to {}: it is {} long",
                    duration_text(x.begin - m.begin), duration_text(o.to.value_or(m.end - m.begin)),
                    duration_text(m.end - m.begin)));
  const std::int64_t cut = where_to_cut(m, x.begin, x.end, o.limit);
  x.cut_by_limit = cut < x.end;
  x.end = cut;

  std::vector<bool> shown(m.fibers.size());
  const auto inside = [&](std::int64_t begin, std::int64_t end) {
    return end >= x.begin && begin <= x.end;
  };
  for (std::uint32_t i = 0; i < m.slices.size(); ++i) {
    if (!inside(m.slices[i].begin, m.slices[i].end)) continue;
    x.slices.push_back(i);
    shown[m.slices[i].fiber] = true;
  }
  for (std::uint32_t i = 0; i < m.waits.size(); ++i) {
    if (!inside(m.waits[i].begin, m.waits[i].end)) continue;
    x.waits.push_back(i);
    shown[m.waits[i].fiber] = true;
  }
  std::stable_sort(x.slices.begin(), x.slices.end(),
                   [&](auto a, auto b) { return m.slices[a].begin < m.slices[b].begin; });
  std::stable_sort(x.waits.begin(), x.waits.end(),
                   [&](auto a, auto b) { return m.waits[a].end < m.waits[b].end; });
  for (std::uint32_t f = 0; f < m.fibers.size(); ++f) {
    // Created in here, and has not run yet.
    if (m.fibers[f].created != INT64_MIN && inside(m.fibers[f].created, m.fibers[f].created))
      shown[f] = true;
    if (shown[f]) x.fibers.push_back(f);
    // Of some, the trace knows nothing but that somebody spoke of them.
    else if (m.fibers[f].created != INT64_MIN || !m.fibers[f].slices.empty() ||
             !m.fibers[f].waits.empty())
      ++x.fibers_left_out;
  }
  x.slices_left_out = m.slices.size() - x.slices.size();
  x.waits_left_out = m.waits.size() - x.waits.size();
  return x;
}

std::string excerpt::left_out(const model& m) const {
  if (slices_left_out + waits_left_out + fibers_left_out == 0) return {};
  return fmt::format(
      "shows {} to {} of {}; {} of {} runs, {} of {} waits and {} of {} fibers are left out{}",
      duration_text(begin - m.begin), duration_text(end - m.begin), duration_text(m.end - m.begin),
      slices_left_out, m.slices.size(), waits_left_out, m.waits.size(), fibers_left_out,
      fibers_left_out + fibers.size(),
      cut_by_limit ? ": --limit cut it; --from and --to choose another part" : "");
}

}  // namespace weft::tools
