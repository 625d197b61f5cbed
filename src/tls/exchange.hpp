// SPDX-License-Identifier: BSL-1.0
#pragma once
// tls/exchange.hpp - the handshake and the output of a connection, apart from OpenSSL: who may be
// in them, and in which order. State: engine_state. TLS-2, TLS-3: README.md

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

namespace weft::tls::detail {

/// With `writing` held, or `shaking` and not `done`: sends all there is. `send(sending, sent)`: how
/// much more is gone; it has thrown nothing away. False: it has ended early, and what is left goes
/// first the next time.
// TLS-2: what OpenSSL put out is taken in its order, and all of it is gone before more is taken.
template <class State, class Send>
bool send_output(State& s, Send&& send) {
  for (;;) {
    while (s.sent < s.sending.size())
      if (!send(s.sending, s.sent)) return false;
    s.sending.clear();
    s.sent = 0;
    using std::swap;
    const std::lock_guard lock(s.guard);
    if (s.output.empty()) return true;
    swap(s.output, s.sending);
  }
}

enum class handshake_step : std::uint8_t { wants_input, finished, failed };

/// With `shaking` held, which stands for `reading` and `writing` until `done`. `step()`: OpenSSL's;
/// `flush()` sends the output; false: give up. `fill()`: there is input; false: give up.
// TLS-3: `done` comes after the last output is sent, for all others send theirs from then on.
template <class State, class Step, class Flush, class Fill>
void shake_hands(State& s, Step&& step, Flush&& flush, Fill&& fill) {
  while (!s.done.load(std::memory_order_relaxed)) {  // `shaking` orders it
    const handshake_step now = step();
    if (now == handshake_step::failed) return;
    if (now == handshake_step::finished) {
      static_cast<void>(flush());                     // what is left goes first the next time
      s.done.store(true, std::memory_order_release);  // [TLS-3] is_done
      return;
    }
    if (!flush() || !fill()) return;
  }
}

template <class State>
[[nodiscard]] bool is_done(const State& s) noexcept {
  return s.done.load(std::memory_order_acquire);  // [TLS-3] shake_hands: what it has left
}

}  // namespace weft::tls::detail
