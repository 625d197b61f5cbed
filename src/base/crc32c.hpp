// SPDX-License-Identifier: BSL-1.0
#pragma once
// base/crc32c.hpp - the checksum of trace files: CRC-32C (Castagnoli). Takes no lock, allocates
// nothing: it runs in the handler of a crash, too.
//
// By the processor's instruction where it has one, eight bytes a step; else by tables, four. With
// the tables a collector that shares two CPUs with two workers took an eighth of one of them: 32
// KiB, which a spawn-heavy program fills in 0.2 ms, are 30 us.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

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

#if defined(__x86_64__)
[[gnu::target("sse4.2")]] inline std::uint32_t by_instruction(std::span<const std::byte> bytes,
                                                              std::uint32_t before) noexcept {
  std::uint64_t c = ~before;
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t eight;
    std::memcpy(&eight, bytes.data() + i, 8);
    c = _mm_crc32_u64(c, eight);
  }
  auto rest = static_cast<std::uint32_t>(c);
  for (; i < bytes.size(); ++i) rest = _mm_crc32_u8(rest, std::to_integer<unsigned char>(bytes[i]));
  return ~rest;
}
#endif

constexpr std::uint32_t by_tables(std::span<const std::byte> bytes, std::uint32_t before) noexcept {
  const auto& t = tables;
  std::uint32_t c = ~before;
  std::size_t i = 0;
  for (; i + 4 <= bytes.size(); i += 4) {
    c ^= std::to_integer<std::uint32_t>(bytes[i]) |
         std::to_integer<std::uint32_t>(bytes[i + 1]) << 8U |
         std::to_integer<std::uint32_t>(bytes[i + 2]) << 16U |
         std::to_integer<std::uint32_t>(bytes[i + 3]) << 24U;
    c = t[3][c & 0xffU] ^ t[2][c >> 8U & 0xffU] ^ t[1][c >> 16U & 0xffU] ^ t[0][c >> 24U];
  }
  for (; i < bytes.size(); ++i)
    c = (c >> 8U) ^ t[0][(c ^ std::to_integer<std::uint32_t>(bytes[i])) & 0xffU];
  return ~c;
}
}  // namespace crc32c_detail

/// `before`: the checksum of what comes before these bytes; 0 at the start.
[[nodiscard]] inline std::uint32_t crc32c(std::span<const std::byte> bytes,
                                          std::uint32_t before = 0) noexcept {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) return crc32c_detail::by_instruction(bytes, before);
#endif
  return crc32c_detail::by_tables(bytes, before);
}

}  // namespace weft::base
