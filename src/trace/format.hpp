// SPDX-License-Identifier: BSL-1.0
#pragma once
// trace/format.hpp - the trace file as writer and reader share it. README.md here has the words.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/crc32c.hpp"

namespace weft::detail::trace {

inline constexpr char file_magic[8] = {'\x89', 'W', 'E', 'F', 'T', 'T', 'R', '\n'};
inline constexpr std::uint16_t file_version = 2, file_revision = 0, oldest_version = 1;
inline constexpr std::uint32_t byte_order_mark = 0x01020304;
inline constexpr std::uint32_t flag_flight = 1, flag_crash = 2;

/// What a trace was made on: in the second byte of the header's flags, and in each stack sample.
enum class machine : std::uint32_t { unknown = 0, x86_64 = 1, aarch64 = 2 };
inline constexpr unsigned machine_shift = 8;
inline constexpr machine this_machine =
#if defined(__x86_64__)
    machine::x86_64;
#elif defined(__aarch64__)
    machine::aarch64;
#else
    machine::unknown;
#endif

struct file_header {
  char magic[8];
  std::uint16_t version, revision;
  std::uint32_t byte_order;
  std::uint32_t size;
  std::uint32_t flags;
  std::uint64_t ticks_per_second;
  std::uint64_t ticks, monotonic_ns, realtime_ns;  // one moment
  std::uint32_t pid;
  std::uint32_t checksum;  // of all before it
};
static_assert(sizeof(file_header) == 64);

enum class chunk_kind : std::uint8_t {
  generation = 1,
  dictionary,
  places,
  modules,
  threads,
  batch,
  fibers,
  end,
  running
};
inline constexpr std::uint32_t chunk_magic = 0x4b484357;  // "WCHK"
inline constexpr std::uint32_t largest_chunk = 16U << 20U;

struct chunk_header {
  std::uint32_t magic;
  chunk_kind kind;
  std::uint8_t zero;
  std::uint16_t zero2;
  std::uint32_t size;      // of the payload
  std::uint32_t checksum;  // of kind to size, and the payload
};
static_assert(sizeof(chunk_header) == 16);

[[nodiscard]] inline std::uint32_t checksum_of(const chunk_header& h,
                                               std::span<const std::byte> payload) noexcept {
  const auto* bytes = reinterpret_cast<const std::byte*>(&h);
  return base::crc32c(payload, base::crc32c({bytes + offsetof(chunk_header, kind), 8}));
}
[[nodiscard]] inline std::uint32_t checksum_of(const file_header& h) noexcept {
  return base::crc32c({reinterpret_cast<const std::byte*>(&h), offsetof(file_header, checksum)});
}

struct generation_payload {
  std::uint64_t number, ticks, monotonic_ns, complete_since, dropped, overwritten;
};
struct end_payload {
  std::uint64_t ticks, monotonic_ns, dropped, overwritten;
};
struct batch_header {
  std::uint32_t ring, incarnation, sequence, dropped;
  std::uint64_t generation, ticks;
};
static_assert(sizeof(batch_header) == 32);

enum class thread_role : std::uint8_t { worker = 1, monitor, offload, other };

// ---- one event
inline constexpr unsigned value_lengths[4] = {0, 1, 3, 8};
inline constexpr unsigned first_text_id = 192;
inline constexpr std::size_t longest_text = 1024;
inline constexpr std::size_t longest_event = 2 + 4 * 8 + longest_text;

[[nodiscard]] constexpr std::uint64_t zigzag(std::uint64_t difference) noexcept {
  return (difference << 1U) ^ (0 - (difference >> 63U));
}
[[nodiscard]] constexpr std::uint64_t unzigzag(std::uint64_t z) noexcept {
  return (z >> 1U) ^ (0 - (z & 1U));
}
[[nodiscard]] constexpr unsigned length_code(std::uint64_t v) noexcept {
  return static_cast<unsigned>(v != 0) + static_cast<unsigned>(v > 0xff) +
         static_cast<unsigned>(v > 0xffffff);
}

/// What the values of the next event are relative to.
struct event_context {
  std::uint64_t ticks = 0;
  std::uint64_t fiber = 0;
  std::uint64_t other[32] = {};
};

/// Writes up to 34 bytes and may write 8 beyond the end it returns.
inline std::byte* put_event(std::byte* to, event_context& c, std::uint8_t id, std::uint64_t ticks,
                            std::uint64_t fiber, std::uint64_t number,
                            std::uint64_t other) noexcept {
  static_assert(std::endian::native == std::endian::little, "the format is little-endian so far");
  // A clock that steps back a little between two readings stands still instead.
  const std::uint64_t passed = ticks > c.ticks ? ticks - c.ticks : 0;
  std::uint64_t& other_before = c.other[id % 32];
  const std::uint64_t values[4] = {passed, zigzag(fiber - c.fiber), number,
                                   zigzag(other - other_before)};
  c.ticks += passed;
  c.fiber = fiber;
  other_before = other;
  unsigned lengths = 0;
  std::byte* at = to + 2;
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned code = length_code(values[i]);
    lengths |= code << 2 * i;
    std::memcpy(at, &values[i], 8);
    at += value_lengths[code];
  }
  to[0] = std::byte{id};
  to[1] = static_cast<std::byte>(lengths);
  return at;
}

