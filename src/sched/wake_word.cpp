// SPDX-License-Identifier: BSL-1.0
// sched/wake_word.cpp - see the header.
#include "sched/wake_word.hpp"

namespace weft::detail {
namespace {
constinit basic_wake_words<> words;
}  // namespace

wake_word& register_wake_word() {
  return words.take([] { return new wake_word; });
}
void take_down(wake_word& w) noexcept { basic_wake_words<>::give_back(w); }
void wake_all_service_threads() noexcept { words.ring_all(); }
bool any_wake_word_registered() noexcept { return words.any_taken(); }

}  // namespace weft::detail
