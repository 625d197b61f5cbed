// SPDX-License-Identifier: BSL-1.0
// Channels, locks, permits and scopes while everything happens at once: stops, deadlines, closes
// and exceptions, too. The books must balance. WEFT_SOAK_SECONDS makes it a soak.
#include "support/lives.hpp"

#include <mutex>
#include <optional>
#include <shared_mutex>

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

struct failure {};  // what children throw

/// What the fibers of one life share, and the books they keep. Written after the step.
class world {
 public:
  explicit world(choices& pick) : numbers_(pick.below(4)), closes_(pick.below(2) == 0) {}
  void step(choices& pick, int depth);
  void before_shutdown() {
    if (closes_) numbers_.close();
  }
  void settle();

 private:
  void send(choices& pick, const std::stop_token& stop);
  void receive(choices& pick, const std::stop_token& stop);
  void lock(choices& pick, const std::stop_token& stop);
  void lock_shared(choices& pick);
  void hold_permit(choices& pick, const std::stop_token& stop);
  void start_children(choices& pick, int depth);
  void expect(bool right) noexcept { add(wrong_, right ? 0 : 1); }

  weft::channel<std::uint64_t> numbers_;
  const bool closes_;  // before the shutdown: only then does a wait without a limit end
  count sent_{0}, received_{0};
  weft::mutex lock_;
  weft::shared_mutex shared_;
  std::uint64_t under_lock_ = 0, under_shared_ = 0;
  count locked_{0}, locked_shared_{0};
  weft::counting_semaphore<> permits_{2};
  std::atomic<int> holders_{0};
  count wrong_{0};
};

void world::send(choices& pick, const std::stop_token& stop) {
  const std::uint64_t n = 1 + pick.below(1000);
  bool sent = false;
  switch (pick.below(closes_ ? 5 : 4)) {
    case 0:
      sent = numbers_.try_send(n);
      break;
    case 1:
      sent = static_cast<bool>(numbers_.send(n, stop));
      break;
    case 2:
      sent = static_cast<bool>(numbers_.send_for(n, std::chrono::microseconds(pick.below(500))));
      break;
    case 3:
      weft::select(weft::on_send(numbers_, n, [&](bool done) { sent = done; }),
                   weft::on_stop(stop, [] {}), weft::on_timeout(300us, [] {}));
      break;
    default:
      sent = numbers_.send(n);
  }
  if (sent) add(sent_, n);
}

void world::receive(choices& pick, const std::stop_token& stop) {
  std::uint64_t got = 0;
  switch (pick.below(closes_ ? 5 : 4)) {
    case 0:
      got = numbers_.try_receive().value_or(0);
      break;
    case 1:
      if (auto r = numbers_.receive(stop)) got = *r;
      break;
    case 2:
      if (auto r = numbers_.receive_for(std::chrono::microseconds(pick.below(500)))) got = *r;
      break;
    case 3:
      weft::select(
          weft::on_receive(numbers_, [&](std::optional<std::uint64_t> n) { got = n.value_or(0); }),
          weft::on_stop(stop, [] {}), weft::on_timeout(300us, [] {}));
      break;
    default:
      got = numbers_.receive().value_or(0);
  }
  add(received_, got);
}

void world::lock(choices& pick, const std::stop_token& stop) {
  switch (pick.below(4)) {
    case 0:
      if (!lock_.try_lock_for(200us)) return;
      break;
    case 1:
      if (!lock_.lock(stop)) return;
      break;
    default:
      lock_.lock();
  }
  const std::unique_lock hold(lock_, std::adopt_lock);
  ++under_lock_;
  if (pick.below(4) == 0) weft::this_fiber::yield();
  add(locked_, 1);
}

void world::lock_shared(choices& pick) {
  if (pick.below(3) != 0) {
    const std::shared_lock hold(shared_);
    const std::uint64_t before = under_shared_;
    weft::this_fiber::yield();
    expect(under_shared_ == before);
    return;
  }
  const std::unique_lock hold(shared_);
  ++under_shared_;
  add(locked_shared_, 1);
}

void world::hold_permit(choices& pick, const std::stop_token& stop) {
  if (pick.below(2) == 0 ? !permits_.try_acquire_for(200us) : !permits_.acquire(stop)) return;
  expect(holders_.fetch_add(1) < 2);
  if (pick.below(2) == 0) weft::this_fiber::yield();
  holders_.fetch_sub(1);
  permits_.release();
}

/// Children that send, throw, run late and are stopped; all have ended when the scope is left.
void world::start_children(choices& pick, int depth) {
  count alive{0};
  const auto until = std::chrono::microseconds(pick.below(2000));
  try {
    weft::scope all(weft::scope_limit{1 + pick.below(4)},
                    weft::scope_deadline{std::chrono::steady_clock::now() + until});
    for (std::uint64_t i = pick.below(6); i > 0; --i) {
      all.spawn([this, &alive, depth, stream = pick.below(~0ULL)] {
        struct counted {
          explicit counted(count& c) : c_(c) { c_.fetch_add(1); }
          ~counted() { c_.fetch_sub(1); }
          counted(const counted&) = delete;
          counted& operator=(const counted&) = delete;
          count& c_;
        } const here(alive);
        choices own(stream);
        step(own, depth + 1);
        if (own.below(8) == 0) throw failure{};
      });
      if (pick.below(12) == 0) all.request_stop();
    }
    if (pick.below(8) == 0) throw failure{};
  } catch (const failure&) {
  }
  expect(alive == 0);
}

void world::step(choices& pick, int depth) {
  const auto stop = weft::this_fiber::stop_token();
  const std::uint64_t n = pick.below(1000);
  switch (pick.below(11)) {
    case 0:
    case 1:
      return send(pick, stop);
    case 2:
    case 3:
      return receive(pick, stop);
    case 4:
      return lock(pick, stop);
    case 5:
      return lock_shared(pick);
    case 6:
      return hold_permit(pick, stop);
    case 7:
      static_cast<void>(weft::this_fiber::sleep_for(std::chrono::microseconds(n / 4)));
      return;
    case 8:
      return expect(weft::spawn([n] { return n + 1; }).join() == n + 1);
    case 9:
      return expect(weft::offload([n] { return n + 1; }) == n + 1);
    default:
      if (depth < 2) start_children(pick, depth);
  }
}

void world::settle() {
  numbers_.close();
  while (const auto n = numbers_.try_receive()) add(received_, *n);
  CHECK(wrong_ == 0);
  CHECK(received_ == sent_);
  CHECK(under_lock_ == locked_);
  CHECK(under_shared_ == locked_shared_);
  CHECK(holders_ == 0);
  CHECK(permits_.try_acquire());
  CHECK(permits_.try_acquire());
  CHECK(!permits_.try_acquire());
}

}  // namespace

TEST_CASE("everything at once, and a shutdown in the middle: the books balance") { lives<world>(); }
