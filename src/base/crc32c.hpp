// SPDX-License-Identifier: BSL-1.0
#pragma once
// base/crc32c.hpp - the checksum of trace files: CRC-32C (Castagnoli), four bytes a step. Takes no lock, allocates
// nothing: it runs in the handler of a crash, too.
// Rejected: the SSE4.2 instruction (ten times as fast, but 32 KiB take 30 us as it is, once per batch).

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace weft::base {

namespace crc32c_detail {
using table = std::array<std::array<std::uint32_t, 256>, 4>;
constexpr table make_table() noexcept {
  table t{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int k = 0; k < 8; ++k) c = (c >> 1U) ^ ((c & 1U) != 0 ? 0x82f63b78U : 0U);
    t[0][i] = c;
  }
  for (std::uint32_t i = 0; i < 256; ++i)
    for (std::size_t s = 1; s < 4; ++s) t[s][i] = (t[s - 1][i] >> 8U) ^ t[0][t[s - 1][i] & 0xffU];
  return t;
}
inline constexpr table tables = make_table();
}  // namespace crc32c_detail

/// `before`: the checksum of what comes before these bytes; 0 at the start.
[[nodiscard]] constexpr std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before = 0) noexcept {
  const auto& t = crc32c_detail::tables;
  std::uint32_t c = ~before;
  std::size_t i = 0;
  for (; i + 4 <= bytes.size(); i += 4) {
    c ^= std::to_integer<std::uint32_t>(bytes[i]) | std::to_integer<std::uint32_t>(bytes[i + 1]) << 8U |
         std::to_integer<std::uint32_t>(bytes[i + 2]) << 16U | std::to_integer<std::uint32_t>(bytes[i + 3]) << 24U;
    c = t[3][c & 0xffU] ^ t[2][c >> 8U & 0xffU] ^ t[1][c >> 16U & 0xffU] ^ t[0][c >> 24U];
  }
  for (; i < bytes.size(); ++i) c = (c >> 8U) ^ t[0][(c ^ std::to_integer<std::uint32_t>(bytes[i])) & 0xffU];
  return ~c;
}

}  // namespace weft::base
