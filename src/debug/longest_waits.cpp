// SPDX-License-Identifier: BSL-1.0
// debug/longest_waits.cpp - a heap of the oldest seen so far, over one walk of the records. Only
// their stacks are walked.
#include "debug/longest_waits.hpp"

#include <algorithm>
#include <vector>

#include "debug/calls_text.hpp"
#include "debug/fiber_snapshot.hpp"
#include "os/os.hpp"
#include "trace/reason.hpp"

namespace weft::detail {

std::string longest_waits(std::size_t most) {
  const auto older = [](const fiber_snapshot& a, const fiber_snapshot& b) {
    return a.since_ns < b.since_ns;
  };
  std::vector<fiber_snapshot> oldest;  // the youngest of them in front
  snapshot_taker taker(false);
  for_each_record([&](fiber_record& f) {
    fiber_snapshot l;
    if (most == 0 || f.has(fiber_record::is_thread) || !taker.look(f, l)) return;
    if (l.place != fiber_position::parked || l.since_ns == 0) return;
    if (oldest.size() == most) {
      if (!older(l, oldest.front())) return;
      std::pop_heap(oldest.begin(), oldest.end(), older);
      oldest.pop_back();
    }
    oldest.push_back(l);
    std::push_heap(oldest.begin(), oldest.end(), older);
  });
  std::sort_heap(oldest.begin(), oldest.end(), older);
  const std::int64_t now = os::now_ns();
  taker.copy_stacks(true);
  calls_text calls;
  std::string out;
  for (const fiber_snapshot& l : oldest) {
    fiber_snapshot again;
    const bool waits = taker.look(*l.record, again) && again.word == l.word;
    out += std::to_string(std::max<std::int64_t>(now - l.since_ns, 0)) + "\t" + to_text(l.reason) +
           "\t" + agent_text(*l.record) + "\t";
    if (waits && again.stack > stack_table::too_many)
      out += calls.innermost(taker.stacks().at(again.stack));
    out += "\n";
  }
  return out;
}

}  // namespace weft::detail
