// SPDX-License-Identifier: BSL-1.0
#pragma once
// os/try_new.hpp - new that says by null that there is no memory.
//
// Rejected: new (std::nothrow). A program may replace operator new and delete, but not that form.
// AddressSanitizer then has its own for it, while the program's delete gives the memory back.

#include <new>

namespace weft::os {

/// What `make()` returns, a new-expression; null if there is no memory.
template <class Make>
[[nodiscard]] auto try_new(Make&& make) noexcept -> decltype(make()) {
  try {
    return make();
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

}  // namespace weft::os
