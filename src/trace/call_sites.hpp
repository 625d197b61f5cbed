// SPDX-License-Identifier: BSL-1.0
#pragma once
// trace/call_sites.hpp - code addresses as small numbers, the same for as long as the process
// lives. Looking one up takes no lock; the first time takes one. The tool finds the names: it has
// the modules and their debug information.

#include <cstdint>

namespace weft::detail::trace {

/// 0 for a null address, and when there are too many places.
[[nodiscard]] std::uint32_t call_site_number(std::uint64_t address) noexcept;

/// visit(number, address) for every place so far. Takes no lock.
using call_site_visitor = void (*)(void* context, std::uint32_t number, std::uint64_t address);
void for_each_call_site(call_site_visitor visit, void* context) noexcept;

}  // namespace weft::detail::trace
