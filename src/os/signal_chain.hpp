// SPDX-License-Identifier: BSL-1.0
#pragma once
// os/signal_chain.hpp - the handlers of one signal, and the action behind them.
//
//   SIG-1  a dispatch finds each handler as it was when it was added, with what it needs. Behind
//          them it finds an action that is whole: an action is constant once it is put there, and
//          never freed, because a dispatch that began while ours was installed may get here later,
//          when it is so no more, or again with another action behind. Without handlers it goes on
//          to that action.
// Rejected: an action that is overwritten in place (a late dispatch reads half of it).

#include <array>
#include <atomic>
#include <cstddef>

namespace weft::os {

template <class Sync, class Handler, class Action>
class basic_signal_chain {
 public:
  static constexpr std::size_t most_handlers = 4;

  // ---- by one thread at a time
  [[nodiscard]] bool has_room_for(Handler h) const noexcept { return slot_of(h) < most_handlers; }
  /// There is room for it. Added twice, it is there once.
  void add(Handler h) noexcept {
    handlers_[slot_of(h)].store(h, std::memory_order_release);  // [SIG-1] ask
  }
  /// Before the dispatch is installed in front of it.
  void put_behind(const Action& a) noexcept {
    behind_.store(&a, std::memory_order_release);  // [SIG-1] behind
  }
  void clear() noexcept {
    // relaxed: a dispatch that does not find a handler looks at nothing of it.
    for (auto& slot : handlers_) slot.store(nullptr, std::memory_order_relaxed);
  }

  // ---- by any, AS-safe
  /// ask(handler), in the order in which they were added, until one returns true.
  template <class Ask>
  [[nodiscard]] bool ask(Ask&& ask) const {
    for (const auto& slot : handlers_) {
      const Handler h = slot.load(std::memory_order_acquire);  // [SIG-1] add
      if (h == nullptr) break;
      if (ask(h)) return true;
    }
    return false;
  }
  /// Null before the first.
  [[nodiscard]] const Action* behind() const noexcept {
    return behind_.load(std::memory_order_acquire);  // [SIG-1] put_behind
  }
  /// If `was` is behind. False: another one is by now.
  bool replace_behind(const Action& was, const Action& is) noexcept {
    const Action* expected = &was;
    // relaxed: `is` is there from the start.
    return behind_.compare_exchange_strong(expected, &is, std::memory_order_relaxed);
  }
  [[nodiscard]] bool has_any() const noexcept {
    return handlers_[0].load(std::memory_order_relaxed) != nullptr;  // a moment's
  }

 private:
  // relaxed: only one thread adds at a time.
  [[nodiscard]] std::size_t slot_of(Handler h) const noexcept {
    std::size_t n = 0;
    for (; n < most_handlers; ++n) {
      const Handler there = handlers_[n].load(std::memory_order_relaxed);
      if (there == h || there == nullptr) break;
    }
    return n;
  }

  // null ones last
  std::array<typename Sync::template atomic<Handler>, most_handlers> handlers_{};
  typename Sync::template atomic<const Action*> behind_{nullptr};
};

}  // namespace weft::os
