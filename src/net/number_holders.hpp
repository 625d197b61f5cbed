// SPDX-License-Identifier: BSL-1.0
#pragma once
// net/number_holders.hpp - of each number in one epoll, the foreign record that is registered by it
// (registration.cpp says why). A table of pages of 1024, made when one is needed.

#include <atomic>
#include <cstddef>

#include "base/futex_lock.hpp"
#include "os/try_new.hpp"

namespace weft::detail {

struct poll_descriptor;

struct number_holder {
  base::futex_lock lock;
  poll_descriptor* record WEFT_GUARDED_BY(lock) = nullptr;
};

class number_holders {
 public:
  number_holders() noexcept = default;
  number_holders(const number_holders&) = delete;
  number_holders& operator=(const number_holders&) = delete;
  ~number_holders() {
    for (auto& page : pages_) delete[] page.load(std::memory_order_relaxed);
  }

  /// Null: no foreign record has ever been near that number.
  [[nodiscard]] number_holder* find(int number) const noexcept {
    if (number < 0 || number >= most_numbers) return nullptr;
    number_holder* const page = pages_[index(number)].load(std::memory_order_acquire);  // make
    return page != nullptr ? page + number % page_size : nullptr;
  }
  /// Null: a number beyond the table, or no memory.
  [[nodiscard]] number_holder* make(int number) noexcept {
    if (number < 0 || number >= most_numbers) return nullptr;
    if (number_holder* const there = find(number)) [[likely]]
      return there;
    auto* const made = os::try_new([] { return new number_holder[page_size]; });
    number_holder* page = nullptr;
    if (made == nullptr) return nullptr;
    // Release: the page's contents; acquire in find, and here if another thread was faster.
    if (!pages_[index(number)].compare_exchange_strong(page, made, std::memory_order_release,
                                                       std::memory_order_acquire)) {
      delete[] made;
      return page + number % page_size;
    }
    return made + number % page_size;
  }

 private:
  static constexpr int page_size = 1024, pages = 1024, most_numbers = page_size * pages;
  static std::size_t index(int number) noexcept {
    return static_cast<std::size_t>(number / page_size);
  }
  std::atomic<number_holder*> pages_[pages]{};
};

}  // namespace weft::detail
