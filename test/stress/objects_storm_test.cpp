// SPDX-License-Identifier: BSL-1.0
// Barriers, latches, flags, watched values, packaged tasks, selectors and what belongs to a fiber,
// while everything happens at once (support/lives.hpp).
#include "support/lives.hpp"

#include <array>
#include <future>
#include <mutex>
#include <string>
#include <utility>

using namespace weft::test;
using namespace std::chrono_literals;

namespace {

struct failure {};  // what is thrown on purpose

class world {
 public:
  explicit world(choices&) {}
  void step(choices& pick, int depth);
  void before_shutdown() {}
  void settle();

 private:
  void come_together(choices& pick);
  void count_down(choices& pick);
  void make_once(choices& pick);
  void lock_again(choices& pick);
  void look_at_news(choices& pick);
  void keep_rate(choices& pick);
  void ask_a_task(choices& pick);
  void choose(choices& pick);
  void wait_for_child(choices& pick);
  void own_what_is_ours(choices& pick);
  void fail_in_the_middle(choices& pick);
  void hear_a_thread(choices& pick);
  void expect(bool right) noexcept { add(wrong_, right ? 0 : 1); }

  static constexpr std::int64_t burst = 10, per_second = 100'000;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  weft::rate_limiter rate_{per_second, burst};
  std::atomic<std::int64_t> let_through_{0};

  std::array<weft::once_flag, 64> flags_;
  std::array<std::atomic<int>, 64> made_{};

  weft::recursive_mutex lock_;
  std::uint64_t under_lock_ = 0;
  count locked_{0};

  weft::watch<std::uint64_t> news_{0};
  count sent_{0};

  count wrong_{0};
};

/// Takes part in a barrier's phases, also if its fiber never starts: it leaves then.
class participant {
 public:
  explicit participant(weft::barrier<>& b) noexcept : barrier_(&b) {}
  participant(participant&& other) noexcept : barrier_(std::exchange(other.barrier_, nullptr)) {}
  ~participant() {
    if (barrier_ != nullptr) barrier_->arrive_and_drop();
  }
  void arrive() { barrier_->arrive_and_wait(); }

