// SPDX-License-Identifier: BSL-1.0
// debug/stack_table.cpp - see the header.
#include "debug/stack_table.hpp"

#include <algorithm>
#include <array>

#include "base/signed_address.hpp"

namespace weft::detail {

bool stack_table::fits(const layout& known, const stack_copy& stack) noexcept {
  const registers& place = stack.place();
  if (known.frame_offset != place.fp - place.sp || known.link != place.link()) return false;
  return std::all_of(
      known.frames.begin() + known.in_registers, known.frames.end(),
      [&](const call_frame& f) { return without_signature(stack.word(f.slot)) == f.address; });
}

// The place, and what stands along the first frame pointers, be they some or not: like stacks have
// like keys.
std::uint64_t stack_table::key_of(const stack_copy& stack) noexcept {
  constexpr int steps = 4;
  std::uint64_t key = stack.place().pc;
  std::uintptr_t frame = stack.place().fp;
  for (int i = 0; i < steps; ++i) {
    const std::uintptr_t offset = frame - stack.place().sp;
    if (offset >= stack.size() || offset % sizeof(std::uintptr_t) != 0) break;
    const auto slot = static_cast<std::uint32_t>(offset);
    key = (key ^ without_signature(stack.word(slot + 8)) ^ offset) * 0x9e3779b97f4a7c15U;
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
  const auto end = frames.begin() + static_cast<std::ptrdiff_t>(n);
  // the first is the place, the second may be in the link register
  const auto on_stack =
      frames.begin() + (n > 1 && frames[1].address == without_signature(place.link()) &&
                                frames[1].slot == call_frame::no_slot
                            ? 2
                            : 1);
  const bool all_stand_there = std::none_of(
      on_stack, end, [](const call_frame& f) { return f.slot == call_frame::no_slot; });
  if (how == trust::stood_still && all_stand_there)
    layouts_.emplace(key, layout{place.fp - place.sp,
                                 place.link(),
                                 on_stack - frames.begin(),
                                 {frames.begin(), end},
                                 found});
  return found;
}

}  // namespace weft::detail