/// The same, for what a spawn and a start are nearly always: at the time of the event before, of a
/// fiber not far from its fiber, with the `other` of the last such event, and a number below 256.
/// One store of four bytes. False: it is not so.
inline bool put_tiny_event(std::byte*& at, event_context& c, std::uint8_t id, std::uint64_t ticks,
                           std::uint64_t fiber, std::uint64_t number,
                           std::uint64_t other) noexcept {
  const std::uint64_t z = zigzag(fiber - c.fiber);
  if (((z | number) > 0xff) || ticks > c.ticks || other != c.other[id % 32]) return false;
  c.fiber = fiber;
  const auto z_there = static_cast<std::uint32_t>(z != 0),
             number_there = static_cast<std::uint32_t>(number != 0);
  const std::uint32_t lengths = z_there << 2U | number_there << 4U;
  const std::uint32_t values = z_there != 0 ? static_cast<std::uint32_t>(z | number << 8U)
                                            : static_cast<std::uint32_t>(number);
  const std::uint32_t all = id | lengths << 8U | values << 16U;
  std::memcpy(at, &all, 4);
  at += 2 + z_there + number_there;
  return true;
}

/// The same for what most events of a busy program are: of a fiber not far from the one before,
/// less than 2^24 ticks later. One store; no length depends on the values. False: it is not so.
inline bool put_quick_event(std::byte*& at, event_context& c, std::uint8_t id, std::uint64_t ticks,
                            std::uint64_t fiber) noexcept {
  const std::uint64_t passed = ticks > c.ticks ? ticks - c.ticks : 0;
  const std::uint64_t z = zigzag(fiber - c.fiber);
  if (passed > 0xffffff || z > 0xff) return false;
  constexpr std::uint64_t three_bytes = 2, one_byte = 1;
  const std::uint64_t all = id | (three_bytes | one_byte << 2U) << 8U | passed << 16U | z << 40U;
  std::memcpy(at, &all, 8);
  at += 6;
  c.ticks += passed;
  c.fiber = fiber;
  return true;
}

/// Of a fiber_create, `more` followed: the next ids, at the same place, by the same parent. Says
/// nothing anew, so it means the same wherever its batch is cut.
inline constexpr std::size_t more_bytes = 3;
inline std::byte* put_create_more(std::byte* to, std::uint8_t id, std::uint32_t more) noexcept {
  to[0] = std::byte{id};
  to[1] = std::byte{1U << 4U};
  to[2] = static_cast<std::byte>(more);
  return to + more_bytes;
}

// ---- varints of the tables
inline std::byte* put_varint(std::byte* to, std::uint64_t v) noexcept {
  for (; v >= 0x80; v >>= 7U) *to++ = static_cast<std::byte>(v | 0x80U);
  *to++ = static_cast<std::byte>(v);
  return to;
}
inline constexpr std::size_t longest_varint = 10;

}  // namespace weft::detail::trace
