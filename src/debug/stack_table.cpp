// SPDX-License-Identifier: BSL-1.0
// debug/stack_table.cpp - see the header.
#include "debug/stack_table.hpp"

#include <algorithm>
#include <array>

namespace weft::detail {

bool stack_table::fits(const layout& known, const stack_copy& stack) noexcept {
  if (known.frame_offset != stack.place().rbp - stack.place().rsp) return false;
  return std::all_of(known.frames.begin() + 1, known.frames.end(),
                     [&](const call_frame& f) { return stack.word(f.slot) == f.address; });
}

// The place, and what stands along the first frame pointers, be they some or not: like stacks have
// like keys.
std::uint64_t stack_table::key_of(const stack_copy& stack) noexcept {
  constexpr int steps = 4;
  std::uint64_t key = stack.place().rip;
  std::uintptr_t frame = stack.place().rbp;
  for (int i = 0; i < steps; ++i) {
    const std::uintptr_t offset = frame - stack.place().rsp;
    if (offset >= stack.size() || offset % sizeof(std::uintptr_t) != 0) break;
    const auto slot = static_cast<std::uint32_t>(offset);
    key = (key ^ stack.word(slot + 8) ^ offset) * 0x9e3779b97f4a7c15U;
    frame = stack.word(slot);
  }
  return key;
}

stack_table::id stack_table::add(stack_copy& stack, trust how) {
  const registers place = stack.place();
  const std::uint64_t key = key_of(stack);
  const auto [first, last] = layouts_.equal_range(key);
  for (auto known = first; known != last; ++known)
    if (fits(known->second, stack)) return known->second.stack;
  if (layouts_.size() >= most_stacks) return too_many;

  std::array<call_frame, most_frames> frames;
  const std::size_t n =
      how == trust::stood_still ? stack.walk(frames) : stack.walk_frame_pointers(frames);
  if (n == 0) return none;
  std::vector<std::uintptr_t> calls(n);
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < n; ++i) {
    calls[i] = frames[i].address;
    hash = (hash ^ calls[i]) * 0x9e3779b97f4a7c15U;
  }
  id found = none;
  const auto [from, to] = by_calls_.equal_range(hash);
  for (auto known = from; known != to && found == none; ++known)
    if (stacks_[known->second] == calls) found = known->second;
  if (found == none) {
    found = static_cast<id>(stacks_.size());
    stacks_.push_back(std::move(calls));
    by_calls_.emplace(hash, found);
  }
  if (how == trust::stood_still)
    layouts_.emplace(key, layout{place.rbp - place.rsp,
                                 {frames.begin(), frames.begin() + static_cast<std::ptrdiff_t>(n)},
                                 found});
  return found;
}

}  // namespace weft::detail
