// SPDX-License-Identifier: BSL-1.0
#pragma once
// debug/stack_copy.hpp - a copy of a fiber's stack, and the calls on it.
//
//   1  the stack is copied, from its stack pointer to its top
//   2  the caller finds out whether it stood still meanwhile
//   3  every word that points into the original is moved by the distance between copy and original
//   4  libgcc's unwinder, told that it was called from the saved registers, walks the copy by the
//      tables that every C++ program has for its exceptions: with or without frame pointers
//
// On aarch64, return addresses may be signed with the place they stand at
// (base/signed_address.hpp), so the unwinder cannot walk a copy of them. Compilers keep frame
// pointers there: step 4 follows those.
// The fiber may continue, and end, as soon as the stack is copied. The walk ends at fiber_entry. A
// stack that was cut is followed by zeros, which end it, too.
// Rejected: frame pointers where it stood still (applications are compiled without them); holding
// the fiber while it is walked (its waker would wait for a report); walking the original (it may
// change under the unwinder, which believes what it reads).

#include <cstddef>
#include <cstdint>
#include <span>

#include "fiber/registers.hpp"

namespace weft::detail {

struct call_frame {
  static constexpr std::uint32_t no_slot = UINT32_MAX;
  std::uintptr_t address;  // it returns there
  // where that stands, in bytes above the first stack pointer. The first has none, and others may
  // have none on aarch64: the address is in the link register, or it is not certain where it stands
  std::uint32_t slot;
};

/// If a walk reads unmapped memory (through code whose hand-written tables are wrong), the walk
/// ends, not the process. Before other handlers of SIGSEGV and SIGBUS are installed; idempotent.
void guard_stack_walks() noexcept;

class stack_copy {
 public:
  // the innermost part of larger ones
  static constexpr std::size_t capacity = std::size_t{256} << 10;

  stack_copy();  // throws std::bad_alloc
  ~stack_copy();
  stack_copy(const stack_copy&) = delete;
  stack_copy& operator=(const stack_copy&) = delete;

  /// Step 1: [at.sp, high), and the red zone below. False: sp is not in [low, high). AS-safe.
  bool take(const registers& at, std::uintptr_t low, std::uintptr_t high) noexcept;
  [[nodiscard]] const registers& place() const noexcept { return at_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// What stands `slot` bytes above the stack pointer; 0 beyond the end.
  [[nodiscard]] std::uintptr_t word(std::uint32_t slot) const noexcept {
    return slot + sizeof(std::uintptr_t) <= size_ ? words_[slot / sizeof(std::uintptr_t)] : 0;
  }

  /// Steps 3 and 4, once per take, for a stack that certainly stood still. Innermost first; how
  /// many were written to `out`.
  std::size_t walk(std::span<call_frame> out) noexcept;
  /// For one that perhaps did not: along the frame pointers, which never leads out of the copy.
  /// Code without any is left out.
  std::size_t walk_frame_pointers(std::span<call_frame> out) const noexcept;

 private:
  void relocate() noexcept;
  template <class Visit>
  void for_each_frame_record(Visit&& visit) const;
  [[nodiscard]] bool has_signed_addresses() const noexcept;
  // The unwinder may read a frame beyond the end of a cut stack, and, where a signal struck in an
  // epilogue, registers that were popped from below the stack pointer already.
  static constexpr std::size_t beyond = std::size_t{1} << 20, under = std::size_t{1} << 16,
                               red_zone = 128;

  std::byte* memory_;
  std::uintptr_t* words_;             // the stack pointer's
  std::size_t size_ = 0, dirty_ = 0;  // bytes above it; what may not be zero
  registers at_{};
};

}  // namespace weft::detail
