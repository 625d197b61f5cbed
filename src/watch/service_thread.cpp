// SPDX-License-Identifier: BSL-1.0
// watch/service_thread.cpp - see the header.
#include "watch/service_thread.hpp"

#include <weft/detail/deadline.hpp>

namespace weft::detail {
namespace {
// longer: it may just wait for a new thread's first turn on a CPU
constexpr std::int64_t stuck_service_ns = 20'000'000;
}  // namespace

void service_thread::start() {
  thread_ = std::thread([this] { main(); });
}

void service_thread::main() noexcept {
  os::set_thread_name(runtime_, "-svc");
  id_.store(os::thread_id(), std::memory_order_relaxed);
  stat_.open(os::thread_id());
  for (;;) {
    const std::uint32_t heard = word_.hear();  // [SERVICE-1]
    if (ends_.load(std::memory_order_acquire)) return;
    turn_now_.begin(os::now_ns());
    const std::int64_t next = turn_();
    turn_now_.end();
    word_.sleep(heard, [next](const std::atomic<std::uint32_t>& word, std::uint32_t value) {
      if (next == INT64_MAX)
        os::futex_wait(word, value);
      else
        static_cast<void>(os::futex_wait_until(word, value, steady_at(next)));
    });
  }
}

bool service_thread::is_stuck(std::int64_t now) noexcept {
  return turn_now_.has_lasted(stuck_service_ns, now) &&  // one at a time
         // not for want of a CPU
         stat_.look(id_.load(std::memory_order_relaxed)) != os::thread_activity::runs;
}

void service_thread::end() noexcept {
  ends_.store(true, std::memory_order_release);
  wake();
  if (is_this_thread()) {  // a hook shuts the runtime down, or exits, and a static one ends
    has_left_itself_.store(true, std::memory_order_release);
    thread_.detach();
  } else if (thread_.joinable()) {
    thread_.join();
  }
  give_word_back();
}

}  // namespace weft::detail
