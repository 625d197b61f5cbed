// SPDX-License-Identifier: BSL-1.0
// net/resolver.cpp - see resolver.hpp.
#include "net/resolver.hpp"

#include <atomic>
#include <csignal>
#include <new>
#include <optional>
#include <thread>

#include "os/os.hpp"
#include "sched/park.hpp"

namespace weft::detail {
namespace {

std::atomic<resolver*> injected{nullptr};

class all_signals_blocked {
 public:
  all_signals_blocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~all_signals_blocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  all_signals_blocked(const all_signals_blocked&) = delete;
  all_signals_blocked& operator=(const all_signals_blocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

resolver& resolver::of_process() {
  if (resolver* const r = injected.load(std::memory_order_acquire)) return *r;
  // Never destroyed: a thread may be inside the system's resolver when the process ends.
  static resolver* const the_one = new resolver;
  return *the_one;
}
void resolver::set_of_process(resolver* r) noexcept {
  injected.store(r, std::memory_order_release);
}

resolver::~resolver() {
  line_.end([](auto& word, std::uint32_t seen) {
    os::futex_wait_until(word, seen, steady_at(os::now_ns() + 10'000'000));
  });
}

std::vector<net::endpoint> resolver::resolve(lookup_request r, const wait_limit& l,
                                             std::error_code& ec) {
  const auto [found, needs_thread] = line_.join(std::move(r), ec);
  if (!found) return {};
  if (needs_thread && !start_thread()) line_.thread_failed([](ticket t) { wake(t); });
  struct interest {
    ~interest() { in.lose_interest(of); }
    line& in;
    line::lookup& of;
  } const held{line_, *found};
  ec = wait(*found, l);
  if (ec) return {};
  ec = found->answer.error;  // done: nobody writes to it any more
  return found->answer.endpoints;
}

std::error_code resolver::wait(line::lookup& l, const wait_limit& limit) try {
  fiber_record& self = this_agent();
  extra_waiter me;
  const ticket mine = begin_park(self, park_reason::resolve, &l, stoppable::yes);
  me.who = mine;
  wake_code end = wake_code::ready;
  if (!line_.begin_wait(l, me)) {
    static_cast<void>(cancel_park(self));
  } else if (limit.stop != nullptr) {
    const std::stop_callback callback(
        *limit.stop, [mine]() noexcept { wake_from_callback(mine, wake_code::stop); });
    end = finish_park(self, steady_ns(limit.deadline));
  } else {
    end = finish_park(self, steady_ns(limit.deadline));
  }
  if (line_.end_wait(l, me)) return {};
  return std::make_error_code(end == wake_code::timeout ? std::errc::timed_out
                                                        : std::errc::operation_canceled);
} catch (const std::system_error& e) {  // a thread of the application's that cannot wait
  return e.code();
}

// The signals of the process are for its own threads.
bool resolver::start_thread() noexcept {
  const all_signals_blocked guard;
  try {
    std::thread([this] { main(); }).detach();
    return true;
  } catch (...) {  // no thread, or no memory for one
    return false;
  }
}

namespace {

class idle_time {
 public:
  explicit idle_time(std::int64_t most_ns) noexcept : most_ns_(most_ns) { begins(); }
  void begins() noexcept { until_ns_ = os::now_ns() + most_ns_; }
  [[nodiscard]] bool is_over() const noexcept { return os::now_ns() >= until_ns_; }
  void sleep(const std::atomic<std::uint32_t>& word, std::uint32_t seen) const noexcept {
    os::futex_wait_until(word, seen, steady_at(until_ns_));
  }

 private:
  const std::int64_t most_ns_;
  std::int64_t until_ns_ = 0;
};

}  // namespace

void resolver::main() noexcept {
  os::set_thread_name("weft-resolve");
  line_.serve(
      [this](const lookup_request& r) -> lookup_answer {
        try {
          return ask_(r);
        } catch (const std::bad_alloc&) {
          return {std::make_error_code(std::errc::not_enough_memory), {}};
        }
      },
      [](ticket t) { wake(t); }, idle_time(idle_ns_));
}

}  // namespace weft::detail
