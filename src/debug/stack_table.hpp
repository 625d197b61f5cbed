// SPDX-License-Identifier: BSL-1.0
#pragma once
// debug/stack_table.hpp - stacks by the calls on them, each kept once. A program with 100,000
// fibers has a few dozen.
//
// To walk a stack costs some ten microseconds, to compare it with one that was walked a few
// nanoseconds: same place, and the same return addresses at the same distances from it. So only the
// first of its kind is walked.

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "debug/stack_copy.hpp"

namespace weft::detail {

class stack_table {
 public:
  using id = std::uint32_t;
  static constexpr id none = 0;      // not known
  static constexpr id too_many = 1;  // there were more different ones than are kept
  static constexpr std::size_t most_stacks = 4096, most_frames = 64;

  enum class trust : std::uint8_t { stood_still, perhaps_moved };
  /// Throws std::bad_alloc.
  [[nodiscard]] id add(stack_copy& stack, trust how = trust::stood_still);
  /// Return addresses, innermost first.
  [[nodiscard]] const std::vector<std::uintptr_t>& at(id stack) const noexcept {
    return stacks_[stack];
  }

 private:
  struct layout {
    std::uintptr_t frame_offset;  // the frame pointer, from the stack pointer
    std::uintptr_t link;
    std::ptrdiff_t in_registers;  // so many of the first frames
    std::vector<call_frame> frames;
    id stack;
  };
  static bool fits(const layout& known, const stack_copy& stack) noexcept;
  static std::uint64_t key_of(const stack_copy& stack) noexcept;

  std::unordered_multimap<std::uint64_t, layout> layouts_;  // by key_of
  std::unordered_multimap<std::uint64_t, id> by_calls_;
  std::vector<std::vector<std::uintptr_t>> stacks_{{}, {}};  // by id
};

}  // namespace weft::detail
