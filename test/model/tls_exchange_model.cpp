// SPDX-License-Identifier: BSL-1.0
// test/model/tls_exchange_model.cpp - tls/exchange.hpp: a handshake, writers, and a reader that has
// something to answer, over the four locks of a connection. What OpenSSL puts out is numbered; the
// stream below counts. The buffers are plain: two fibers in one of them are a race.
#include "tls/exchange.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "model/holds.hpp"
#include "model/spin_lock.hpp"
#include "model/sync.hpp"

using namespace weft;
using model::bounded;
using model::execution;
using model::holds;
using tls::detail::handshake_step;

namespace {

constexpr auto relaxed = std::memory_order_relaxed;

// The numbers [from, to).
struct buffer {
  model::plain<int> from{0}, to{0};
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(to - from); }
  [[nodiscard]] bool empty() const { return size() == 0; }
  void clear() {
    from = 0;
    to = 0;
  }
  void push(int number) {
    if (empty()) from = number;
    to = number + 1;
  }
  friend void swap(buffer& a, buffer& b) {
    const int from = a.from, to = a.to;
    a.from = b.from;
    a.to = b.to;
    b.from = from;
    b.to = to;
  }
};

// As engine_state.
struct connection {
  model::spin_lock shaking, reading, writing, guard;
  buffer output, sending;
  model::plain<std::size_t> sent{0};
  model::atomic<bool> done{false};
  model::plain<int> made{0};  // by OpenSSL; under guard
  model::plain<int> wire{0};  // what the stream below has taken
  model::plain<int> steps{0};
};
using shared = std::shared_ptr<connection>;

void make_output(const shared& c) {  // under guard
  c->output.push(c->made);
  c->made = c->made + 1;
}
bool flush(const shared& c) {
  return tls::detail::send_output(*c, [&](const buffer& b, model::plain<std::size_t>& sent) {
    const std::size_t done = sent;
    model::check(b.from + static_cast<int>(done) == c->wire, "TLS-2: sent once, in its order");
    c->wire = c->wire + 1;
    sent = done + 1;
    return true;
  });
}
// As ready, whose step asks OpenSSL.
void ready(const shared& c) {
  if (tls::detail::is_done(*c)) return;
  const std::lock_guard shaking(c->shaking);
  tls::detail::shake_hands(
      *c,
      [&] {
        const std::lock_guard guard(c->guard);
        make_output(c);
        c->steps = c->steps + 1;
        return c->steps == 2 ? handshake_step::finished : handshake_step::wants_input;
      },
      [&] { return flush(c); }, [] { return true; });
}
// As write_some.
void write(const shared& c) {
  ready(c);
  const std::lock_guard writing(c->writing);
  flush(c);
  {
    const std::lock_guard guard(c->guard);
    make_output(c);
  }
  flush(c);
}
// As read_some, with a message that wants an answer.
void answer(const shared& c) {
  ready(c);
  const std::lock_guard reading(c->reading);
  {
    const std::lock_guard guard(c->guard);
    make_output(c);
  }
  if (const std::unique_lock writing(c->writing, std::try_to_lock); writing) flush(c);
}

void all_is_sent(const shared& c) {
  const std::lock_guard writing(c->writing);  // the next write
  flush(c);
  model::check(c->wire == c->made, "TLS-2: all is sent");
}
void is_ready(const shared& c) { c->done.store(true, relaxed); }

void two_shake(execution& x) {
  auto c = std::make_shared<connection>();
  x.thread("first", [=] { ready(c); });
  x.thread("second", [=] { ready(c); });
  x.finally([=] {
    model::check(c->steps == 2, "TLS-3: one handshake");
    model::check(c->wire == c->made, "TLS-2: all is sent");
  });
}
void shake_and_write(execution& x) {
  auto c = std::make_shared<connection>();
  x.thread("first", [=] { ready(c); });
  x.thread("writer", [=] { write(c); });
  x.finally([=] { model::check(c->wire == 3, "TLS-2: all is sent"); });
}
void read_and_write(execution& x) {
  auto c = std::make_shared<connection>();
  is_ready(c);
  x.thread("reader", [=] { answer(c); });
  x.thread("writer", [=] { write(c); });
  x.finally([=] { all_is_sent(c); });
}
void two_write(execution& x) {
  auto c = std::make_shared<connection>();
  is_ready(c);
  x.thread("writer", [=] { write(c); });
  x.thread("second", [=] { write(c); });
  x.finally([=] { model::check(c->wire == 2, "TLS-2: all is sent"); });
}

// What the order of the last step prevents: done, and then the last output.
void done_before_it_is_sent(execution& x) {
  auto c = std::make_shared<connection>();
  x.thread("first", [=] {
    const std::lock_guard shaking(c->shaking);
    {
      const std::lock_guard guard(c->guard);
      make_output(c);
    }
    c->done.store(true, std::memory_order_release);
    flush(c);
  });
  x.thread("writer", [=] { write(c); });
}
// And a reader that sends without the lock.
void answers_without_the_lock(execution& x) {
  auto c = std::make_shared<connection>();
  is_ready(c);
  x.thread("reader", [=] {
    {
      const std::lock_guard guard(c->guard);
      make_output(c);
    }
    flush(c);
  });
  x.thread("writer", [=] { write(c); });
}

}  // namespace

TEST_CASE("TLS-2: what OpenSSL puts out is sent once, in its order") {
  holds(read_and_write);
  holds(two_write);
  CHECK(model::explore({}, answers_without_the_lock).end == model::verdict::raced);
}
TEST_CASE("TLS-3: the handshake has both directions for itself, until all it has to say is sent") {
  holds(two_shake);
  holds(shake_and_write, bounded(3));
  CHECK_FALSE(model::explore({}, done_before_it_is_sent).ok());
}
TEST_CASE("TLS: which orderings are needed") {
  const auto all = model::mutate(bounded(3), {two_shake, shake_and_write}, "/exchange.hpp");
  const std::vector<std::string> expected{};
  CHECK_MESSAGE(model::survivors(all) == expected, model::list(all));
}
