// SPDX-License-Identifier: BSL-1.0
#pragma once
// trace/reason.hpp - the enum and the texts of reasons.def.

#include <cstdint>

namespace weft::detail {

enum class park_reason : std::uint8_t {
#define WEFT_REASON(id, name, text) name = id,
#include "trace/reasons.def"
#undef WEFT_REASON
};

[[nodiscard]] constexpr const char* to_text(park_reason r) noexcept {
  switch (r) {
#define WEFT_REASON(id, name, text) \
  case park_reason::name:           \
    return text;
#include "trace/reasons.def"
#undef WEFT_REASON
  }
  return "unknown reason";
}

}  // namespace weft::detail
