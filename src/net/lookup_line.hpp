// SPDX-License-Identifier: BSL-1.0
#pragma once
// net/lookup_line.hpp - lookups of names: in line, under way, done; who waits for them, and the
// threads that ask.
//
//   RESOLVE-1  a waiter for a lookup is woken when it is done: `done` and the list of waiters
//              change under the lock, and a caller that finds it done does not park.
//   RESOLVE-2  a lookup in line that nobody waits for any more leaves it; one that runs is
//              finished. If there is no thread, and none can be made, those in line fail.
//   RESOLVE-3  one domain has a part of the threads, and of the line, only.
// The lock is held for a few hundred nanoseconds, around what costs a millisecond at best.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include <weft/net/resolve.hpp>

#include "base/intrusive_list.hpp"
#include "base/lock_guard.hpp"
#include "net/poll_descriptor.hpp"
#include "os/os.hpp"

namespace weft::detail {

struct lookup_request {
  std::string host, service;
  net::address_family family;
};
struct lookup_answer {
  std::error_code error;
  std::vector<net::endpoint> endpoints;
};
struct resolver_limits {
  std::size_t threads = 16, threads_per_domain = 4;
  std::size_t line = 1024, line_per_domain = 256;
  std::int64_t idle_ns = 10'000'000'000;
};

/// The last two labels: "www.example.org." -> "example.org".
[[nodiscard]] inline std::string_view domain_of(std::string_view host) noexcept {
  if (host.ends_with('.')) host.remove_suffix(1);
  const std::size_t last = host.rfind('.');
  if (last == std::string_view::npos || last == 0) return host;
  const std::size_t before = host.rfind('.', last - 1);
  return before == std::string_view::npos ? host : host.substr(before + 1);
}

template <class Sync, class Lock>
class basic_lookup_line {
  struct domain_use {
    std::size_t running = 0, in_line = 0;
  };
  using domain_map = std::unordered_map<std::string, domain_use>;

 public:
  struct lookup {
    lookup_request request;
    std::string key;
    typename domain_map::value_type* domain = nullptr;  // while it is in line or running
    enum class state : unsigned char { in_line, running, done } where = state::in_line;
    lookup_answer answer;  // written before `done`; not afterwards, and so read without the lock
    std::size_t interested = 0;
    base::intrusive_list<extra_waiter> waiters;
  };
  using lookup_pointer = std::shared_ptr<lookup>;

  explicit basic_lookup_line(const resolver_limits& limits) : limits_(limits) {}

  // ---- callers
  struct joined {
    lookup_pointer of;  // null: `ec`; else the caller is interested in it
    // One is counted that the caller starts, or takes back by thread_failed.
    bool needs_thread = false;
  };
  /// The lookup of that name which is under way, or a new one in line. Throws std::bad_alloc.
  [[nodiscard]] joined join(lookup_request&& r, std::error_code& ec) {
    auto fresh = std::make_shared<lookup>();
    fresh->key = r.host + '\n' + r.service + '\n' + std::to_string(static_cast<int>(r.family));
    std::string domain(domain_of(r.host));
    fresh->request = std::move(r);
    bool needs_thread = false, wakes = false;
    {
      const base::lock_guard guard(lock_);
      const auto [at, is_new] = under_way_.try_emplace(fresh->key, fresh);
      if (!is_new) {
        ++at->second->interested;
        return {at->second, false};
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
        return {};
      }
      ++fresh->domain->second.in_line;
      fresh->interested = 1;
      wakes = idle_ > 0;
      // Counted here, made outside the lock.
      needs_thread = line_.size() > idle_ && threads_ < limits_.threads;
      threads_ += needs_thread ? 1 : 0;
      changed();
    }
    if (wakes) Sync::futex_wake(changes_, 1);
    return {std::move(fresh), needs_thread};
  }
  /// If it was the only one, nobody answers those in line: they fail. `wake(ticket)` outside the
  /// lock.
  template <class Wake>
  void thread_failed(Wake&& wake) noexcept {
    base::unique_lock guard(lock_);
    --threads_;
    while (threads_ == 0 && !line_.empty()) {
      const lookup_pointer l = line_.front();
      forget(*l);
      l->answer.error = std::make_error_code(std::errc::resource_unavailable_try_again);
      l->where = lookup::state::done;
      guard.unlock();
      wake_waiters(*l, wake);
      guard.lock();
    }
  }
  /// False: it is done, do not park. [RESOLVE-1]
  [[nodiscard]] bool begin_wait(lookup& l, extra_waiter& me) noexcept {
    const base::lock_guard guard(lock_);
    if (l.where == lookup::state::done) return false;
    l.waiters.push_back(me);
    return true;
  }
  /// True: it is done.
  [[nodiscard]] bool end_wait(lookup& l, extra_waiter& me) noexcept {
    const base::lock_guard guard(lock_);
    if (me.linked()) me.unlink();
    return l.where == lookup::state::done;
  }
  void lose_interest(lookup& l) noexcept {
    const base::lock_guard guard(lock_);
    if (--l.interested == 0 && l.where == lookup::state::in_line) forget(l);  // [RESOLVE-2]
  }