 private:
  weft::barrier<>* barrier_;
};

/// Nobody begins a phase before all have ended the last one.
void world::come_together(choices& pick) {
  const std::uint64_t n = 1 + pick.below(4), phases = 1 + pick.below(5);
  weft::barrier<> all(static_cast<std::ptrdiff_t>(n));
  std::array<std::atomic<std::uint64_t>, 5> arrived{};
  weft::scope children;
  for (std::uint64_t i = 0; i < n; ++i) {
    participant here(all);  // if there is no memory for its fiber, it leaves here
    children.spawn([&, here = std::move(here), phases]() mutable {
      for (std::uint64_t phase = 0; phase < phases; ++phase) {
        arrived[phase].fetch_add(1);
        here.arrive();
        if (phase > 0) expect(arrived[phase] <= arrived[phase - 1]);
        expect(arrived[phase] <= n);
      }
    });
  }
}

void world::count_down(choices& pick) {
  const auto n = static_cast<std::ptrdiff_t>(1 + pick.below(4));
  weft::latch down(n);
  std::atomic<std::ptrdiff_t> counted{0};
  struct one {
    explicit one(weft::latch& l, std::atomic<std::ptrdiff_t>& c) noexcept : down(&l), counted(&c) {}
    one(one&& other) noexcept : down(std::exchange(other.down, nullptr)), counted(other.counted) {}
    ~one() {
      if (down == nullptr) return;
      counted->fetch_add(1);
      down->count_down();
    }
    weft::latch* down;
    std::atomic<std::ptrdiff_t>* counted;
  };
  weft::scope children;
  std::ptrdiff_t started = 0;
  try {
    for (; started < n; ++started) {
      one here(down, counted);
      children.spawn([here = std::move(here)] { weft::this_fiber::yield(); });
    }
  } catch (const std::bad_alloc&) {
    ++started;
  }
  for (; started < n; ++started) one(down, counted);
  if (pick.below(2) == 0)
    down.wait();
  else if (!down.wait_for(std::chrono::microseconds(pick.below(300))))
    return;
  expect(counted == n);
}

void world::make_once(choices& pick) {
  const std::size_t i = pick.below(flags_.size());
  try {
    weft::call_once(flags_[i], [&] {
      if (pick.below(3) == 0) throw failure{};
      weft::this_fiber::yield();
      made_[i].fetch_add(1);
    });
    expect(made_[i] == 1);
  } catch (const failure&) {
  }
}

void world::lock_again(choices& pick) {
  if (pick.below(3) == 0) {
    if (!lock_.try_lock_for(std::chrono::microseconds(pick.below(200)))) return;
  } else {
    lock_.lock();
  }
  const std::unique_lock outer(lock_, std::adopt_lock);
  ++under_lock_;
  weft::this_fiber::yield();
  const std::unique_lock inner(lock_, std::try_to_lock);
  expect(inner.owns_lock());
  ++under_lock_;
  add(locked_, 2);
}

/// No value comes twice, and none goes back.
void world::look_at_news(choices& pick) {
  if (pick.below(2) == 0) {
    news_.update([&](std::uint64_t& n) {
      ++n;
      add(sent_, 1);
    });
    return;
  }
  auto mine = news_.subscribe();
  std::uint64_t before = news_.get();
  for (int i = 0; i < 3; ++i) {
    if (!mine.changed_for(std::chrono::microseconds(pick.below(400)))) continue;
    const std::uint64_t now = mine.get();
    expect(now >= before);
    before = now;
  }
}

void world::keep_rate(choices& pick) {
  const auto n = static_cast<std::int64_t>(1 + pick.below(3));
  if (pick.below(2) == 0 ? rate_.try_acquire(n)
                         : rate_.acquire_for(n, std::chrono::microseconds(pick.below(300))))
    let_through_.fetch_add(n);
}

void world::ask_a_task(choices& pick) {
  const bool fails = pick.below(4) == 0;
  weft::packaged_task<int(int)> task([fails](int n) {
    weft::this_fiber::yield();
    if (fails) throw failure{};
    return n + 1;
  });
  auto answer = task.get_future();
  weft::spawn([task = std::move(task)]() mutable { task(6); }).detach();
  try {
    expect(answer.get() == 7 && !fails);
  } catch (const failure&) {
    expect(fails);
  } catch (const std::future_error& e) {  // there was no stack for it
    expect(e.code() == std::future_errc::broken_promise);
  }
}

/// All that two senders send, in their order, and then the end of each.
void world::choose(choices& pick) {
  std::array<weft::channel<std::uint64_t>, 2> from{weft::channel<std::uint64_t>(pick.below(2)),
                                                   weft::channel<std::uint64_t>(pick.below(3))};
  std::array<std::uint64_t, 2> sent{}, got{};
  const std::uint64_t n = pick.below(12);
  {
    weft::scope senders;
    for (std::size_t i = 0; i < 2; ++i)
      senders.spawn([&, i] {
        for (; sent[i] < n; ++sent[i])
          if (!from[i].send(sent[i], weft::this_fiber::stop_token())) break;
        from[i].close();
      });
    weft::selector all;
    std::size_t open = 2;
    for (std::size_t i = 0; i < 2; ++i)
      all.add(weft::on_receive(from[i], [&, i](std::optional<std::uint64_t> value) {
        if (value) {
          expect(*value == got[i]++);
        } else {
          all.remove(i);
          --open;
        }
      }));
    const std::size_t over = all.add(weft::on_timeout(20ms, [&] { open = 0; }));
    while (open > 0) all.select();
    expect(over == 2);
    for (auto& one : from) one.close();
  }
  for (std::size_t i = 0; i < 2; ++i) expect(got[i] <= sent[i]);
}

void world::wait_for_child(choices& pick) {
  const auto time = std::chrono::microseconds(pick.below(300));
  auto child = weft::spawn([time] {
    static_cast<void>(weft::this_fiber::sleep_for(time));
    return 8;
  });
  bool ended = false;
  weft::select(weft::on_join(child, [&] { ended = true; }),
               weft::on_timeout(std::chrono::microseconds(pick.below(300)), [] {}));
  if (!ended && pick.below(2) == 0) child.request_stop();
  expect(child.join() == 8);
}

void world::own_what_is_ours(choices& pick) {
  static weft::fiber_local<std::string> name([] { return std::string(100, 'x'); });
  const char mine = static_cast<char>('a' + pick.below(26));
  name.get().assign(200, mine);
  weft::this_fiber::yield();
  weft::spawn([&] { expect(name.get() == std::string(100, 'x')); }).join();
  {
    const weft::no_preempt whole;
    const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(pick.below(60));
    while (std::chrono::steady_clock::now() < until) continue;
  }
  expect(name.get() == std::string(200, mine));
}

/// Exceptions are the fiber's, wherever it goes on.
void world::fail_in_the_middle(choices& pick) {
  const std::uint64_t n = pick.below(1000);
  try {
    try {
      throw n;
    } catch (const std::uint64_t& inner) {
      weft::this_fiber::yield();
      expect(inner == n);
      weft::block_in_place([] {});
      throw;
    }
  } catch (std::uint64_t outer) {
    static_cast<void>(weft::this_fiber::sleep_for(10us));
    expect(outer == n && std::uncaught_exceptions() == 0);
  }
}

void world::hear_a_thread(choices& pick) {
  weft::event heard;
  weft::channel<std::uint64_t> answers(1);
  const std::uint64_t n = pick.below(1000);
  const std::jthread other([&] {
    try {
      heard.wait();
      static_cast<void>(answers.send(n + 1));
    } catch (const std::bad_alloc&) {
      answers.close();
    }
  });
  heard.set();
  if (auto answer = answers.receive(weft::this_fiber::stop_token())) expect(*answer == n + 1);
}

void world::step(choices& pick, int) {
  switch (pick.below(12)) {
    case 0:
      return come_together(pick);
    case 1:
      return count_down(pick);
    case 2:
      return make_once(pick);
    case 3:
      return lock_again(pick);
    case 4:
      return look_at_news(pick);
    case 5:
      return keep_rate(pick);
    case 6:
      return ask_a_task(pick);
    case 7:
      return choose(pick);
    case 8:
      return wait_for_child(pick);
    case 9:
      return own_what_is_ours(pick);
    case 10:
      return fail_in_the_middle(pick);
    default:
      if (pick.below(8) == 0) hear_a_thread(pick);
  }
}

void world::settle() {
  CHECK(wrong_ == 0);
  CHECK(under_lock_ == locked_);
  CHECK(news_.get() == sent_);
  const std::chrono::duration<double> lived = std::chrono::steady_clock::now() - began_;
  CHECK(static_cast<double>(let_through_) <= burst + lived.count() * per_second);
}

}  // namespace

TEST_CASE("every other object at once, and a shutdown in the middle") { lives<world>(); }
