// SPDX-License-Identifier: BSL-1.0
// net/resolver.cpp - see resolver.hpp.
#include "net/resolver.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <mutex>
#include <new>
#include <optional>
#include <thread>

#include "os/os.hpp"
#include "sched/park.hpp"

namespace weft::detail {
namespace {

// The last two labels: "www.example.org." -> "example.org".
std::string_view domain_of(std::string_view host) noexcept {
  if (host.ends_with('.')) host.remove_suffix(1);
  const std::size_t last = host.rfind('.');
  if (last == std::string_view::npos || last == 0) return host;
  const std::size_t before = host.rfind('.', last - 1);
  return before == std::string_view::npos ? host : host.substr(before + 1);
}

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
  std::unique_lock guard(lock_);
  ending_ = true;
  while (threads_ > 0) {
    const std::uint32_t seen = changes_.fetch_add(1, std::memory_order_relaxed) + 1;
    guard.unlock();
    os::futex_wake(changes_, os::wake_all);
    os::futex_wait_until(changes_, seen, steady_at(os::now_ns() + 10'000'000));
    guard.lock();
  }
}

std::size_t resolver::threads() const noexcept {
  const std::lock_guard guard(lock_);
  return threads_;
}

std::vector<net::endpoint> resolver::resolve(lookup_request r, const wait_limit& l,
                                             std::error_code& ec) {
  const lookup_pointer found = join_or_line_up(std::move(r), ec);
  if (!found) return {};
  struct interest {
    ~interest() { in.lose_interest(of); }
    resolver& in;
    lookup& of;
  } const held{*this, *found};
  ec = wait(*found, l);
  if (ec) return {};
  ec = found->answer.error;  // done: nobody writes to it any more
  return found->answer.endpoints;
}

resolver::lookup_pointer resolver::join_or_line_up(lookup_request&& r, std::error_code& ec) {
  auto fresh = std::make_shared<lookup>();
  fresh->key = r.host + '\n' + r.service + '\n' + std::to_string(static_cast<int>(r.family));
  std::string domain(domain_of(r.host));
  fresh->request = std::move(r);
  bool needs_thread = false, wakes = false;
  {
    const std::lock_guard guard(lock_);
    const auto [at, is_new] = under_way_.try_emplace(fresh->key, fresh);
    if (!is_new) {
      ++at->second->interested;
      return at->second;
    }
    try {
      fresh->domain = &*domains_.try_emplace(std::move(domain)).first;
      if (line_.size() < limits_.line && fresh->domain->second.in_line < limits_.line_per_domain)
        line_.push_back(fresh);
      else
        ec = net::net_errc::resolver_busy;
    } catch (...) {
      if (fresh->domain != nullptr) release_domain(*fresh);
      under_way_.erase(at);
      throw;
    }
    if (ec) {
      release_domain(*fresh);
      under_way_.erase(at);
      return nullptr;
    }
    ++fresh->domain->second.in_line;
    fresh->interested = 1;
    wakes = idle_ > 0;
    // Counted here, made outside the lock.
    needs_thread = line_.size() > idle_ && threads_ < limits_.threads;
    threads_ += needs_thread ? 1 : 0;
    changes_.fetch_add(1,
                       std::memory_order_relaxed);  // under the lock, as its reading before a wait
  }
  if (wakes) os::futex_wake(changes_, 1);
  if (needs_thread && !start_thread()) thread_failed();
  return fresh;
}

// If there is none at all, nobody answers those in line.
void resolver::thread_failed() noexcept {
  std::unique_lock guard(lock_);
  if (--threads_ > 0) return;
  while (!line_.empty()) {
    const lookup_pointer l = line_.front();
    forget(*l);
    l->answer.error = std::make_error_code(std::errc::resource_unavailable_try_again);
    l->where = lookup::state::done;
    guard.unlock();
    wake_waiters(*l);
    guard.lock();
  }
}

std::error_code resolver::wait(lookup& l, const wait_limit& limit) {
  fiber_record& self = this_agent();
  extra_waiter me;
  const ticket mine = begin_park(self, park_reason::resolve, &l, stoppable::yes);
  me.who = mine;
  bool done = false;
  {
    const std::lock_guard guard(lock_);
    done = l.where == lookup::state::done;
    if (!done) l.waiters.push_back(me);  // [RESOLVE-1]
  }
  wake_code end = wake_code::ready;
  if (done) {
    static_cast<void>(cancel_park(self));
  } else if (limit.stop != nullptr) {
    const std::stop_callback callback(*limit.stop,
                                      [mine]() noexcept { wake(mine, wake_code::stop); });
    end = finish_park(self, steady_ns(limit.deadline));
  } else {
    end = finish_park(self, steady_ns(limit.deadline));
  }
  const std::lock_guard guard(lock_);
  if (me.linked()) me.unlink();
  if (l.where == lookup::state::done) return {};
  return std::make_error_code(end == wake_code::timeout ? std::errc::timed_out
                                                        : std::errc::operation_canceled);
}

void resolver::lose_interest(lookup& l) noexcept {
  const std::lock_guard guard(lock_);
  if (--l.interested == 0 && l.where == lookup::state::in_line) forget(l);  // [RESOLVE-2]
}

void resolver::forget(lookup& l) noexcept {
  const auto at =
      std::find_if(line_.begin(), line_.end(), [&](const auto& p) { return p.get() == &l; });
  --l.domain->second.in_line;
  release_domain(l);
  const lookup_pointer keep = std::move(*at);
  line_.erase(at);
  under_way_.erase(l.key);
}
void resolver::release_domain(lookup& l) noexcept {
  if (l.domain->second.running + l.domain->second.in_line == 0) domains_.erase(l.domain->first);
  l.domain = nullptr;
}

// The signals of the process are for its own threads.
bool resolver::start_thread() noexcept {
  const all_signals_blocked guard;
  try {
    std::thread([this] { main(); }).detach();
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

// First come, first served, but for domains that have all the threads they may have [RESOLVE-3].
resolver::lookup_pointer resolver::next() noexcept {
  for (auto at = line_.begin(); at != line_.end(); ++at) {
    domain_use& d = (*at)->domain->second;
    if (d.running >= limits_.threads_per_domain) continue;
    lookup_pointer l = std::move(*at);
    line_.erase(at);
    --d.in_line;
    ++d.running;
    l->where = lookup::state::running;
    return l;
  }
  return nullptr;
}

void resolver::main() noexcept {
  os::set_thread_name("weft-resolve");
  std::unique_lock guard(lock_);
  std::int64_t idle_since = os::now_ns();
  while (!ending_) {
    if (lookup_pointer l = next()) {
      guard.unlock();
      lookup_answer answer;
      try {
        answer = ask_(l->request);
      } catch (const std::bad_alloc&) {
        answer = {std::make_error_code(std::errc::not_enough_memory), {}};
      }
      finish(*l, std::move(answer));
      l.reset();
      guard.lock();
      idle_since = os::now_ns();
      continue;
    }
    const std::int64_t until = idle_since + limits_.idle_ns;
    if (os::now_ns() >= until) break;
    ++idle_;
    const std::uint32_t seen = changes_.load(std::memory_order_relaxed);
    guard.unlock();
    os::futex_wait_until(changes_, seen, steady_at(until));
    guard.lock();
    --idle_;
  }
  --threads_;
}

void resolver::finish(lookup& l, lookup_answer&& answer) noexcept {
  bool others = false;
  {
    const std::lock_guard guard(lock_);
    l.answer = std::move(answer);
    l.where = lookup::state::done;  // [RESOLVE-1]
    under_way_.erase(l.key);
    --l.domain->second.running;
    release_domain(l);
    others = !line_.empty();
    if (others) changes_.fetch_add(1, std::memory_order_relaxed);
  }
  // Of this domain several may have waited for a thread; this one takes the next by itself.
  if (others) os::futex_wake(changes_, 1);
  wake_waiters(l);
}

// One at a time: a wake may enter weft, and must not be made under the lock.
void resolver::wake_waiters(lookup& l) noexcept {
  for (;;) {
    ticket t;
    {
      const std::lock_guard guard(lock_);
      extra_waiter* const w = l.waiters.pop_front();
      if (w == nullptr) return;
      t = w->who;
    }
    wake(t);
  }
}

}  // namespace weft::detail