  // ---- a thread
  /// Until it was idle for too long, or the end. `ask(request)`: the answer; blocks.
  /// `idle.begins()` after each lookup; `idle.is_over()`; `idle.sleep(word, value)` as futex_wait.
  template <class Ask, class Wake, class Idle>
  void serve(Ask&& ask, Wake&& wake, Idle&& idle) noexcept {
    base::unique_lock guard(lock_);
    while (!ending_) {
      if (lookup_pointer l = next()) {
        guard.unlock();
        finish(*l, ask(l->request), wake);
        l.reset();
        guard.lock();
        idle.begins();
        continue;
      }
      if (idle.is_over()) break;
      ++idle_;
      const std::uint32_t seen = changes_.load(std::memory_order_relaxed);
      guard.unlock();
      idle.sleep(changes_, seen);
      guard.lock();
      --idle_;
    }
    --threads_;
  }

  // ---- the end
  /// Waits for the threads. `sleep(word, value)` as futex_wait, for a moment.
  template <class Sleep>
  void end(Sleep&& sleep) noexcept {
    base::unique_lock guard(lock_);
    ending_ = true;
    while (threads_ > 0) {
      const std::uint32_t seen = changes_.fetch_add(1, std::memory_order_relaxed) + 1;
      guard.unlock();
      Sync::futex_wake(changes_, os::wake_all);
      sleep(changes_, seen);
      guard.lock();
    }
  }

  [[nodiscard]] std::size_t threads() const noexcept {
    const base::lock_guard guard(lock_);
    return threads_;
  }
  /// Of the lookups that are not done.
  [[nodiscard]] std::size_t callers() const noexcept {
    const base::lock_guard guard(lock_);
    std::size_t n = 0;
    for (const auto& [key, l] : under_way_) n += l->interested;
    return n;
  }
  /// Lookups that are not done.
  [[nodiscard]] std::size_t under_way() const noexcept {
    const base::lock_guard guard(lock_);
    return under_way_.size();
  }

 private:
  // With the lock, as its reading before a sleep.
  void changed() noexcept WEFT_REQUIRES(lock_) { changes_.fetch_add(1, std::memory_order_relaxed); }

  void forget(lookup& l) noexcept WEFT_REQUIRES(lock_) {
    const auto at =
        std::find_if(line_.begin(), line_.end(), [&](const auto& p) { return p.get() == &l; });
    --l.domain->second.in_line;
    release_domain(l);
    const lookup_pointer keep = std::move(*at);
    line_.erase(at);
    under_way_.erase(l.key);
  }
  void release_domain(lookup& l) noexcept WEFT_REQUIRES(lock_) {
    if (l.domain->second.running + l.domain->second.in_line == 0) domains_.erase(l.domain->first);
    l.domain = nullptr;
  }
  // First come, first served, but for domains that have all the threads they may have [RESOLVE-3].
  lookup_pointer next() noexcept WEFT_REQUIRES(lock_) {
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

  template <class Wake>
  void finish(lookup& l, lookup_answer&& answer, Wake& wake) noexcept WEFT_EXCLUDES(lock_) {
    bool others = false;
    {
      const base::lock_guard guard(lock_);
      l.answer = std::move(answer);
      l.where = lookup::state::done;  // [RESOLVE-1]
      under_way_.erase(l.key);
      --l.domain->second.running;
      release_domain(l);
      others = !line_.empty();
      if (others) changed();
    }
    // Of this domain several may have waited for a thread; this one takes the next by itself, but
    // wakes the waiters first.
    if (others) Sync::futex_wake(changes_, 1);
    wake_waiters(l, wake);
  }
  // One at a time: a wake may enter weft, and must not be made under the lock.
  template <class Wake>
  void wake_waiters(lookup& l, Wake& wake) noexcept WEFT_EXCLUDES(lock_) {
    for (;;) {
      ticket t;
      {
        const base::lock_guard guard(lock_);
        extra_waiter* const w = l.waiters.pop_front();
        if (w == nullptr) return;
        t = w->who;
      }
      wake(t);
    }
  }

  const resolver_limits limits_;
  mutable Lock lock_{};
  std::unordered_map<std::string, lookup_pointer> under_way_ WEFT_GUARDED_BY(lock_);
  domain_map domains_ WEFT_GUARDED_BY(lock_);
  std::deque<lookup_pointer> line_ WEFT_GUARDED_BY(lock_);
  std::size_t threads_ WEFT_GUARDED_BY(lock_) = 0;
  std::size_t idle_ WEFT_GUARDED_BY(lock_) = 0;
  bool ending_ WEFT_GUARDED_BY(lock_) = false;
  // futex: of the line, and of threads_ when ending
  typename Sync::template atomic<std::uint32_t> changes_{0};
};

}  // namespace weft::detail
