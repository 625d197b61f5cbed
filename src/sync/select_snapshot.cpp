// SPDX-License-Identifier: BSL-1.0
// sync/select_snapshot.cpp - see the header. A select keeps its cases where it likes, on its stack
// or in a selector's vectors, and may return while it is looked at: so the kernel reads for us,
// which finds out what is mapped, and the fiber's word says afterwards whether it was all still
// there.
// Rejected: to note the cases in a place that can be locked (two stores for each case of every
// select that waits).
#include "sync/select_snapshot.hpp"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <span>

namespace weft::detail {
namespace {

constexpr std::size_t most_shown = 64;

bool read_anyway(void* to, const void* from, std::size_t bytes) noexcept {
  const iovec here{to, bytes}, there{const_cast<void*>(from), bytes};
  return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == static_cast<ssize_t>(bytes);
}

}  // namespace

std::vector<select_case> read_select(const void* object, const fiber_record& waiter,
                                     std::uint64_t word) {
  using cases_of_select = std::span<select_case* const>;
  alignas(cases_of_select) std::byte raw[sizeof(cases_of_select)];
  if (!read_anyway(raw, object, sizeof raw) || !waiter.word.still(word)) return {};
  const auto& cases = *reinterpret_cast<const cases_of_select*>(raw);
  std::vector<select_case*> where(std::min(cases.size(), most_shown));
  std::vector<select_case> all(where.size());
  if (!read_anyway(where.data(), cases.data(), where.size() * sizeof where[0])) return {};
  for (std::size_t i = 0; i < where.size(); ++i)
    if (!read_anyway(&all[i], where[i], sizeof all[i])) return {};
  if (!waiter.word.still(word)) return {};
  return all;
}

}  // namespace weft::detail
