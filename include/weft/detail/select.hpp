// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/detail/select.hpp - a case of a select as the machinery (src/sync/select.cpp) sees it.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include <weft/detail/channel.hpp>
#include <weft/detail/export.hpp>

namespace weft {
namespace WEFT_API detail {

enum class case_kind : std::uint8_t {
  receive,
  send,
  join,
  stop,
  deadline,
  timer,
  readable,
  writable,
  fallback,
  never
};

struct select_case {
  case_kind kind = case_kind::never;
  channel_status end = channel_status::success;  // receive, send: how it went
  int number = -1;  // readable, writable: the descriptor, if there is no object
  // channel_core, task, const std::stop_token, timer_state, poll_descriptor
  void* object = nullptr;
  void* value = nullptr;  // receive: where it arrives (element_type); send: a T
  std::chrono::steady_clock::time_point deadline{};
  std::uint32_t seen = 0;  // readable, writable: events before the last look
};

/// Waits until a case can be taken, and takes one. Throws what moving a value throws;
/// std::length_error; std::system_error for a descriptor that cannot be watched.
[[nodiscard]] std::size_t select_one(std::span<select_case* const> cases);

}  // namespace WEFT_API detail
}  // namespace weft
